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
Row = NDArray[np.float32]
Mask = NDArray[np.bool_]

_COUNT, _A, _B, _AA, _BB, _AB = range(6)
_XX, _XY, _YY, _XA, _XB, _YA, _YB, _X, _Y = range(6, 15)
_STEEP_A, _STEEP_B, _SLOPE_A, _SLOPE_B = range(15, 19)
_SUMS = 19
_PIXELS, _MEAN_FIRST, _MEAN_SECOND, _FIRST, _SECOND, _DIFFERENCE, _CORRELATION = range(7)
_FIGURES = 7


@dataclass(frozen=True)
class Cells:
    """Sums (rows, columns, 19) over cells, or over windows of cells."""

    sums: Plane

    def widened(self) -> Cells:
        """Windows of 3 x 3 cells around each cell."""
        return Cells(_widened(self.sums))

    @cached_property
    def _figures(self) -> Plane:
        return _figures(self.sums)

    def _figure(self, place: int) -> Plane:
        return np.asarray(self._figures[place], np.float32)

    @property
    def count(self) -> Plane:
        """Pixels that both pictures have; their border of a px is left out."""
        return self._figure(_PIXELS)

    @property
    def mean_first(self) -> Plane:
        """Mean of the first's levels."""
        return self._figure(_MEAN_FIRST)

    @property
    def mean_second(self) -> Plane:
        """Mean of the second's levels."""
        return self._figure(_MEAN_SECOND)

    @property
    def variance_first(self) -> Plane:
        """Variance of the first's levels."""
        return self._figure(_FIRST)

    @property
    def variance_second(self) -> Plane:
        """Variance of the second's levels."""
        return self._figure(_SECOND)

    @property
    def difference(self) -> Plane:
        """Variance of the difference of both."""
        return self._figure(_DIFFERENCE)

    @property
    def correlation(self) -> Plane:
        """Correlation, near 0 where neither has structure."""
        return self._figure(_CORRELATION)

    @cached_property
    def steep(self) -> tuple[Plane, Plane]:
        """Pixels on steep edges, of the first and of the second."""
        return self.sums[..., _STEEP_A], self.sums[..., _STEEP_B]

    @cached_property
    def slope(self) -> tuple[Plane, Plane]:
        """Sum of squared gradients, of the first and of the second."""
        return self.sums[..., _SLOPE_A], self.sums[..., _SLOPE_B]

    @cached_property
    def flow(self) -> tuple[Plane, Plane, Plane]:
        """Shift (rows, columns, 2), x and y in px, that lays the second on the first; certainty; evenness.

        By Lucas and Kanade; what lies at p in the first lies at p + shift in the second. The certainty is the
        smaller eigenvalue of the mean structure tensor, 0 where a shift cannot be told; the evenness is its
        share of the larger one, near 0 for stripes.
        """
        return _flow(self.sums)


def cells(first: Plane, second: Plane, mask: Mask) -> Cells:
    """Sum over the cells of two gray planes whose sides are whole cells."""
    out = np.zeros((first.shape[0] // CELL, first.shape[1] // CELL, _SUMS), np.float32)
    _sum(first, second, mask.astype(np.float32), out)
    return Cells(out)


@compiled
def _sum(first: Plane, second: Plane, mask: Plane, out: Plane) -> None:
    """Sum the pixels of each cell, but for the planes' border of a px."""
    height, width = first.shape[0], first.shape[1] - 2
    # A column sums itself over the rows of its cells: additions of neighbours are independent, and vectorise.
    columns = np.zeros((_SUMS, 1 + width + 1), np.float32)
    rows = np.empty((8, width), np.float32)
    ax, ay, bx, by, gx, gy, slope_a, slope_b = (
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7],
    )  # fmt: skip
    for row in range(out.shape[0]):
        columns[:] = 0
        for y in range(max(1, row * CELL), min(height - 1, row * CELL + CELL)):
            a, b, k = first[y, 1:-1], second[y, 1:-1], mask[y, 1:-1]
            _halve_difference(first[y, 2:], first[y, :-2], ax)
            _halve_difference(first[y + 1, 1:-1], first[y - 1, 1:-1], ay)
            _halve_difference(second[y, 2:], second[y, :-2], bx)
            _halve_difference(second[y + 1, 1:-1], second[y - 1, 1:-1], by)
            _average(ax, bx, k, gx)
            _average(ay, by, k, gy)
            _square(ax, ay, k, slope_a)
            _square(bx, by, k, slope_b)
            _add(k, columns[_COUNT, 1:])
            _add_product(a, k, columns[_A, 1:])
            _add_product(b, k, columns[_B, 1:])
            _add_products(a, a, k, columns[_AA, 1:])
            _add_products(b, b, k, columns[_BB, 1:])
            _add_products(a, b, k, columns[_AB, 1:])
            _add_product(gx, gx, columns[_XX, 1:])
            _add_product(gx, gy, columns[_XY, 1:])
            _add_product(gy, gy, columns[_YY, 1:])
            _add_product(gx, a, columns[_XA, 1:])
            _add_product(gx, b, columns[_XB, 1:])
            _add_product(gy, a, columns[_YA, 1:])
            _add_product(gy, b, columns[_YB, 1:])
            _add(gx, columns[_X, 1:])
            _add(gy, columns[_Y, 1:])
            _add_steep(slope_a, columns[_STEEP_A, 1:])
            _add_steep(slope_b, columns[_STEEP_B, 1:])
            _add(slope_a, columns[_SLOPE_A, 1:])
            _add(slope_b, columns[_SLOPE_B, 1:])
        for place in range(_SUMS):
            line = columns[place]
            for column in range(out.shape[1]):
                total = np.float32(0)
                for x in range(column * CELL, column * CELL + CELL):
                    total += line[x]
                out[row, column, place] = total


# One loop each: a loop over many arrays is not made into vectors, as any two of them might overlap.


@compiled
def _halve_difference(following: Row, before: Row, out: Row) -> None:
    for x in range(len(out)):
        out[x] = (following[x] - before[x]) * np.float32(0.5)


@compiled
def _average(a: Row, b: Row, mask: Row, out: Row) -> None:
    for x in range(len(out)):
        out[x] = (a[x] + b[x]) * np.float32(0.5) * mask[x]


@compiled
def _square(x_part: Row, y_part: Row, mask: Row, out: Row) -> None:
    for x in range(len(out)):
        out[x] = (x_part[x] * x_part[x] + y_part[x] * y_part[x]) * mask[x]


@compiled
def _add(row: Row, out: Row) -> None:
    for x in range(len(row)):
        out[x] += row[x]


@compiled
def _add_product(a: Row, b: Row, out: Row) -> None:
    for x in range(len(a)):
        out[x] += a[x] * b[x]


@compiled
def _add_products(a: Row, b: Row, mask: Row, out: Row) -> None:
    for x in range(len(a)):
        out[x] += a[x] * b[x] * mask[x]


@compiled
def _add_steep(slope: Row, out: Row) -> None:
    for x in range(len(slope)):
        out[x] += np.float32(1) if slope[x] > np.float32(STEEP) else np.float32(0)


@compiled
def _widened(sums: Plane) -> Plane:
    height, width, count = sums.shape
    across, out = np.empty_like(sums), np.empty_like(sums)
    for row in range(height):
        for column in range(width):
            here = across[row, column]
            here[:] = sums[row, column]
            if column > 0:
                _add(sums[row, column - 1], here)
            if column < width - 1:
                _add(sums[row, column + 1], here)
    for row in range(height):
        flat = out[row].reshape(width * count)
        flat[:] = across[row].reshape(width * count)
        if row > 0:
            _add(across[row - 1].reshape(width * count), flat)
        if row < height - 1:
            _add(across[row + 1].reshape(width * count), flat)
    return out


@compiled
def _figures(sums: Plane) -> Plane:
    """Count, means, variances, variance of the difference, and correlation of each cell."""
    zero, one, two, four = np.float32(0), np.float32(1), np.float32(2), np.float32(4)
    height, width = sums.shape[:2]
    out = np.empty((_FIGURES, height, width), np.float32)
    for row in range(height):
        for column in range(width):
            here = sums[row, column]
            pixels = max(here[_COUNT], one)
            mean_first, mean_second = here[_A] / pixels, here[_B] / pixels
            first = max(here[_AA] / pixels - mean_first * mean_first, zero)
            second = max(here[_BB] / pixels - mean_second * mean_second, zero)
            both = here[_AB] / pixels - mean_first * mean_second
            out[_PIXELS, row, column] = here[_COUNT]
            out[_MEAN_FIRST, row, column], out[_MEAN_SECOND, row, column] = mean_first, mean_second
            out[_FIRST, row, column] = first
            out[_SECOND, row, column] = second
            out[_DIFFERENCE, row, column] = max(first + second - two * both, zero)
            out[_CORRELATION, row, column] = both / np.sqrt(first * second + four)
    return out


@compiled
def _flow(sums: Plane) -> tuple[Plane, Plane, Plane]:
    zero, one, two, four = np.float32(0), np.float32(1), np.float32(2), np.float32(4)
    height, width = sums.shape[:2]
    shift, certainty = np.empty((height, width, 2), np.float32), np.empty((height, width), np.float32)
    evenness = np.empty((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            here = sums[row, column]
            pixels = max(here[_COUNT], one)
            xx, xy, yy = here[_XX], here[_XY], here[_YY]
            lighter = here[_A] / pixels - here[_B] / pixels
            x = here[_XA] - here[_XB] - lighter * here[_X]
            y = here[_YA] - here[_YB] - lighter * here[_Y]
            trace, determinant = xx + yy, xx * yy - xy * xy
            root = np.sqrt(max(trace * trace - four * determinant, zero))
            divisor = max(determinant, np.float32(1e-3))
            shift[row, column, 0] = (yy * x - xy * y) / divisor
            shift[row, column, 1] = (xx * y - xy * x) / divisor
            certainty[row, column] = (trace - root) / two / pixels
            evenness[row, column] = (trace - root) / max(trace + root, np.float32(1e-3))
    return shift, certainty, evenness
