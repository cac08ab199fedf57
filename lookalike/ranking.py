"""Which of several copies is the best to keep: a total order by qualities of each image alone.

In this order: true resolution (enlarged copies are seen through, unless they are JPEGs read at a fraction),
lossless, JPEG quality, metadata kept, sharpness in coarse steps, age, and last the image id. No quality
depends on what an image is compared with, so the order is the same in every collection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
_BITS = {code: bit for bit, code in enumerate(REASONS)}
_ENLARGED_STEP = 0.25
_SHARPNESS_STEP = 0.125


# Either all ids, or a function from places to the ids there: only images of equal quality are compared by id.
ImageIds = Sequence[str] | Callable[[NDArray[np.int64]], Sequence[str]]


def rank(features: NDArray[np.void], image_ids: ImageIds) -> NDArray[np.int64]:
    """Return for each image its rank, 0 for the best, from FEATURES or FACTS records (N,) and image ids."""
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
    return reason_codes(int(reason_masks(features, np.zeros(len(features), np.int64))[0]))


def reason_codes(mask: int) -> list[str]:
    """Return the codes of REASONS whose bits are set."""
    return [code for bit, code in enumerate(REASONS) if mask >> bit & 1]


def reason_masks(features: NDArray[np.void], number: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return for each group its reasons as the bits of a number, bit k for the k-th of REASONS.

    number[i] is the group of record i: from 0 on, in order, each group together with its original first.
    """
    qualities = _qualities(features)
    pixels = _pixels(features["width"], features["height"])
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    masks = np.zeros(len(starts), np.uint8)
    is_first = np.zeros(len(number), bool)
    is_first[starts] = True
    rivals = np.flatnonzero(~is_first)
    for code, values in zip(_CODES, qualities, strict=True):
        originals = starts[number[rivals]]
        beaten = rivals[values[rivals] < values[originals]]
        group = number[beaten]
        if code == "larger":
            is_larger = pixels[beaten] < pixels[starts[group]]
            _set(masks, group[is_larger], code)
            enlarged = np.setdiff1d(group, group[is_larger])
            _set(masks, enlarged, NOT_ENLARGED)
        else:
            _set(masks, group, code)
        rivals = rivals[values[rivals] == values[originals]]
    _set(masks, number[rivals], FIRST_ID)
    _set(masks, np.flatnonzero(masks == 0), FIRST_ID)
    return masks


def _set(masks: NDArray[np.uint8], groups: NDArray[np.int64], code: str) -> None:
    masks[groups] |= np.uint8(1 << _BITS[code])


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


def _order_ties_by_id(order: NDArray[np.intp], qualities: NDArray[np.float64], image_ids: ImageIds) -> None:
    """Sort runs of equal quality by id, in place: few are compared by id, and none needs to be otherwise."""
    in_order = qualities[:, order]
    follows_equal = np.all(in_order[:, 1:] == in_order[:, :-1], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], follows_equal, [False]]).astype(np.int8)))
    is_tied = np.concatenate([[False], follows_equal]) | np.concatenate([follows_equal, [False]])
    tied = order[is_tied[: len(order)]].astype(np.int64)
    if not len(tied):
        return
    names = image_ids(tied) if callable(image_ids) else [image_ids[place] for place in tied.tolist()]
    id_of = dict(zip(tied.tolist(), names, strict=True))
    for first, last in edges.reshape(-1, 2).tolist():
        run = order[first : last + 1]
        order[first : last + 1] = sorted(run.tolist(), key=id_of.__getitem__)
