"""Which of several copies is the best to keep: a total order by qualities of each image alone.

In this order: true resolution (enlarged copies are seen through), lossless, JPEG quality, metadata kept,
sharpness in coarse steps, age, and last the image id. No quality depends on what an image is compared with,
so the order is the same in every collection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike.features.record import Flag, has_flag

NOT_ENLARGED = "not_enlarged"
FIRST_ID = "first_id"
REASONS = {
    "larger": "It has the most detail.",
    NOT_ENLARGED: "The others are as large or larger, but were enlarged from less.",
    "lossless": "Its format keeps pixels as they were.",
    "higher_quality": "It was compressed the least.",
    "more_metadata": "It has kept the most metadata, such as camera and date.",
    "sharper": "It is the sharpest.",
    "older": "It was taken the earliest.",
    FIRST_ID: "All else is equal; its id comes first.",
}
"""Codes of `reasons`, each with what it means for a user."""
_CODES = ("larger", "lossless", "higher_quality", "more_metadata", "sharper", "older")
_ENLARGED_STEP = 0.25
_SHARPNESS_STEP = 0.125


def rank(features: NDArray[np.void], image_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return for each image its rank, 0 for the best, from FEATURES records (N,) and as many image ids."""
    qualities = _qualities(features)
    order = np.lexsort(-qualities[::-1])
    _order_ties_by_id(order, qualities, image_ids)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def reasons(features: NDArray[np.void]) -> list[str]:
    """Return the codes of REASONS why the first of these records, the original, is better than the others.

    They are the qualities that decided, in order: in each it beats some that equal it in all before.
    """
    qualities = _qualities(features)
    pixels = _pixels(features["width"], features["height"])
    codes = []
    rivals = np.arange(1, len(features))
    for code, values in zip(_CODES, qualities, strict=True):
        beaten = rivals[values[rivals] < values[0]]
        if len(beaten):
            looks_larger = code == "larger" and bool(np.all(pixels[beaten] >= pixels[0]))
            codes.append(NOT_ENLARGED if looks_larger else code)
        rivals = rivals[values[rivals] == values[0]]
    return codes if len(rivals) == 0 and codes else [*codes, FIRST_ID]


def _qualities(features: NDArray[np.void]) -> NDArray[np.float64]:
    """Return (qualities, N) in order of weight; more is better."""
    lossless = has_flag(features, Flag.LOSSLESS)
    taken_at = features["taken_at"].astype(np.float64)
    return np.stack(
        [
            _true_pixels(features),
            lossless.astype(np.float64),
            np.where(lossless, 100.0, features["jpeg_quality"]),
            features["metadata_count"].astype(np.float64),
            np.floor(features["sharpness"].astype(np.float64) / _SHARPNESS_STEP),
            np.where(taken_at > 0, -taken_at, -np.inf),
        ]
    )


def _true_pixels(features: NDArray[np.void]) -> NDArray[np.float64]:
    """Return the pixels that hold detail, exact; for enlarged copies the step below.

    The true size of an enlarged copy is an estimate: too high, it would put the copy before its original.
    """
    pixels = _pixels(features["width"], features["height"])
    true = np.maximum(1.0, _pixels(features["true_width"], features["true_height"]))
    stepped = 2.0 ** (_ENLARGED_STEP * np.floor(np.log2(true) / _ENLARGED_STEP))
    return np.where(true < pixels, stepped, pixels)


def _pixels(width: NDArray[np.integer], height: NDArray[np.integer]) -> NDArray[np.float64]:
    return width.astype(np.float64) * height.astype(np.float64)


def _order_ties_by_id(
    order: NDArray[np.intp], qualities: NDArray[np.float64], image_ids: Sequence[str]
) -> None:
    """Sort runs of equal quality by id, in place: few are compared by id, and none needs to be otherwise."""
    in_order = qualities[:, order]
    follows_equal = np.all(in_order[:, 1:] == in_order[:, :-1], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], follows_equal, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        run = order[first : last + 1]
        order[first : last + 1] = sorted(run.tolist(), key=image_ids.__getitem__)
