"""The common part of two pictures, both brought to one grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.geometry import Matrix, corners, inverse, scale_of, scaling, translation
from lookalike.verification.subject import Prepared


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels (h, w, 3) of both pictures on one grid, and where both have any."""

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    share_of_first: float
    share_of_second: float
    scale: float  # grid px per px of the first's proxy
    to_grid: Matrix  # from the first's proxy

    @property
    def share(self) -> float:
        """The common part as a share of the picture of which it is the smaller part."""
        return min(self.share_of_first, self.share_of_second)


def overlap(first: Prepared, second: Prepared, matrix: Matrix, side: int) -> Overlap | None:
    """Cut and warp the common part to a grid of about side x side px, never finer than either proxy.

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
    grid_first = _warped(first, to_grid, size)
    grid_second = _warped(second, to_grid @ matrix, size)
    mask = _covered(second.size, to_grid @ matrix, size)  # the grid lies within the first
    if mask.sum() < 200:
        return None
    shares = _shares(first, second, matrix)
    return Overlap(grid_first, grid_second, mask, *shares, scale, to_grid)


def _shares(first: Prepared, second: Prepared, matrix: Matrix) -> tuple[float, float]:
    """The area of the common part as a share of the first and of the second."""
    frame = corners(np.eye(3), first.size).astype(np.float32)
    mapped = corners(matrix, second.size).astype(np.float32)
    common, _ = cv2.intersectConvexConvex(frame, mapped)
    area_first = first.size[0] * first.size[1]
    area_second = second.size[0] * second.size[1] * scale_of(matrix) ** 2
    return min(1.0, common / area_first), min(1.0, common / area_second)


def _common_box(
    first: Prepared, second: Prepared, matrix: Matrix
) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of the part of the first's proxy that the second may cover."""
    mapped = corners(matrix, second.size)
    left, top = np.maximum(mapped.min(axis=0), 0.0)
    right, bottom = np.minimum(mapped.max(axis=0), first.size)
    if right - left < 8 or bottom - top < 8:
        return None
    return float(left), float(top), float(right), float(bottom)


def _warped(one: Prepared, matrix: Matrix, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Warp by `matrix` to a grid of `size`, from the halved copy that fits: fine detail must not alias."""
    halvings = max(0, math.floor(0.3 - math.log2(scale_of(matrix))))
    pixels = one.halved(halvings)
    shrunk = scaling(one.size[0] / pixels.shape[1], one.size[1] / pixels.shape[0])
    return np.asarray(
        cv2.warpAffine(
            pixels, _centred(matrix @ shrunk), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def _centred(matrix: Matrix) -> NDArray[np.float64]:
    """The map for OpenCV, which puts the centre of the first pixel at (0, 0)."""
    return np.asarray((translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5))[:2], np.float64)


def _covered(size: tuple[int, int], matrix: Matrix, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the grid's pixel centres fall inside a picture of `size`, half a grid px from its edge."""
    back = inverse(matrix)
    mapped = corners(back, grid)
    if (mapped > -0.05).all() and (mapped < np.add(size, 0.05)).all():
        return np.ones((grid[1], grid[0]), np.bool_)
    columns, rows = np.arange(grid[0]) + 0.5, (np.arange(grid[1]) + 0.5)[:, None]
    x = back[0, 0] * columns + back[0, 1] * rows + back[0, 2]
    y = back[1, 0] * columns + back[1, 1] * rows + back[1, 2]
    margin = 0.45 * scale_of(back)
    covered = (x >= margin) & (x <= size[0] - margin) & (y >= margin) & (y <= size[1] - margin)
    return np.asarray(covered, np.bool_)
