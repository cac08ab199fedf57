"""Colours: how those of two pictures on one grid differ, in CIELAB, over blocks."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.overlap import Overlap

BLOCK = 8  # px of a block's side
RECOLOURED = 15.0  # CIELAB
MONOCHROME = 3.0  # CIELAB
CLEAR, FEW_CLEAR = 35.0, 0.05  # CIELAB, share of the blocks: what was toned has no clear colours
LARGE = 0.2  # share of the blocks
ROUNDS = 3

Lab = NDArray[np.float32]
Chroma = NDArray[np.complex128]
Mask = NDArray[np.bool_]


def colour_difference(common: Overlap) -> tuple[float, float, float]:
    """Distance of the mean colours, upper quartile of the deviations from it, and share recoloured."""
    return _difference(block_colours(common.first), block_colours(common.second), common.mask)


def block_colours(pixels: NDArray[np.uint8]) -> Lab:
    """Mean colours of the blocks of (h, w, 3) pixels, in CIELAB."""
    size = pixels.shape[1] // BLOCK, pixels.shape[0] // BLOCK
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


@compiled
def _difference(first: Lab, second: Lab, mask: Mask) -> tuple[float, float, float]:
    inside = _inside(mask)
    count = len(inside)
    a, b = np.empty(count, np.complex128), np.empty(count, np.complex128)
    apart, shift = np.empty((count, 3), np.float64), np.zeros(3, np.float64)
    for k in range(count):
        row, column = inside[k]
        x, y = first[row, column], second[row, column]
        # Both colour axes as one complex number: hue is its angle, saturation its length.
        a[k], b[k] = complex(x[1], x[2]), complex(y[1], y[2])
        for axis in range(3):
            apart[k, axis] = x[axis] - y[axis]
            shift[axis] += apart[k, axis] / count
    deviation = np.empty(count, np.float64)
    for k in range(count):
        deviation[k] = _length(apart[k] - shift)
    deviation.sort()
    return _length(shift), _upper_quartile(deviation), _recoloured(a, b)


@compiled
def _inside(mask: Mask) -> NDArray[np.int64]:
    """Row and column of the blocks nine tenths of which are common; of all blocks if there are none."""
    rows, columns = mask.shape[0] // BLOCK, mask.shape[1] // BLOCK
    found, every = np.empty((rows * columns, 2), np.int64), np.empty((rows * columns, 2), np.int64)
    count = 0
    for row in range(rows):
        for column in range(columns):
            pixels = 0
            for y in range(row * BLOCK, row * BLOCK + BLOCK):
                for x in range(column * BLOCK, column * BLOCK + BLOCK):
                    pixels += mask[y, x]
            every[row * columns + column] = row, column
            if pixels > 0.9 * BLOCK * BLOCK:
                found[count] = row, column
                count += 1
    return found[:count] if count else every


@compiled
def _length(colour: NDArray[np.float64]) -> float:
    return math.sqrt(colour[0] * colour[0] + colour[1] * colour[1] + colour[2] * colour[2])


@compiled
def _upper_quartile(values: NDArray[np.float64]) -> float:
    """Of sorted values, as numpy.percentile has it."""
    place = 0.75 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (values[high] - values[low]) * (place - low))


@compiled
def _recoloured(first: Chroma, second: Chroma) -> float:
    """Share of blocks recoloured; of pictures in shades of one clear colour only a large one."""
    if not _is_monochrome(first) and not _is_monochrome(second):
        return max(_unexplained(first, second), _unexplained(second, first))
    if _is_toned(first) or _is_toned(second):
        return 0.0
    found = max(_unexplained(first, second), _unexplained(second, first))
    return found if found > LARGE else 0.0


@compiled
def _is_toned(chroma: Chroma) -> bool:
    """Whether all colours are shades of one, and pale: gray, sepia."""
    clear = 0
    for one in chroma:
        clear += abs(one) > CLEAR
    return clear <= FEW_CLEAR * len(chroma) and _is_monochrome(chroma)


@compiled
def _is_monochrome(chroma: Chroma) -> bool:
    """Whether all colours are shades of one."""
    together, energy = 0j, 0.0
    for one in chroma:
        together += one * one
        energy += one.real * one.real + one.imag * one.imag
    across = max(0.0, (energy - abs(together)) / 2 / len(chroma))
    return math.sqrt(across) < MONOCHROME


@compiled
def _unexplained(source: Chroma, target: Chroma) -> float:
    """Share of blocks whose colour no single change of hue, saturation and tint explains.

    The best turn, stretch and shift of the colour plane, by reweighted least squares.
    """
    count = len(source)
    weights, residuals = np.ones(count, np.float64), np.empty(count, np.float64)
    for _ in range(ROUNDS):
        total, mean_x, mean_y = 0.0, 0j, 0j
        for k in range(count):
            total += weights[k]
            mean_x += weights[k] * source[k]
            mean_y += weights[k] * target[k]
        mean_x, mean_y = mean_x / total, mean_y / total
        product, energy = 0j, 1e-3
        for k in range(count):
            x, y = source[k] - mean_x, target[k] - mean_y
            product += weights[k] * y * x.conjugate()
            energy += weights[k] * (x.real * x.real + x.imag * x.imag)
        turn = product / energy
        for k in range(count):
            residuals[k] = abs(target[k] - mean_y - turn * (source[k] - mean_x))
            weights[k] = 1 / (1 + (residuals[k] / 8) ** 2)
    return float((residuals > RECOLOURED).mean())
