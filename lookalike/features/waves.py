"""A picture squashed to a square, and the cosines that transform an interval of its side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.features.hashes import KEPT

GRID = 128
"""Pixels a side. Squashing to a square costs a hash nothing: it squashes anyway."""

Grid = NDArray[np.float32]
"""(GRID, GRID) gray levels."""


def squashed(gray: NDArray[np.uint8]) -> Grid:
    """Return gray levels (h, w) as means of the pixels under each of the grid's."""
    grid: Grid = cv2.resize(gray, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    return grid


def waves(start: float, end: float, side: int) -> NDArray[np.float32]:
    """Return (KEPT, side): the DCT's cosines over an interval of a side of 1 that has so many pixels.

    A product with them is a mean, of gray levels where the picture's are.
    """
    edges = np.arange(side + 1)
    left, right = start * side, end * side
    share = np.clip(np.minimum(edges[1:], right) - np.maximum(edges[:-1], left), 0, 1)
    middle = (np.minimum(edges[1:], right) + np.maximum(edges[:-1], left)) / 2
    phase = np.clip((middle - left) / (right - left), 0, 1)
    cosines = np.cos(np.pi * np.arange(KEPT)[:, None] * phase) * share / (right - left)
    single: NDArray[np.float32] = cosines.astype(np.float32)
    return single
