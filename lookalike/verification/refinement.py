"""Refinement: the last pixel of an alignment, from the shifts that windows of the two pictures need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.cells import CELL, Cells
from lookalike.verification.geometry import Matrix, corners

LEAST_CERTAIN = 4.0  # squared gray levels a px of the smaller eigenvalue
LEAST_CORRELATION = 0.3
LEAST_COUNT = 200.0  # px of a window of 24 x 24
LARGEST_SHIFT = 6.0  # px: windows of 24 px see no further
LARGEST_CORRECTION = 24.0  # px at the corners
MOST_WEIGHT = 60.0
FEW = 16  # windows: below, only a common shift can be told
UNIT = 200.0  # px: places are of the size of 1 while equations are solved
ROUNDS = 4

Plane = NDArray[np.float32]
Points = NDArray[np.float64]


def correction(windows: Cells) -> Matrix | None:
    """The small affine map of the grid, p to p + shift, that most windows agree on; None where few tell."""
    shift, certainty, _ = windows.flow
    places, shifts, weights = _telling(shift, certainty, windows.count, windows.correlation)
    if len(places) < FEW // 2:
        return None
    matrix = _fitted(places, shifts, weights)
    return matrix if displacement(matrix, certainty.shape) < LARGEST_CORRECTION else None


def displacement(matrix: Matrix, shape: tuple[int, ...]) -> float:
    """How far the map moves a corner of the grid, in px."""
    size = shape[1] * CELL, shape[0] * CELL
    apart = corners(matrix - np.eye(3), size)
    return float(np.hypot(apart[:, 0], apart[:, 1]).max())


@compiled
def unexplained(shift: Plane, matrix: Matrix) -> Plane:
    """Shifts (rows, columns, 2) of the cells without those of their centres under the map."""
    out = np.empty_like(shift)
    for row in range(shift.shape[0]):
        for column in range(shift.shape[1]):
            x, y = _centre(row, column)
            for axis in range(2):
                moved = matrix[axis, 0] * x + matrix[axis, 1] * y + matrix[axis, 2]
                out[row, column, axis] = shift[row, column, axis] - np.float32(moved - (y if axis else x))
    return out


@compiled
def _centre(row: int, column: int) -> tuple[float, float]:
    """x and y in px of a cell's centre."""
    return column * CELL + CELL / 2, row * CELL + CELL / 2


@compiled
def _telling(
    shift: Plane, certainty: Plane, pixels: Plane, correlation: Plane
) -> tuple[Points, Points, Points]:
    """Places (n, 2) in px, shifts (n, 2) and weights (n,) of the windows whose shifts can be told."""
    size = certainty.size
    places, shifts = np.empty((size, 2), np.float64), np.empty((size, 2), np.float64)
    weights = np.empty(size, np.float64)
    count = 0
    for row in range(certainty.shape[0]):
        for column in range(certainty.shape[1]):
            sure, alike = certainty[row, column], correlation[row, column]
            if sure <= np.float32(LEAST_CERTAIN) or alike <= np.float32(LEAST_CORRELATION):
                continue
            x, y = shift[row, column, 0], shift[row, column, 1]
            if pixels[row, column] <= np.float32(LEAST_COUNT) or max(abs(x), abs(y)) >= LARGEST_SHIFT:
                continue
            places[count] = _centre(row, column)
            shifts[count] = x, y
            weights[count] = min(sure * (alike * alike), np.float32(MOST_WEIGHT))
            count += 1
    return places[:count], shifts[:count], weights[:count]


@compiled
def _fitted(places: Points, shift: Points, weights: Points) -> Matrix:
    """Least squares, repeated with less weight for those that disagree."""
    middle, spread = np.empty(2, np.float64), np.empty(2, np.float64)
    apart, distance = np.empty_like(shift), np.empty(len(shift), np.float64)
    for axis in range(2):
        middle[axis], spread[axis] = places[:, axis].mean(), places[:, axis].std()
        apart[:, axis] = shift[:, axis] - np.median(shift[:, axis].copy())
    is_common = len(places) < FEW or spread.min() < 3 * CELL
    terms = (places - middle) / UNIT
    found = np.zeros((3, 2))
    for _ in range(ROUNDS):
        for k in range(len(shift)):
            distance[k] = np.sqrt(apart[k, 0] * apart[k, 0] + apart[k, 1] * apart[k, 1])
        tolerance = max(0.15, 1.5 * np.median(distance))
        trusted = weights / (1 + (distance / tolerance) ** 2) ** 2
        normal, target = _equations(terms, shift, trusted)
        if is_common:
            found[0] = target[0] / normal[0, 0]
        else:
            _solve(normal, target, found)
        for k in range(len(shift)):
            for axis in range(2):
                told = found[0, axis] + terms[k, 0] * found[1, axis] + terms[k, 1] * found[2, axis]
                apart[k, axis] = shift[k, axis] - told
    matrix = np.eye(3)
    for axis in range(2):
        across, down = found[1, axis] / UNIT, found[2, axis] / UNIT
        matrix[axis, 0] += across
        matrix[axis, 1] += down
        matrix[axis, 2] = found[0, axis] - across * middle[0] - down * middle[1]
    return matrix


@compiled
def _equations(terms: Points, shift: Points, weights: Points) -> tuple[Points, Points]:
    """Normal equations (3, 3) and (3, 2) of a shift that is 1, x and y times what is to be found."""
    n = x = y = xx = xy = yy = 0.0
    target = np.zeros((3, 2), np.float64)
    for k in range(len(terms)):
        weight, here = weights[k], terms[k]
        across, down = here[0] * weight, here[1] * weight
        n, x, y = n + weight, x + across, y + down
        xx, xy, yy = xx + across * here[0], xy + across * here[1], yy + down * here[1]
        for axis in range(2):
            target[0, axis] += weight * shift[k, axis]
            target[1, axis] += across * shift[k, axis]
            target[2, axis] += down * shift[k, axis]
    normal = np.eye(3) * 1e-6 + np.array([[n, x, y], [x, xx, xy], [y, xy, yy]])
    return normal, target


@compiled
def _solve(normal: Points, target: Points, found: Points) -> None:
    """Cholesky's method for a few equations: a library call costs more than all of it."""
    count = len(normal)
    lower = np.zeros((count, count), np.float64)
    for i in range(count):
        for j in range(i + 1):
            total = normal[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    for axis in range(target.shape[1]):
        for i in range(count):
            total = target[i, axis]
            for k in range(i):
                total -= lower[i, k] * found[k, axis]
            found[i, axis] = total / lower[i, i]
        for i in range(count - 1, -1, -1):
            total = found[i, axis]
            for k in range(i + 1, count):
                total -= lower[k, i] * found[k, axis]
            found[i, axis] = total / lower[i, i]
