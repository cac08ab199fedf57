"""Planes: two pictures in gray on one grid, equal in tone and sharpness: what still differs is content."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.levels import most_of_one_tone
from lookalike.verification.overlap import Overlap

SIGMA = 0.8  # px, of the blur
REACH = 3  # px
AS_SHARP = 0.12  # logarithm
MOST_BLURS = 3

Plane = NDArray[np.float32]
Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_taps = np.exp(-(np.arange(REACH + 1) ** 2) / (2 * SIGMA**2))
# The middle one, and those to its sides.
_WEIGHTS = tuple(np.float32(tap / (2 * _taps.sum() - _taps[0])) for tap in _taps)


@dataclass(frozen=True, slots=True)
class Matched:
    """Both pictures in gray on one grid, equal in tone and sharpness."""

    first: Plane
    second: Plane
    sharpness: float  # logarithm of how much sharper the first was


def matched(common: Overlap) -> Matched:
    """Give the second the first's gain and offset, and both the sharpness of the less sharp."""
    # Whole levels, as all limits of what counts as noise were chosen on.
    first, second = (np.rint(plane) for plane in blurred(common))
    sharpness = left = _sharpness(first, second)
    for _ in range(MOST_BLURS):
        # The sharper one is blurred until its share of fine detail has come down to the other's.
        if abs(left) < AS_SHARP:
            break
        if left > 0:
            first = _blurred(first)
        else:
            second = _blurred(second)
        left = _sharpness(first, second)
    _equalise(first, second, common.mask)
    return Matched(first, second, sharpness)


def blurred(common: Overlap) -> tuple[Plane, Plane]:
    """Both pictures in gray on one grid, with the tones that they have."""
    first, second = common.first_gray, common.second_gray
    return _blurred(first.astype(np.float32)), _blurred(second.astype(np.float32))


def plain_share(common: Overlap) -> float:
    """Share of the commonest tone, of the picture that has less of it: large in graphics."""
    return min(_plain_share(common.first_gray, common.mask), _plain_share(common.second_gray, common.mask))


@compiled
def _blurred(plane: Plane) -> Plane:
    """Blur by SIGMA; what lies beyond the edges is continued by reflection."""
    height, width = plane.shape
    out, padded = np.empty_like(plane), np.empty(width + 2 * REACH, np.float32)
    a, b, c, d = _WEIGHTS
    middle = padded[REACH : REACH + width]
    for y in range(height):
        up1, up2, up3 = plane[abs(y - 1)], plane[abs(y - 2)], plane[abs(y - 3)]
        last = height - 1
        low1, low2, low3 = (
            plane[last - abs(last - y - 1)],
            plane[last - abs(last - y - 2)],
            plane[last - abs(last - y - 3)],
        )
        here = plane[y]
        for x in range(width):
            near, far, farther = up1[x] + low1[x], up2[x] + low2[x], up3[x] + low3[x]
            middle[x] = a * here[x] + b * near + c * far + d * farther
        for x in range(1, REACH + 1):
            padded[REACH - x] = middle[x]
            padded[REACH + width - 1 + x] = middle[width - 1 - x]
        row = out[y]
        for x in range(width):
            near, far = padded[x + 2] + padded[x + 4], padded[x + 1] + padded[x + 5]
            row[x] = a * padded[x + 3] + b * near + c * far + d * (padded[x] + padded[x + 6])
    return out


def _sharpness(first: Plane, second: Plane) -> float:
    """Logarithm of how much sharper the first is."""
    return math.log(max(_fineness(first), 1e-6) / max(_fineness(second), 1e-6))


@compiled
def _fineness(plane: Plane) -> float:
    """Energy of differences between neighbours relative to the whole variance, on every other row."""
    steps = levels = squares = 0.0
    count = step_count = 0
    columns = np.zeros((3, plane.shape[1]), np.float32)
    step_sums, level_sums, square_sums = columns[0], columns[1], columns[2]
    middle = plane[0, 0]
    for y in range(0, plane.shape[0], 2):
        row, following = plane[y], plane[y, 1:]
        for x in range(len(following)):
            step_sums[x] += (following[x] - row[x]) * (following[x] - row[x])
        for x in range(len(row)):
            level_sums[x] += row[x] - middle
        for x in range(len(row)):
            square_sums[x] += (row[x] - middle) * (row[x] - middle)
        count += len(row)
        step_count += len(following)
    for x in range(plane.shape[1]):
        steps, levels, squares = steps + step_sums[x], levels + level_sums[x], squares + square_sums[x]
    variance = max(squares / count - (levels / count) ** 2, 0.0)
    return math.sqrt(steps / step_count) / (math.sqrt(variance) + 1.0)


def _equalise(first: Plane, second: Plane, mask: Mask) -> None:
    """Give the second the first's mean and deviation within the mask."""
    inside = mask.astype(np.float32)
    (mean_x, deviation_x), (mean_y, deviation_y) = _tone(first, inside), _tone(second, inside)
    gain = min(max(deviation_x / (deviation_y + 1e-3), 0.4), 2.5)
    np.multiply(second, np.float32(gain), out=second)
    np.add(second, np.float32(mean_x - gain * mean_y), out=second)


@compiled
def _tone(plane: Plane, mask: Plane) -> tuple[float, float]:
    """Mean and deviation of the levels within the mask."""
    columns = np.zeros((3, plane.shape[1]), np.float32)
    counts, levels, squares = columns[0], columns[1], columns[2]
    for y in range(plane.shape[0]):
        row, inside = plane[y], mask[y]
        for x in range(len(row)):
            counts[x] += inside[x]
        for x in range(len(row)):
            levels[x] += row[x] * inside[x]
        for x in range(len(row)):
            squares[x] += row[x] * row[x] * inside[x]
    count = level = square = 0.0
    for x in range(plane.shape[1]):
        count, level, square = count + counts[x], level + levels[x], square + squares[x]
    mean = level / count
    return mean, math.sqrt(max(square / count - mean * mean, 0.0))


@compiled
def _plain_share(gray: Levels, mask: Mask) -> float:
    """Share of the commonest gray level and its two neighbours."""
    # Neighbours are counted apart: a count must else wait for the one before it, which is often the same.
    counts = np.zeros((2, 256), np.int64)
    for row in range(gray.shape[0]):
        for column in range(gray.shape[1]):
            counts[column & 1, gray[row, column]] += mask[row, column]
    total = counts.sum()
    return float(most_of_one_tone(counts[0] + counts[1], 1) / max(1, total))
