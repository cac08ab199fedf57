"""Registration: move a map between two small pictures until one lies on the other, to a fraction of a pixel.

Where a pixel of the first, moved by a small d, shows what the second shows at its place under the map, then
there second = gain * (first + gradient * d) + offset. That is linear in gain, offset and the six numbers of
an affine d, so one step is one regression over all pixels (Lucas and Kanade, 1981; with gain and offset, as
copies are toned). Two steps at half the size come first: they see further.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled

Image = NDArray[np.float32]
Map = NDArray[np.float64]
"""(2, 3), from pixels of one picture to the other's."""

COARSE_STEPS, FINE_STEPS = 2, 2
FARTHEST = 2.5
"""Pixels that one step moves a corner at most."""
STIFFNESS = 0.5
"""Gray levels squared a pixel: where there is less structure, the map is left as it is."""
GAIN_LEAST = 0.1
OVERLAP_LEAST = 40
_MOVES, _UNKNOWNS = 6, 8
_LEVELS = 16.0


@compiled
def register(a: Image, b: Image, step: Map) -> None:
    """Move the map from a to b, in place."""
    small, other = halved(a), halved(b)
    _shrink(step, 0.5)
    for _ in range(COARSE_STEPS):
        move(small, other, step)
    _shrink(step, 2.0)
    for _ in range(FINE_STEPS):
        move(a, b, step)


@compiled
def halved(image: Image) -> Image:
    """Return the picture at half its size."""
    out = np.empty((image.shape[0] // 2, image.shape[1] // 2), np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            upper = image[2 * y, 2 * x] + image[2 * y, 2 * x + 1]
            out[y, x] = (upper + image[2 * y + 1, 2 * x] + image[2 * y + 1, 2 * x + 1]) * np.float32(0.25)
    return out


@compiled
def sampled(image: Image, x: float, y: float) -> float:
    """Return image at (x, y) between its pixels."""
    left, top = np.uint32(x), np.uint32(y)  # without the test for negative indices
    across, down = np.float32(x - left), np.float32(y - top)
    upper = image[top, left] * (1 - across) + image[top, left + 1] * across
    lower = image[top + 1, left] * (1 - across) + image[top + 1, left + 1] * across
    return float(upper * (1 - down) + lower * down)


@compiled
def _shrink(step: Map, factor: float) -> None:
    """The same map for both pictures shrunk; pixel centres lie at (p + 0.5) f - 0.5."""
    for row in range(2):
        centre = 0.5 / factor - 0.5
        moved = step[row, 0] * centre + step[row, 1] * centre + step[row, 2]
        step[row, 2] = (moved + 0.5) * factor - 0.5


@compiled
def move(a: Image, b: Image, step: Map) -> None:
    """One step of the regression."""
    terms = np.empty((_UNKNOWNS + 1, a.size), np.int32)
    count = _terms(a, b, step, terms)
    if count < OVERLAP_LEAST:
        return
    sums = _sums(terms, count)
    squares = sums[:_UNKNOWNS, :_UNKNOWNS]
    for k in range(_UNKNOWNS):
        squares[k, k] += (STIFFNESS * _LEVELS**2 * count if k < _MOVES else 0.0) + 1e-6 * (1 + squares[k, k])
    found = _solved(squares, sums[_UNKNOWNS, :_UNKNOWNS])
    if found[6] < GAIN_LEAST:
        return
    d = found[:_MOVES] / found[6]
    far = max(abs(d[0]) + abs(d[1]) + abs(d[2]), abs(d[3]) + abs(d[4]) + abs(d[5]))
    if far > FARTHEST:
        d *= FARTHEST / far
    _compose(step, d, 2.0 / max(a.shape), (a.shape[1] - 1) / 2, (a.shape[0] - 1) / 2)


@compiled
def _terms(a: Image, b: Image, step: Map, out: NDArray[np.int32]) -> int:
    """Write what stands before each unknown, and what the second shows, for each pixel that lies on it.

    In whole sixteenths of gray levels: sums of such are exact, in whatever order a machine adds them.
    """
    middle_x, middle_y = (a.shape[1] - 1) / 2, (a.shape[0] - 1) / 2
    unit = 2.0 / max(a.shape)
    count = 0
    for y in range(1, a.shape[0] - 1):
        down = (y - middle_y) * unit
        for x in range(1, a.shape[1] - 1):
            u = step[0, 0] * x + step[0, 1] * y + step[0, 2]
            v = step[1, 0] * x + step[1, 1] * y + step[1, 2]
            if not (0 <= u < b.shape[1] - 1.001 and 0 <= v < b.shape[0] - 1.001):
                continue
            across = (x - middle_x) * unit
            gradient_x = 0.5 * _LEVELS * (a[y, x + 1] - a[y, x - 1])
            gradient_y = 0.5 * _LEVELS * (a[y + 1, x] - a[y - 1, x])
            out[0, count] = np.int32(gradient_x)
            out[1, count] = np.int32(gradient_x * across)
            out[2, count] = np.int32(gradient_x * down)
            out[3, count] = np.int32(gradient_y)
            out[4, count] = np.int32(gradient_y * across)
            out[5, count] = np.int32(gradient_y * down)
            out[6, count] = np.int32(_LEVELS * a[y, x])
            out[7, count] = np.int32(_LEVELS)
            out[8, count] = np.int32(_LEVELS * sampled(b, u, v))
            count += 1
    return count


@compiled
def _sums(terms: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Return the sums of all products of two terms, below the diagonal."""
    out = np.zeros((len(terms), len(terms)))
    for row in range(len(terms)):
        one = terms[row]
        for column in range(row + 1):
            other = terms[column]
            told = np.int64(0)
            for k in range(count):
                told += np.int64(one[k]) * np.int64(other[k])
            out[row, column] = told
    return out


@compiled
def _compose(step: Map, d: NDArray[np.float64], unit: float, middle_x: float, middle_y: float) -> None:
    """Let the map take x - d(x) where it took x: what the first shows at x + d(x), the second shows at x."""
    back = np.empty((2, 3))
    for row in range(2):
        across, down = d[3 * row + 1] * unit, d[3 * row + 2] * unit
        back[row, 0], back[row, 1] = -across, -down
        back[row, 2] = across * middle_x + down * middle_y - d[3 * row]
        back[row, row] += 1.0
    for row in range(2):
        p, q = step[row, 0], step[row, 1]
        step[row, 0] = p * back[0, 0] + q * back[1, 0]
        step[row, 1] = p * back[0, 1] + q * back[1, 1]
        step[row, 2] += p * back[0, 2] + q * back[1, 2]


@compiled
def _solved(squares: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a positive definite system, by Cholesky's decomposition, in place of squares."""
    count = len(products)
    found = products.copy()
    for i in range(count):
        for j in range(i + 1):
            rest = squares[i, j]
            for k in range(j):
                rest -= squares[i, k] * squares[j, k]
            squares[i, j] = math.sqrt(max(rest, 1e-12)) if i == j else rest / squares[j, j]
        for k in range(i):
            found[i] -= squares[i, k] * found[k]
        found[i] /= squares[i, i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            found[i] -= squares[k, i] * found[k]
        found[i] /= squares[i, i]
    return found
