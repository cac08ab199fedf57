"""Refinement: the last pixel of an alignment, from the shifts that windows of the two pictures need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.verification.cells import CELL, Cells
from lookalike.verification.geometry import Matrix, corners

LEAST_CERTAIN = 4.0  # squared gray levels a px of the smaller eigenvalue
LEAST_CORRELATION = 0.3
LEAST_COUNT = 200.0  # px of a window of 24 x 24
LARGEST_SHIFT = 6.0  # px: windows of 24 px see no further
LARGEST_CORRECTION = 24.0  # px at the corners
FEW = 16  # windows: below, only a common shift can be told

Plane = NDArray[np.float32]


def correction(windows: Cells) -> Matrix | None:
    """The small affine map of the grid, p to p + shift, that most windows agree on; None where few tell."""
    shift, certainty = windows.flow()
    seen = (
        (certainty > LEAST_CERTAIN)
        & (windows.count > LEAST_COUNT)
        & (windows.correlation > LEAST_CORRELATION)
    )
    seen &= np.abs(shift).max(axis=-1) < LARGEST_SHIFT
    if seen.sum() < FEW // 2:
        return None
    weights = np.minimum(certainty[seen] * windows.correlation[seen] ** 2, 60)
    matrix = _fitted(centres(seen.shape)[seen], shift[seen].astype(np.float64), weights.astype(np.float64))
    return matrix if displacement(matrix, seen.shape) < LARGEST_CORRECTION else None


def displacement(matrix: Matrix, shape: tuple[int, ...]) -> float:
    """How far the map moves a corner of the grid, in px."""
    size = shape[1] * CELL, shape[0] * CELL
    apart = corners(matrix, size) - corners(np.eye(3), size)
    return float(np.hypot(apart[:, 0], apart[:, 1]).max())


def centres(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Places (rows, columns, 2), x and y in px, of the cells' centres."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.stack([columns, rows], axis=-1) * float(CELL) + CELL / 2


def _fitted(places: NDArray[np.float64], shift: NDArray[np.float64], weights: NDArray[np.float64]) -> Matrix:
    """Least squares, repeated with less weight for those that disagree."""
    middle, spread = places.mean(axis=0), places.std(axis=0)
    terms = np.concatenate([np.ones((len(places), 1)), (places - middle) / 200], axis=1)
    if len(places) < FEW or spread.min() < 3 * CELL:
        terms = terms[:, :1]
    found: NDArray[np.float64] = np.zeros((terms.shape[1], 2))
    apart = shift - np.median(shift, axis=0)
    for _ in range(4):
        residual = np.hypot(apart[:, 0], apart[:, 1])
        trusted = weights / (1 + (residual / max(0.15, 1.5 * float(np.median(residual)))) ** 2) ** 2
        normal = terms.T @ (terms * trusted[:, None]) + np.eye(terms.shape[1]) * 1e-6
        found = np.asarray(np.linalg.solve(normal, terms.T @ (shift * trusted[:, None])), np.float64)
        apart = shift - terms @ found
    linear = found[1:].T / 200 if len(found) == 3 else np.zeros((2, 2))
    matrix: Matrix = np.eye(3, dtype=np.float64)
    matrix[:2, :2] += linear
    matrix[:2, 2] = found[0] - linear @ middle
    return matrix
