"""Cells: sums over blocks of 8 px of two pictures on one grid, from which changes and motion are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled

CELL = 8  # px of a cell's side
STEEP = 900.0  # squared gray levels a px: an edge of ink, not of shade

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

_COUNT, _A, _B, _AA, _BB, _AB = range(6)
_XX, _XY, _YY, _XA, _XB, _YA, _YB, _X, _Y = range(6, 15)
_STEEP_A, _STEEP_B, _SLOPE_A, _SLOPE_B = range(15, 19)
_SUMS = 19


@dataclass(frozen=True)
class Cells:
    """Sums (rows, columns, 19) over cells, or over windows of cells."""

    sums: Plane

    def widened(self) -> Cells:
        """Windows of 3 x 3 cells around each cell."""
        padded = np.pad(self.sums, ((1, 1), (1, 1), (0, 0)))
        rows = padded[:-2] + padded[1:-1] + padded[2:]
        return Cells(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])

    @cached_property
    def count(self) -> Plane:
        """Pixels that both pictures have; their border of a px is left out."""
        return np.asarray(self.sums[..., _COUNT], np.float32)

    @cached_property
    def _divisor(self) -> Plane:
        return np.asarray(np.maximum(self.count, 1), np.float32)

    @cached_property
    def _mean_first(self) -> Plane:
        return np.asarray(self.sums[..., _A] / self._divisor, np.float32)

    @cached_property
    def _mean_second(self) -> Plane:
        return np.asarray(self.sums[..., _B] / self._divisor, np.float32)

    @cached_property
    def variance_first(self) -> Plane:
        """Variance of the first's levels."""
        return self._variance(_AA, self._mean_first)

    @cached_property
    def variance_second(self) -> Plane:
        """Variance of the second's levels."""
        return self._variance(_BB, self._mean_second)

    def _variance(self, squares: int, mean: Plane) -> Plane:
        return np.asarray(np.maximum(self.sums[..., squares] / self._divisor - mean**2, 0), np.float32)

    @cached_property
    def difference(self) -> Plane:
        """Variance of the difference of both."""
        total = self.variance_first + self.variance_second
        return np.asarray(np.maximum(total - 2 * self._covariance, 0), np.float32)

    @cached_property
    def correlation(self) -> Plane:
        """Correlation, near 0 where neither has structure."""
        scale = np.sqrt(self.variance_first * self.variance_second + 4)
        return np.asarray(self._covariance / scale, np.float32)

    @cached_property
    def _covariance(self) -> Plane:
        products = self.sums[..., _AB] / self._divisor
        return np.asarray(products - self._mean_first * self._mean_second, np.float32)

    @cached_property
    def steep(self) -> tuple[Plane, Plane]:
        """Pixels on steep edges, of the first and of the second."""
        return self.sums[..., _STEEP_A], self.sums[..., _STEEP_B]

    @cached_property
    def slope(self) -> tuple[Plane, Plane]:
        """Sum of squared gradients, of the first and of the second."""
        return self.sums[..., _SLOPE_A], self.sums[..., _SLOPE_B]

    def flow(self) -> tuple[Plane, Plane]:
        """Shift (rows, columns, 2), x and y in px, that best lays the second on the first, and its certainty.

        By Lucas and Kanade; what lies at p in the first lies at p + shift in the second. The certainty is the
        smaller eigenvalue of the mean structure tensor, 0 where a shift cannot be told.
        """
        xx, xy, yy = (self.sums[..., k] for k in (_XX, _XY, _YY))
        lighter = self._mean_first - self._mean_second
        x = self.sums[..., _XA] - self.sums[..., _XB] - lighter * self.sums[..., _X]
        y = self.sums[..., _YA] - self.sums[..., _YB] - lighter * self.sums[..., _Y]
        trace, determinant = xx + yy, xx * yy - xy * xy
        root = np.sqrt(np.maximum(trace * trace - 4 * determinant, 0))
        shift = np.stack([yy * x - xy * y, xx * y - xy * x], axis=-1)
        shift = shift / np.maximum(determinant, 1e-3)[..., None]
        certainty = (trace - root) / 2 / self._divisor
        return np.asarray(shift, np.float32), np.asarray(certainty, np.float32)


def cells(first: Plane, second: Plane, mask: Mask) -> Cells:
    """Sum over the cells of two gray planes whose sides are whole cells."""
    out = np.zeros((first.shape[0] // CELL, first.shape[1] // CELL, _SUMS), np.float32)
    _sum(first, second, mask.astype(np.float32), out)
    return Cells(out)


@compiled
def _sum(a: Plane, b: Plane, mask: Plane, out: Plane) -> None:
    height, width = a.shape
    half, zero, one, steep = np.float32(0.5), np.float32(0), np.float32(1), np.float32(STEEP)
    # A column sums itself over the rows of its cells: additions of neighbours are independent, and vectorise.
    columns = np.zeros((_SUMS, width), np.float32)
    for row in range(out.shape[0]):
        columns[:] = zero
        for y in range(max(1, row * CELL), min(height - 1, row * CELL + CELL)):
            for x in range(1, width - 1):
                k, p, q = mask[y, x], a[y, x], b[y, x]
                px, py = (a[y, x + 1] - a[y, x - 1]) * half, (a[y + 1, x] - a[y - 1, x]) * half
                qx, qy = (b[y, x + 1] - b[y, x - 1]) * half, (b[y + 1, x] - b[y - 1, x]) * half
                gx, gy = (px + qx) * half * k, (py + qy) * half * k
                slope_p, slope_q = (px * px + py * py) * k, (qx * qx + qy * qy) * k
                columns[0, x] += k
                columns[1, x] += p * k
                columns[2, x] += q * k
                columns[3, x] += p * p * k
                columns[4, x] += q * q * k
                columns[5, x] += p * q * k
                columns[6, x] += gx * gx
                columns[7, x] += gx * gy
                columns[8, x] += gy * gy
                columns[9, x] += gx * p
                columns[10, x] += gx * q
                columns[11, x] += gy * p
                columns[12, x] += gy * q
                columns[13, x] += gx
                columns[14, x] += gy
                columns[15, x] += one if slope_p > steep else zero
                columns[16, x] += one if slope_q > steep else zero
                columns[17, x] += slope_p
                columns[18, x] += slope_q
        for column in range(out.shape[1]):
            for k in range(_SUMS):
                total = zero
                for x in range(column * CELL, min(width, column * CELL + CELL)):
                    total += columns[k, x]
                out[row, column, k] = total
