"""Candidates: pairs of images that are worth comparing, found by their hashes or by their key points.

Whether two images are a candidate pair depends on their two records alone, so that full and incremental runs
agree. What is joined with what:

    seen      whole frame, or frame without its border, as seen
    turned    whole frame in the 8 EXIF orientations
    negative  complement of the whole frame
    regions   16 regions of the frame

Every seen hash is joined, exactly, with every turned, negative and region hash of the other image, both
ways round. Flat images take no part, as their hashes are noise: they are candidates of flat images of the
same size and colour. Key points that look and lie alike (lookalike.local) find what has no region in common
with the frame: smaller crops, any angle, pictures within pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.features.record import ORIENTATION_COUNT, REGION_COUNT, Flag, has_flag
from lookalike.index.planner import join
from lookalike.local import check
from lookalike.local import join as local

Features = NDArray[np.void]
Hashes = NDArray[np.uint8]
Pairs = NDArray[np.int64]

# Bits of 256. Distinct photos come within 73 once in 49 million pairs and within 87 once in a million; what
# comes too near is sorted out by verification, so these are as wide as its time allows.
WHOLE_RADIUS = 90
TURNED_RADIUS = 84
REGION_RADIUS = 84
NEGATIVE_RADIUS = 40
FLAT_COLOUR_DISTANCE = 3  # levels of each channel

COMPARISONS_PER_SHARD = 4_000_000_000


def plan(image_count: int, new_count: int | None = None) -> list[dict[str, Any]]:
    """Split the search into shards of about equal work; the specs are plain JSON.

    With `new_count`, only pairs with one of the last `new_count` images are wanted.
    """
    against = image_count if new_count is None else new_count
    comparisons = image_count * against * (2 * (ORIENTATION_COUNT + REGION_COUNT + 1))
    shard_count = min(max(1, math.ceil(comparisons / COMPARISONS_PER_SHARD)), max(1, image_count))
    edges = [image_count * part // shard_count for part in range(shard_count + 1)]
    by_hash: list[dict[str, Any]] = [{"start": start, "stop": stop} for start, stop in pairwise(edges)]
    return by_hash + [{"local": spec} for spec in local.plan(image_count, new_count)]


def candidates(features: Features, spec: dict[str, Any], first_new: int = 0) -> Pairs:
    """Candidate pairs (k, 2) of rows i < j, unique and sorted, with j >= first_new: those of one shard.

    A shard of hashes has the pairs whose seen hash is of its rows; a pair may come from several shards.
    """
    if "local" in spec:
        return _local_pairs(features, spec["local"])
    start, stop = int(spec["start"]), int(spec["stop"])
    hashed = ~has_flag(features, Flag.FLAT)
    found = [_flat_pairs(features, start, stop, first_new)]
    for seen_rows, seen in _seen(features, hashed):
        mine = (seen_rows >= start) & (seen_rows < stop)
        for other_rows, other, radius in _others(features, hashed):
            found.append(_joined(seen_rows[mine], seen[mine], other_rows, other, radius, first_new))
    return _unique(np.concatenate(found))


def _local_pairs(features: Features, spec: dict[str, Any]) -> Pairs:
    """Pairs whose key points agree on a transform that the thumbnails bear out, or agree in great number."""
    records = features["local"]
    votes = local.run(records, spec)
    agreements = check.agreements(votes, records[votes["i"]], records[votes["j"]])
    kept = votes[check.is_worth_verifying(votes, agreements)]
    return _unique(np.stack([kept["i"], kept["j"]], axis=1).astype(np.int64))


def _seen(features: Features, hashed: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], Hashes]]:
    """Rows and hashes of whole frames, and of trimmed ones where there was a border."""
    rows = np.flatnonzero(hashed)
    yield rows, features["whole"][rows, 0]
    trimmed = np.flatnonzero(hashed & has_flag(features, Flag.HAS_TRIM))
    yield trimmed, features["trimmed"][trimmed]


def _others(features: Features, hashed: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], Hashes, int]]:
    """Rows, hashes and radius of all that a seen hash is compared with."""
    rows = np.flatnonzero(hashed)
    trimmed = np.flatnonzero(hashed & has_flag(features, Flag.HAS_TRIM))
    yield rows, features["whole"][rows, 0], WHOLE_RADIUS
    yield trimmed, features["trimmed"][trimmed], WHOLE_RADIUS
    yield rows, ~features["whole"][rows, 0], NEGATIVE_RADIUS
    for index in range(1, ORIENTATION_COUNT):
        yield rows, features["whole"][rows, index], TURNED_RADIUS
    for index in range(REGION_COUNT):
        yield rows, features["regions"][rows, index], REGION_RADIUS


def _joined(
    seen_rows: NDArray[np.int64],
    seen: Hashes,
    other_rows: NDArray[np.int64],
    other: Hashes,
    radius: int,
    first_new: int,
) -> Pairs:
    """Pairs within the radius of which at least one is new."""
    is_new = seen_rows >= first_new
    parts = [_matched(seen_rows[is_new], seen[is_new], other_rows, other, radius)]
    if first_new > 0:
        new = other_rows >= first_new
        parts.append(_matched(seen_rows[~is_new], seen[~is_new], other_rows[new], other[new], radius))
    return np.concatenate(parts)


def _matched(
    seen_rows: NDArray[np.int64],
    seen: Hashes,
    other_rows: NDArray[np.int64],
    other: Hashes,
    radius: int,
) -> Pairs:
    if not len(seen) or not len(other):
        return np.empty((0, 2), np.int64)
    pairs = join(np.ascontiguousarray(seen), np.ascontiguousarray(other), radius)
    return np.stack([seen_rows[pairs.i], other_rows[pairs.j]], axis=1)


def _flat_pairs(features: Features, start: int, stop: int, first_new: int) -> Pairs:
    """Pairs of flat images of equal size and nearly equal mean colour, the first of them in the shard."""
    rows = np.flatnonzero(has_flag(features, Flag.FLAT))
    sizes = features["width"][rows].astype(np.int64) << 32 | features["height"][rows]
    colours = features["colour"][rows].astype(np.int16)
    found = [np.empty((0, 2), np.int64)]
    for place, row in enumerate(rows):
        if not start <= row < stop:
            continue
        later = np.arange(place + 1, len(rows))
        later = later[(rows[later] >= first_new) & (sizes[later] == sizes[place])]
        near = np.abs(colours[later] - colours[place]).max(axis=1) <= FLAT_COLOUR_DISTANCE
        others = rows[later[near]]
        found.append(np.stack([np.full(len(others), row), others], axis=1))
    return np.concatenate(found)


def _unique(pairs: Pairs) -> Pairs:
    """Sorted pairs i < j, each once; an image is no candidate of itself."""
    ordered = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(ordered, axis=0)
