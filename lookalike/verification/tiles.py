"""Tiles: how well two gray planes correlate around each pixel, in one pass over running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled

TILE = 15  # px of a tile's side on the agreement grid
REACH = TILE // 2
SMOOTH = 4.0  # variance below which a tile is noise, not structure
STRUCTURED = 9.0  # variance above which a tile counts as structured
FEWEST_PIXELS = 100  # of a tile's 225 that must be common
FEWEST_TILES = 50  # below, tiles without structure are asked too
GOOD, WELL = 0.6, 0.9
DIGIT = 11  # bits, of which three are a float
DIGITS = (1 << DIGIT) - 1

Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]
_Sums = NDArray[np.int32]
_Words = NDArray[np.uint32]


@compiled
def correlated(first: Levels, second: Levels, mask: Mask) -> tuple[float, float, float, float]:
    """Median correlation of tiles; shares of good, of very good, and of structured tiles.

    A tile lies around each pixel of the mask; beyond the planes' edges they are continued by reflection.
    """
    height, width = first.shape
    columns, sums = np.zeros((6, width + 2 * REACH), np.int32), np.zeros((6, width), np.int32)
    correlation, variance = np.empty(width, np.float32), np.empty(width, np.float32)
    chosen, plain = np.empty(height * width, np.float32), np.empty(height * width, np.float32)
    chosen_count = plain_count = 0
    for y in range(-REACH, REACH):
        _add(columns, first, second, mask, _reflected(y, height), np.int32(1))
    for y in range(height):
        _add(columns, first, second, mask, _reflected(y + REACH, height), np.int32(1))
        _sum_along(columns, sums)
        _correlate(sums, correlation, variance)
        for x in range(width):
            if not mask[y, x] or sums[0, x] <= FEWEST_PIXELS:
                continue
            if variance[x] > np.float32(STRUCTURED):
                chosen[chosen_count] = correlation[x]
                chosen_count += 1
            else:
                plain[plain_count] = correlation[x]
                plain_count += 1
        _add(columns, first, second, mask, _reflected(y - REACH, height), np.int32(-1))
    total = chosen_count + plain_count
    if total == 0:
        return 0.0, 0.0, 0.0, 0.0
    structured = chosen_count / total
    if chosen_count <= FEWEST_TILES:
        chosen[chosen_count:total] = plain[:plain_count]
        chosen_count = total
    good = well = 0
    for k in range(chosen_count):
        good += chosen[k] > np.float32(GOOD)
        well += chosen[k] > np.float32(WELL)
    return _median(chosen[:chosen_count]), good / chosen_count, well / chosen_count, structured


@compiled
def _reflected(place: int, size: int) -> int:
    """The place within 0 to size - 1 that stands for one beyond; a picture may be smaller than a tile."""
    while place < 0 or place >= size:
        place = -place if place < 0 else 2 * size - 2 - place
    return place


@compiled
def _add(columns: _Sums, first: Levels, second: Levels, mask: Mask, y: int, sign: np.int32) -> None:
    """Add a row's count, levels, squares and products to the sums of its columns, or take them away."""
    for x in range(first.shape[1]):
        k, at = sign * np.int32(mask[y, x]), x + REACH
        a, b = np.int32(first[y, x]), np.int32(second[y, x])
        columns[0, at] += k
        columns[1, at] += k * a
        columns[2, at] += k * b
        columns[3, at] += k * a * a
        columns[4, at] += k * b * b
        columns[5, at] += k * a * b


@compiled
def _sum_along(columns: _Sums, sums: _Sums) -> None:
    """Sum the columns' sums over the TILE columns around each."""
    width = sums.shape[1]
    for x in range(1, REACH + 1):
        columns[:, REACH - x] = columns[:, REACH + _reflected(x, width)]
        columns[:, width - 1 + REACH + x] = columns[:, REACH + _reflected(width - 1 + x, width)]
    # All of a row's windows at once: additions of neighbours are independent, and vectorise.
    for k in range(6):
        for x in range(width):
            total = columns[k, x]
            for step in range(1, TILE):
                total += columns[k, x + step]
            sums[k, x] = total


@compiled
def _correlate(sums: _Sums, correlation: Plane, variance: Plane) -> None:
    """Correlation of the tiles around a row's pixels, and the larger of their variances."""
    zero, one, smooth = np.float32(0), np.float32(1), np.float32(SMOOTH)
    for x in range(len(correlation)):
        share = one / np.float32(max(sums[0, x], np.int32(1)))
        mean_x, mean_y = np.float32(sums[1, x]) * share, np.float32(sums[2, x]) * share
        variance_x = max(np.float32(sums[3, x]) * share - mean_x * mean_x, zero)
        variance_y = max(np.float32(sums[4, x]) * share - mean_y * mean_y, zero)
        covariance = np.float32(sums[5, x]) * share - mean_x * mean_y
        # Noise is added to both alike: what is plain in both agrees, what is plain in one only does not.
        scale = np.sqrt((variance_x + smooth) * (variance_y + smooth))
        correlation[x] = (covariance + smooth) / scale
        variance[x] = max(variance_x, variance_y)


@compiled
def _median(values: Plane) -> float:
    """The mean of the middle two of correlations, in time that does not depend on their order."""
    # 1 - correlation is not negative, and floats that are not negative have the order of their bits.
    words = np.maximum(np.float32(1) - values, np.float32(0)).view(np.uint32)
    rank = (len(words) - 1) // 2
    middle = np.full(2, _ranked(words, rank), np.uint32)
    if len(words) % 2 == 0:
        up_to, following = 0, np.uint32(0xFFFFFFFF)
        for word in words:
            up_to += word <= middle[0]
            following = min(following, word if word > middle[0] else np.uint32(0xFFFFFFFF))
        if up_to == rank + 1:
            middle[1] = following
    return 1.0 - np.float64(middle.view(np.float32).sum()) / 2


@compiled
def _ranked(words: _Words, rank: int) -> np.uint32:
    """The word of that rank: those that share its first digits are gathered, by one digit more each time."""
    left, count = words.copy(), len(words)
    counts = np.empty((2, 1 << DIGIT), np.int32)
    for shift in (2 * DIGIT, DIGIT, 0):
        counts[:] = 0
        for k in range(count):
            # Neighbours are counted apart: one need not wait for the other where they are alike.
            counts[k & 1, (left[k] >> np.uint32(shift)) & np.uint32(DIGITS)] += 1
        digit = 0
        while rank >= counts[0, digit] + counts[1, digit]:
            rank -= counts[0, digit] + counts[1, digit]
            digit += 1
        found = 0
        for k in range(count):
            word = left[k]
            left[found] = word
            found += (word >> np.uint32(shift)) & np.uint32(DIGITS) == digit
        count = found
    return np.uint32(left[0])
