"""Tones: which colours the changed pixels of a picture have, and whether it has them elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.cells import CELL

EVEN = 6  # levels of a channel
COMMONEST = 3
_NEIGHBOURS = np.ones((3, 3), np.uint8)

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int32]


@compiled
def far_apart(first: Plane, second: Plane, changed: Mask, mask: Mask, limit: float) -> Mask:
    """Common pixels of the changed cells that differ by more than the limit."""
    out = np.zeros(mask.shape, np.bool_)
    for y in range(len(mask)):
        for x in range(len(mask[y])):
            if changed[y // CELL, x // CELL] and mask[y, x]:
                out[y, x] = abs(first[y, x] - second[y, x]) > limit
    return out


@compiled
def elsewhere(pixels: Pixels, changed: Mask, mask: Mask, shift: int) -> Counts:
    """Counts of the colours outside the changed cells, of every other pixel of every other row."""
    bits = 8 - shift
    counts = np.zeros(1 << 3 * bits, np.int32)
    for y in range(0, mask.shape[0], 2):
        for x in range(0, mask.shape[1], 2):
            if mask[y, x] and not changed[y // CELL, x // CELL]:
                counts[_colour(pixels[y, x], shift)] += 1
    return counts


@compiled
def colours(pixels: Pixels, chosen: Mask, shift: int) -> Counts:
    """Counts of the colours of the chosen pixels, told apart by steps of 2 ** shift levels."""
    counts = np.zeros(1 << 3 * (8 - shift), np.int32)
    for y in range(chosen.shape[0]):
        for x in range(chosen.shape[1]):
            if chosen[y, x]:
                counts[_colour(pixels[y, x], shift)] += 1
    return counts


def even(pixels: Pixels) -> Mask:
    """Which pixels have neighbours among which no channel differs by more than EVEN levels."""
    spread = cv2.subtract(cv2.dilate(pixels, _NEIGHBOURS), cv2.erode(pixels, _NEIGHBOURS))
    return np.asarray(cv2.inRange(spread, (0, 0, 0), (EVEN, EVEN, EVEN)) > 0, np.bool_)


@compiled
def few_tones(pixels: Pixels, chosen: Mask) -> float:
    """Share of the three commonest of 512 colours."""
    counts = colours(pixels, chosen, 5)
    few = 0
    for place in _commonest(counts):
        few += counts[place]
    return float(few / max(1, counts.sum()))


@compiled
def own_colours(counts: Counts, total: int, outside: Counts) -> float:
    """Share of `total` that the three commonest colours have beyond what is so coloured elsewhere.

    A sticker brings colours; an object that was painted out gives way to those of its surroundings.
    """
    outside_total, share = max(1, outside.sum()), 0.0
    for place in _commonest(counts):
        share += max(0.0, counts[place] / max(1, total) - outside[place] / outside_total)
    return share


@compiled
def _colour(pixel: Pixels, shift: int) -> int:
    red, green, blue = np.int64(pixel[0]), np.int64(pixel[1]), np.int64(pixel[2])
    bits = 8 - shift
    return int((red >> shift) << 2 * bits | (green >> shift) << bits | (blue >> shift))


@compiled
def _commonest(counts: Counts) -> NDArray[np.int64]:
    """Places of the largest counts."""
    places, found = np.zeros(COMMONEST, np.int64), np.full(COMMONEST, -1, np.int64)
    for place in range(len(counts)):
        count = counts[place]
        if count <= found[COMMONEST - 1]:
            continue
        rank = COMMONEST - 1
        while rank > 0 and count > found[rank - 1]:
            found[rank], places[rank] = found[rank - 1], places[rank - 1]
            rank -= 1
        found[rank], places[rank] = count, place
    return places
