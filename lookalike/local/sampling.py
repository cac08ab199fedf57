"""Sampling: what a small picture shows at the pixels of another that a map lays on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, load

Image = NDArray[np.float32]
Map = NDArray[np.float64]
"""(2, 3), from pixels of one picture to the other's."""
_EDGE = 1.001


@compiled
def laid(shape: tuple[int, int], image: Image, step: Map) -> tuple[Image, int]:
    """Return the image at the pixels of a picture of this shape, NaN outside, and how many are inside."""
    out = np.full(shape, np.nan, np.float32)
    between, whole = room(shape[1])
    count = 0
    for y in range(shape[0]):
        first, last = span(image, step, y, 0, shape[1])
        lay(image, step, y, first, last, between, whole, out[y, first:last])
        count += last - first
    return out, count


@compiled
def room(width: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return what `lay` works in, for rows of this width."""
    return np.empty((2, width), np.float32), np.empty((2, width), np.int32)


@compiled
def span(image: Image, step: Map, y: int, first: int, last: int) -> tuple[int, int]:
    """Return from where to where, of the pixels of a row, the map leads into the image."""
    while first < last and not _is_inside(image, step, first, y):
        first += 1
    while first < last and not _is_inside(image, step, last - 1, y):
        last -= 1
    return first, last


@compiled
def _is_inside(image: Image, step: Map, x: int, y: int) -> bool:
    u = step[0, 0] * x + (step[0, 1] * y + step[0, 2])
    v = step[1, 0] * x + (step[1, 1] * y + step[1, 2])
    return bool(0 <= u < image.shape[1] - _EDGE and 0 <= v < image.shape[0] - _EDGE)


@compiled
def lay(
    image: Image,
    step: Map,
    y: int,
    first: int,
    last: int,
    between: NDArray[np.float32],
    whole: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write what the image shows between its pixels where the map takes those of row y from first to last."""
    # One loop each: those that do not gather are made into vectors.
    _part(step[0, 0], step[0, 1] * y + step[0, 2], first, last, whole[0], between[0])
    _part(step[1, 0], step[1, 1] * y + step[1, 2], first, last, whole[1], between[1])
    flat, width = image.reshape(image.size), image.shape[1]
    for k in range(last - first):
        at = np.int64(whole[1, k]) * width + whole[0, k]
        one, two = load(flat, at), load(flat, at + 1)
        three, four = load(flat, at + width), load(flat, at + width + 1)
        upper, lower = one + (two - one) * between[0, k], three + (four - three) * between[0, k]
        out[k] = upper + (lower - upper) * between[1, k]


@compiled
def _part(
    slope: float, start: float, first: int, last: int, whole: NDArray[np.int32], rest: NDArray[np.float32]
) -> None:
    """Write the whole pixels and the rests of slope * x + start."""
    for k in range(last - first):
        place = slope * (first + k) + start
        pixel = np.int32(place)
        whole[k], rest[k] = pixel, place - pixel
