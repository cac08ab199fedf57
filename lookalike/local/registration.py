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
from lookalike.local.sampling import Image, Map, lay, room, span

COARSE_STEPS, FINE_STEPS = 2, 2
FARTHEST = 2.5
"""Pixels that one step moves a corner at most."""
STIFFNESS = 0.5
"""Gray levels squared a pixel: where there is less structure, the map is left as it is."""
GAIN_LEAST = 0.1
OVERLAP_LEAST = 40
_MOVES, _UNKNOWNS = 6, 8
_LEVELS = 8.0
_TOGETHER = 512
"""Pixels whose terms are summed at a time: products of so many of (255 * _LEVELS) ** 2 fit into 32 bits."""


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
def _shrink(step: Map, factor: float) -> None:
    """The same map for both pictures shrunk; pixel centres lie at (p + 0.5) f - 0.5."""
    for row in range(2):
        centre = 0.5 / factor - 0.5
        moved = step[row, 0] * centre + step[row, 1] * centre + step[row, 2]
        step[row, 2] = (moved + 0.5) * factor - 0.5


@compiled
def move(a: Image, b: Image, step: Map) -> None:
    """One step of the regression."""
    sums, count = _summed(a, b, step)
    if count < OVERLAP_LEAST:
        return
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
def _summed(a: Image, b: Image, step: Map) -> tuple[NDArray[np.float64], int]:
    """Return the sums of all products of two terms, below the diagonal, and of how many pixels.

    Terms are what stands before each unknown, and last what the second shows, in whole eighths of gray
    levels: sums of such are exact, in whatever order a machine adds them.
    """
    height, width = a.shape
    unit, half = 2.0 / max(a.shape), np.float32(0.5)
    between, whole = room(width)
    seen, places = np.empty((4, _TOGETHER + width), np.float32), np.empty((2, _TOGETHER + width))
    terms = np.empty((_UNKNOWNS + 1, _TOGETHER + width), np.int16)
    terms[7] = np.int16(_LEVELS)
    sums = np.zeros((_UNKNOWNS + 1, _UNKNOWNS + 1))
    waiting = count = 0
    for y in range(1, height - 1):
        first, last = span(b, step, y, 1, width - 1)
        lay(b, step, y, first, last, between, whole, seen[3, waiting:])
        for x in range(first, last):
            seen[0, waiting] = (a[y, x + 1] - a[y, x - 1]) * half
            seen[1, waiting] = (a[y + 1, x] - a[y - 1, x]) * half
            seen[2, waiting] = a[y, x]
            places[0, waiting] = (x - (width - 1) / 2) * unit
            places[1, waiting] = (y - (height - 1) / 2) * unit
            waiting += 1
        if waiting >= _TOGETHER or y == height - 2:
            _write_terms(seen, places, waiting, terms)
            _add_products(terms, waiting, sums)
            count, waiting = count + waiting, 0
    return sums, count


@compiled
def _write_terms(
    seen: NDArray[np.float32], places: NDArray[np.float64], count: int, out: NDArray[np.int16]
) -> None:
    """Write the terms of so many pixels: of gradients, levels of both pictures, and where they are."""
    for direction in range(2):
        _write(seen[direction], count, out[3 * direction])
        for axis in range(2):
            _write_product(seen[direction], places[axis], count, out[3 * direction + axis + 1])
    _write(seen[2], count, out[6])
    _write(seen[3], count, out[8])


@compiled
def _write(levels: NDArray[np.float32], count: int, out: NDArray[np.int16]) -> None:
    for k in range(count):
        out[k] = np.int16(levels[k] * np.float32(_LEVELS))


@compiled
def _write_product(
    levels: NDArray[np.float32], places: NDArray[np.float64], count: int, out: NDArray[np.int16]
) -> None:
    for k in range(count):
        out[k] = np.int16(levels[k] * np.float32(_LEVELS) * places[k])


@compiled
def _add_products(terms: NDArray[np.int16], count: int, sums: NDArray[np.float64]) -> None:
    for start in range(0, count, _TOGETHER):
        end = min(count, start + _TOGETHER)
        for row in range(len(terms)):
            for column in range(row + 1):
                sums[row, column] += _product(terms[row, start:end], terms[column, start:end])


@compiled
def _product(one: NDArray[np.int16], other: NDArray[np.int16]) -> int:
    """In 32 bits: machines multiply and add thirty-two such pairs at a time."""
    told = np.int32(0)
    for k in range(len(one)):
        told = np.int32(told + np.int32(one[k]) * np.int32(other[k]))
    return int(told)


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
