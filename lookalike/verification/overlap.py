"""The common part of two pictures, both brought to one grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.geometry import Matrix, corners, inverse, scale_of, scaling, translation
from lookalike.verification.subject import Prepared
from lookalike.verification.warping import warped

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FEWEST_PIXELS = 200
NEAR = 0.05  # px: what covers no more of a pixel does not cover it


@dataclass(frozen=True)
class Overlap:
    """Where two pictures have pixels in common; both on one grid there, in colour or gray when asked for."""

    mask: Mask  # where the second has pixels; the grid lies within the first
    share_of_first: float
    share_of_second: float
    scale: float  # grid px per px of the first's proxy
    to_grid: Matrix  # from the first's proxy
    matrix: Matrix  # from the second's proxy to the first's
    _first: Prepared
    _second: Prepared

    @property
    def share(self) -> float:
        """The common part as a share of the picture of which it is the smaller part."""
        return min(self.share_of_first, self.share_of_second)

    @cached_property
    def first(self) -> Pixels:
        """Pixels (h, w, 3) of the first."""
        return _laid(self._first, self.to_grid, self.mask.shape, is_gray=False)

    @cached_property
    def second(self) -> Pixels:
        """Pixels (h, w, 3) of the second."""
        return _laid(self._second, self.to_grid @ self.matrix, self.mask.shape, is_gray=False)

    @cached_property
    def first_gray(self) -> Pixels:
        """Pixels (h, w) of the first in gray."""
        return _laid(self._first, self.to_grid, self.mask.shape, is_gray=True)

    @cached_property
    def second_gray(self) -> Pixels:
        """Pixels (h, w) of the second in gray."""
        return _laid(self._second, self.to_grid @ self.matrix, self.mask.shape, is_gray=True)


def overlap(first: Prepared, second: Prepared, matrix: Matrix, side: int) -> Overlap | None:
    """Lay the common part on a grid of about side x side px, never finer than either proxy.

    `matrix` maps the second's proxy to the first's. None where less than a sliver is common.
    """
    box = _common_box(first, second, matrix)
    if box is None:
        return None
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    relative = scale_of(matrix)
    # A px of the first is worth `relative` px of the second: the grid follows the coarser of the two.
    scale = min(side / (width * height) ** 0.5, 1.0, 1.0 / relative if relative > 1 else 1.0)
    # Whole cells: means over blocks of 8 px are then exact, and OpenCV has a fast path for them.
    size = 8 * max(2, round(width * scale / 8)), 8 * max(2, round(height * scale / 8))
    to_grid = scaling(size[0] / width, size[1] / height) @ translation(-left, -top)
    mask = _covered(second.size, to_grid @ matrix, size)
    if np.count_nonzero(mask) < FEWEST_PIXELS:
        return None
    return Overlap(mask, *_shares(first, second, matrix), scale, to_grid, matrix, first, second)


def _laid(one: Prepared, matrix: Matrix, shape: tuple[int, ...], *, is_gray: bool) -> Pixels:
    """Warp by `matrix` to a grid, from the halved copy that fits: fine detail must not alias."""
    halvings = max(0, math.floor(0.3 - math.log2(scale_of(matrix))))
    pixels = one.halved(halvings, is_gray=is_gray)
    shrunk = scaling(one.size[0] / pixels.shape[1], one.size[1] / pixels.shape[0])
    return warped(pixels, matrix @ shrunk, (shape[1], shape[0]))


def _shares(first: Prepared, second: Prepared, matrix: Matrix) -> tuple[float, float]:
    """The area of the common part as a share of the first and of the second."""
    frame = corners(np.eye(3), first.size).astype(np.float32)
    mapped = corners(matrix, second.size).astype(np.float32)
    common, _ = cv2.intersectConvexConvex(frame, mapped)
    area_first = first.size[0] * first.size[1]
    area_second = second.size[0] * second.size[1] * scale_of(matrix) ** 2
    return min(1.0, common / area_first), min(1.0, common / area_second)


def _common_box(first: Prepared, second: Prepared, matrix: Matrix) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the part of the first's proxy that the second may cover, in whole px.

    Whole, because a part that starts and ends between pixels is only resized, and not warped.
    """
    mapped = corners(matrix, second.size)
    left, top = np.maximum(mapped.min(axis=0), 0.0).tolist()
    right, bottom = np.minimum(mapped.max(axis=0), first.size).tolist()
    if right - left < 8 or bottom - top < 8:
        return None
    # Inwards: blur would else mix in what lies around a picture in a picture.
    return math.ceil(left - NEAR), math.ceil(top - NEAR), math.floor(right + NEAR), math.floor(bottom + NEAR)


def _covered(size: tuple[int, int], matrix: Matrix, grid: tuple[int, int]) -> Mask:
    """Where the grid's pixel centres fall inside a picture of `size`, half a grid px from its edge."""
    back = inverse(matrix)
    mapped = corners(back, grid)
    if (mapped > -NEAR).all() and (mapped < np.add(size, NEAR)).all():
        return np.ones((grid[1], grid[0]), np.bool_)
    covered = np.empty((grid[1], grid[0]), np.bool_)
    _cover(back, 0.45 * scale_of(back), size[0], size[1], covered)
    return covered


@compiled
def _cover(back: Matrix, margin: float, width: int, height: int, covered: Mask) -> None:
    for row in range(covered.shape[0]):
        start_x = back[0, 1] * (row + 0.5) + back[0, 2]
        start_y = back[1, 1] * (row + 0.5) + back[1, 2]
        for column in range(covered.shape[1]):
            x, y = start_x + back[0, 0] * (column + 0.5), start_y + back[1, 0] * (column + 0.5)
            covered[row, column] = (
                (x >= margin) & (x <= width - margin) & (y >= margin) & (y <= height - margin)
            )
