"""Affine maps between pictures, in px with the corner of the first pixel at (0, 0)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # (3, 3), maps column vectors (x, y, 1)

# The picture under EXIF orientation k + 1, as a map of the unit square: (x', y') = A (x, y) + b.
_ORIENTATIONS: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...] = (
    ((1, 0, 0), (0, 1, 0)),
    ((-1, 0, 1), (0, 1, 0)),
    ((-1, 0, 1), (0, -1, 1)),
    ((1, 0, 0), (0, -1, 1)),
    ((0, 1, 0), (1, 0, 0)),
    ((0, -1, 1), (1, 0, 0)),
    ((0, -1, 1), (-1, 0, 1)),
    ((0, 1, 0), (-1, 0, 1)),
)


def orientation(index: int) -> Matrix:
    """Map of the unit square that EXIF orientation index + 1 does to stored pixels."""
    return np.array([*_ORIENTATIONS[index], (0, 0, 1)], np.float64)


def scaling(x: float, y: float) -> Matrix:
    """Map that scales both axes."""
    return np.array([[x, 0, 0], [0, y, 0], [0, 0, 1]], np.float64)


def inverse(matrix: Matrix) -> Matrix:
    """The map back, in closed form: a library call for each of dozens of small maps would cost a lot."""
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    determinant = a * d - b * c
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y], [0, 0, 1]], np.float64)


def translation(x: float, y: float) -> Matrix:
    """Map that moves."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def between_centres(matrix: Matrix) -> Matrix:
    """The same map as OpenCV has it, which puts the centre of the first pixel at (0, 0)."""
    return translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Shape:
    """What an affine map does to a picture."""

    mirrored: bool
    angle: float  # degrees counter-clockwise, -180 to 180, after the mirror (left to right) if any
    scale: float  # of lengths
    stretch: float  # largest over smallest scale, 1 for a similarity


def scale_of(matrix: Matrix) -> float:
    """How much lengths grow."""
    return math.sqrt(abs(_determinant(matrix)))


def shape(matrix: Matrix) -> Shape:
    """Decompose the linear part: mirror, then rotation and scale."""
    determinant = _determinant(matrix)
    mirror = -1.0 if determinant < 0 else 1.0
    (a, b), (c, d) = matrix[:2, :2].tolist()
    a, c = a * mirror, c * mirror
    # y points down, so a positive angle of the matrix turns clockwise on the screen.
    angle = -math.degrees(math.atan2(c - b, a + d))
    # The singular values of a 2 x 2 matrix, in closed form.
    mean, difference = math.hypot(a + d, c - b) / 2, math.hypot(a - d, c + b) / 2
    smallest = max(abs(mean - difference), 1e-9)
    stretch = (mean + difference) / smallest
    return Shape(mirror < 0, angle, math.sqrt(abs(determinant)), stretch)


def _determinant(matrix: Matrix) -> float:
    (a, b), (c, d) = matrix[:2, :2].tolist()
    return float(a * d - b * c)


def corners(matrix: Matrix, size: tuple[int, int]) -> NDArray[np.float64]:
    """The four corners (4, 2) of a picture of `size` (width, height), mapped."""
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    width, height = size
    right, down = (a * width, c * width), (b * height, d * height)
    return np.array(
        [
            (x, y),
            (x + right[0], y + right[1]),
            (x + right[0] + down[0], y + right[1] + down[1]),
            (x + down[0], y + down[1]),
        ],
        np.float64,
    )
