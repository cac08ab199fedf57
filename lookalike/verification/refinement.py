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
    shift, certainty = windows.flow
    seen = (
        (certainty > LEAST_CERTAIN)
        & (windows.count > LEAST_COUNT)
        & (windows.correlation > LEAST_CORRELATION)
    )
    seen &= (np.abs(shift[..., 0]) < LARGEST_SHIFT) & (np.abs(shift[..., 1]) < LARGEST_SHIFT)
    rows, columns = np.nonzero(seen)
    if len(rows) < FEW // 2:
        return None
    weights = np.minimum(certainty[seen] * windows.correlation[seen] ** 2, MOST_WEIGHT)
    matrix = _fitted(_centres(rows, columns), shift[seen].astype(np.float64), weights.astype(np.float64))
    return matrix if displacement(matrix, seen.shape) < LARGEST_CORRECTION else None


def displacement(matrix: Matrix, shape: tuple[int, ...]) -> float:
    """How far the map moves a corner of the grid, in px."""
    size = shape[1] * CELL, shape[0] * CELL
    apart = corners(matrix, size) - corners(np.eye(3), size)
    return float(np.hypot(apart[:, 0], apart[:, 1]).max())


def explained(matrix: Matrix, shape: tuple[int, ...]) -> Plane:
    """Shifts (rows, columns, 2) of the cells' centres under the map."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    shift = _centres(rows.ravel(), columns.ravel()) @ (matrix[:2, :2] - np.eye(2)).T + matrix[:2, 2]
    return np.asarray(shift.reshape(shape[0], shape[1], 2), np.float32)


def _centres(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Points:
    """Places (n, 2), x and y in px, of the cells' centres."""
    return np.stack([columns, rows], axis=-1).astype(np.float64) * CELL + CELL / 2


def _fitted(places: Points, shift: Points, weights: Points) -> Matrix:
    middle, spread = places.mean(axis=0), places.std(axis=0)
    terms = np.ones((len(places), 3))
    terms[:, 1:] = (places - middle) / UNIT
    if len(places) < FEW or spread.min() < 3 * CELL:
        terms = np.ascontiguousarray(terms[:, :1])
    found = np.zeros((terms.shape[1], 2))
    _fit(terms, shift, weights, found)
    linear = found[1:].T / UNIT if len(found) == 3 else np.zeros((2, 2))
    matrix: Matrix = np.eye(3, dtype=np.float64)
    matrix[:2, :2] += linear
    matrix[:2, 2] = found[0] - linear @ middle
    return matrix


@compiled
def _fit(terms: Points, shift: Points, weights: Points, found: Points) -> None:
    """Least squares, repeated with less weight for those that disagree."""
    apart, distance = np.empty_like(shift), np.empty(len(shift), np.float64)
    for axis in range(2):
        apart[:, axis] = shift[:, axis] - np.median(shift[:, axis].copy())
    for _ in range(ROUNDS):
        for k in range(len(shift)):
            distance[k] = np.sqrt(apart[k, 0] * apart[k, 0] + apart[k, 1] * apart[k, 1])
        tolerance = max(0.15, 1.5 * np.median(distance))
        trusted = weights / (1 + (distance / tolerance) ** 2) ** 2
        normal, target = _equations(terms, shift, trusted)
        _solve(normal, target, found)
        apart[:] = shift
        for k in range(len(shift)):
            for i in range(terms.shape[1]):
                apart[k, 0] -= terms[k, i] * found[i, 0]
                apart[k, 1] -= terms[k, i] * found[i, 1]


@compiled
def _equations(terms: Points, shift: Points, weights: Points) -> tuple[Points, Points]:
    count = terms.shape[1]
    normal, target = np.eye(count) * 1e-6, np.zeros((count, 2), np.float64)
    for k in range(len(terms)):
        for i in range(count):
            term = terms[k, i] * weights[k]
            for j in range(count):
                normal[i, j] += term * terms[k, j]
            target[i, 0] += term * shift[k, 0]
            target[i, 1] += term * shift[k, 1]
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
