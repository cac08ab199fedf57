"""Grain: what is finer than a few pixels, noise included, and the same only where pixels were left alone.

Two photos of one wall or of one sheet agree in their shades, and in nothing that is finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.overlap import Overlap

TILE = 16  # px of a tile's side
FINE, COARSE = 3, 11  # px: grain is what a mean over the finer has beyond that over the coarser
# Variances: of grain that is worth a look, and of what rounding and compression add.
GRAINY, ADDED = 0.3, 0.1
SAME = 0.6  # correlation; by chance a tile's 30 independent values have it once in 10,000

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grain:
    """Where the grain of two pictures is the same; shares of the tiles, 0 to 1."""

    same: float = 0.0
    reach: float = 0.0  # of the rows or columns of tiles, whichever are fewer, those with such tiles


NO_GRAIN = Grain()


def compared(common: Overlap) -> Grain:
    """Compare the grain of two pictures on one grid."""
    same = same_tiles(grain_of(common.first_gray, COARSE), grain_of(common.second_gray, COARSE), TILE)
    if not same.any():
        return NO_GRAIN
    return Grain(float(same.mean()), float(min(same.any(axis=0).mean(), same.any(axis=1).mean())))


def grain_of(gray: NDArray[np.uint8] | Plane, coarse: int) -> Plane:
    """What the mean over FINE px has beyond that over so many."""
    finer, coarser = (cv2.boxFilter(gray, cv2.CV_32F, (side, side)) for side in (FINE, coarse))
    return np.asarray(finer - coarser, np.float32)


@compiled
def same_tiles(first: Plane, second: Plane, side: int) -> Mask:
    """Which tiles, so many px a side, have grain, and the same in both."""
    rows, columns = max(1, first.shape[0] // side), max(1, first.shape[1] // side)
    found = np.zeros((rows, columns), np.bool_)
    for row in range(rows):
        for column in range(columns):
            count, sums = 0, np.zeros(5, np.float64)
            for y in range(row * side, min(row * side + side, first.shape[0])):
                for x in range(column * side, min(column * side + side, first.shape[1])):
                    a, b = first[y, x], second[y, x]
                    count += 1
                    sums[0] += a
                    sums[1] += b
                    sums[2] += a * a
                    sums[3] += b * b
                    sums[4] += a * b
            mean_a, mean_b = sums[0] / count, sums[1] / count
            variance_a, variance_b = sums[2] / count - mean_a * mean_a, sums[3] / count - mean_b * mean_b
            scale = np.sqrt((max(variance_a, 0.0) + ADDED) * (max(variance_b, 0.0) + ADDED))
            is_grainy = max(variance_a, variance_b) > GRAINY
            found[row, column] = is_grainy and sums[4] / count - mean_a * mean_b > SAME * scale
    return found
