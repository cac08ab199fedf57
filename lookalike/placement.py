"""Where one of two compared pictures lies on the other, from the transform that a comparison tells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lookalike.verification.geometry import Matrix, corners, inverse, scaling, translation

Size = tuple[int, int]
Box = tuple[float, float, float, float]

NEARLY_DIAGONAL = 0.2  # of cos² - sin²: nearer to 45 degrees a box does not tell the two scales apart


def placement(transform: dict[str, Any], first: Size, second: Size) -> Matrix:
    """Return the map from pixels of the second, of the size given, to those of the first."""
    left, top, right, bottom = np.multiply(transform["box"], (*first, *first)).tolist()
    angle = math.radians(transform["angle"])
    across, down = _scales((right - left, bottom - top), second, angle)
    # Undone: turned back, then mirrored back. y points down.
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    mirror = scaling(-1.0 if transform["mirrored"] else 1.0, 1.0)
    centred = translation(-second[0] / 2, -second[1] / 2)
    placed = translation((left + right) / 2, (top + bottom) / 2)
    return np.asarray(placed @ mirror @ turn @ scaling(across, down) @ centred, np.float64)


def _scales(box: tuple[float, float], size: Size, angle: float) -> tuple[float, float]:
    """Return by how much a turned picture of a size is stretched along its sides to fill the box."""
    cosine, sine = abs(math.cos(angle)), abs(math.sin(angle))
    sides = np.array([[size[0] * cosine, size[1] * sine], [size[0] * sine, size[1] * cosine]])
    if abs(cosine**2 - sine**2) > NEARLY_DIAGONAL:
        across, down = np.linalg.solve(sides, np.array(box)).tolist()
        if across > 0 and down > 0:
            return float(across), float(down)
    mean = float(np.mean(np.array(box) / sides.sum(axis=1)))
    return mean, mean


def changed_quads(
    boxes: list[Box], matrix: Matrix, first: Size, second: Size, *, from_second: bool
) -> list[np.ndarray]:
    """Return the changed regions as corners (4, 2) in pixels of the first.

    Their boxes are shares of the box around what both show, in the first or `from_second`.
    """
    onto, frame, other = (inverse(matrix), second, first) if from_second else (matrix, first, second)
    mapped = corners(onto, other)
    left, top = np.maximum(mapped.min(axis=0), 0.0)
    right, bottom = np.minimum(mapped.max(axis=0), frame)
    quads = []
    for box in boxes:
        x = left + np.array([box[0], box[2], box[2], box[0]]) * (right - left)
        y = top + np.array([box[1], box[1], box[3], box[3]]) * (bottom - top)
        points = np.stack([x, y, np.ones(4)])
        quads.append(((matrix if from_second else np.eye(3)) @ points)[:2].T)
    return quads
