"""How alike two thumbnails are under a map: the measures that the check before verification weighs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.levels import most_of_one_tone
from lookalike.local.record import Records
from lookalike.local.registration import OVERLAP_LEAST, halved, register
from lookalike.local.sampling import Image, Map, laid
from lookalike.local.thumbnails import sizes

TILE_SIDE, FINE_SIDE = 4, 6
"""Pixels of a tile; tiles of fine structure are larger, as there is less of it."""
TILE_LEAST, FINE_LEAST = 7, 18
"""Pixels of a tile that must lie on the other picture for it to count."""
TILE_VARIANCE, FINE_VARIANCE = 16.0, 2.0
"""Gray levels squared: a tile where both pictures are flatter tells nothing."""
NOISE, FINE_NOISE = 20.0, 1.0
"""Variance that is added to tiles', so that faint ones count for less."""
MUCH_SMALLER = 0.5
"""Pixels of one that a pixel of the other covers: then that one is taken at half its size."""
PLAIN_SPREAD = 3
"""Levels around the commonest one that count with it."""

MEASURES = (
    "overlap",  # share of the sharper thumbnail
    "whole",  # correlation of all that overlaps
    "tiles",  # mean correlation of tiles
    "strong_tiles",  # the same, tiles counted by their contrast
    "fine",  # correlation of what differs from pixel to pixel
    "fine_tiles",  # the same, mean of tiles
    "moved",  # how far registration moved a corner; in fives of pixels, at most 1
    "stretched",  # by how much one side more than the other, a logarithm, at most 1
)


def likeness(maps: NDArray[np.float64], first: Records, second: Records) -> NDArray[np.float32]:
    """Return (n, 8) MEASURES for maps (n, 2, 3) from the frames of first to those of second (n,) LOCAL.

    Both frames have sides of one, whatever their shape.
    """
    out = np.empty((len(maps), len(MEASURES)), np.float32)
    _measure(
        maps,
        sizes(first),
        sizes(second),
        np.ascontiguousarray(first["thumbnail"]),
        np.ascontiguousarray(second["thumbnail"]),
        out,
    )
    return out


def plain_shares(records: Records) -> NDArray[np.float64]:
    """Return the share (n,) of pixels of the commonest level, or nearly: of paper, sky, a window's ground."""
    out = np.empty(len(records))
    _find_plain(np.ascontiguousarray(records["thumbnail"]), sizes(records), out)
    return out


@compiled
def _measure(
    maps: NDArray[np.float64],
    sizes: NDArray[np.int64],
    other_sizes: NDArray[np.int64],
    thumbnails: NDArray[np.uint8],
    others: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None:
    for k in range(len(out)):
        a, b = image_of(thumbnails[k], sizes[k]), image_of(others[k], other_sizes[k])
        step = between_pixels(maps[k], a, b)
        if _is_second_sharper(area(step), a, b):
            _look(b, a, _rounded(undone(step)), out[k])
        else:
            _look(a, b, _rounded(step), out[k])


@compiled
def _is_second_sharper(covered: float, a: Image, b: Image) -> bool:
    """Whether the second shows the scene larger; if both do alike, contents decide, not their order."""
    if abs(abs(covered) - 1) > 1e-6:
        return bool(abs(covered) > 1)
    if len(a) != len(b):
        return len(a) > len(b)
    for one, other in zip(a.flat, b.flat):  # noqa: B905 (Numba knows no strict)
        if one != other:
            return bool(one > other)
    return False


@compiled
def _rounded(step: Map) -> Map:
    """Return the map without the last bits, in which a map and one that was undone differ."""
    return np.rint(step * 2.0**20) / 2.0**20


@compiled
def _look(a: Image, b: Image, step: Map, out: NDArray[np.float32]) -> None:
    """Write all measures; the sharper one is a: at its pixels the other is sampled."""
    if abs(area(step)) < MUCH_SMALLER:
        _register_and_compare(halved(a), b, of_half(step), out)
    else:
        _register_and_compare(a, b, step, out)


@compiled
def of_half(step: Map) -> Map:
    """Return the map from the picture at half its size."""
    half = step.copy()
    for row in range(2):
        half[row, 0], half[row, 1] = 2 * step[row, 0], 2 * step[row, 1]
        half[row, 2] += 0.5 * (step[row, 0] + step[row, 1])
    return half


@compiled
def _register_and_compare(a: Image, b: Image, step: Map, out: NDArray[np.float32]) -> None:
    end = step.copy()
    register(a, b, end)
    out[6] = min(_most_moved(a, step, end) / 5, 1.0)
    out[7] = min(_stretch(end), 1.0)
    compare(a, b, end, out)


@compiled
def image_of(pixels: NDArray[np.uint8], size: NDArray[np.int64]) -> Image:
    """Return a thumbnail of this width and height, as records hold it."""
    return pixels[: size[0] * size[1]].reshape((size[1], size[0])).astype(np.float32)


@compiled
def between_pixels(frames: NDArray[np.float64], a: Image, b: Image) -> Map:
    """Return the map from pixels of one picture to the other's, from that between frames of side one."""
    step = np.empty((2, 3))
    for row in range(2):
        side = b.shape[1 - row]
        step[row, 0] = side * frames[row, 0] / a.shape[1]
        step[row, 1] = side * frames[row, 1] / a.shape[0]
        step[row, 2] = side * frames[row, 2] + 0.5 * (step[row, 0] + step[row, 1]) - 0.5
    return step


@compiled
def between_frames(step: Map, a: Image, b: Image) -> Map:
    """Return the map between frames of side one, from that from pixels of one picture to the other's."""
    frames = np.empty((2, 3))
    for row in range(2):
        side = b.shape[1 - row]
        frames[row, 0] = step[row, 0] * a.shape[1] / side
        frames[row, 1] = step[row, 1] * a.shape[0] / side
        frames[row, 2] = (step[row, 2] - 0.5 * (step[row, 0] + step[row, 1]) + 0.5) / side
    return frames


@compiled
def area(step: Map) -> float:
    """Return the determinant: pixels that a pixel covers in the other picture, negative in a mirror."""
    return float(step[0, 0] * step[1, 1] - step[0, 1] * step[1, 0])


@compiled
def undone(step: Map) -> Map:
    """Return the map back."""
    back, scale = np.empty((2, 3)), area(step)
    back[0, 0], back[0, 1] = step[1, 1] / scale, -step[0, 1] / scale
    back[1, 0], back[1, 1] = -step[1, 0] / scale, step[0, 0] / scale
    back[0, 2] = -(back[0, 0] * step[0, 2] + back[0, 1] * step[1, 2])
    back[1, 2] = -(back[1, 0] * step[0, 2] + back[1, 1] * step[1, 2])
    return back


@compiled
def _stretch(step: Map) -> float:
    """The logarithm of the ratio of the lengths that the map gives the most and the least stretched line."""
    half = 0.5 * (step[:, 0] ** 2 + step[:, 1] ** 2).sum()
    rest = math.sqrt(max(half**2 - area(step) ** 2, 0.0))
    return 0.5 * math.log((half + rest) / max(half - rest, 1e-9))


@compiled
def _most_moved(a: Image, start: Map, end: Map) -> float:
    most = 0.0
    for y in (0, a.shape[0]):
        for x in (0, a.shape[1]):
            for row in range(2):
                moved = (end[row, 0] - start[row, 0]) * x + (end[row, 1] - start[row, 1]) * y
                most = max(most, abs(moved + end[row, 2] - start[row, 2]))
    return most


@compiled
def compare(a: Image, b: Image, step: Map, out: NDArray[np.floating[Any]]) -> None:
    """Write the measures of what overlaps, at the pixels of a."""
    other, count = laid(a.shape, b, step)
    out[0] = count / a.size
    if count < OVERLAP_LEAST:
        out[1:6] = -1
        return
    out[1], out[2], out[3] = _of_levels(a, other)
    out[4], out[5] = _of_fine_structure(a, other)


@compiled
def _of_levels(a: Image, laid: Image) -> tuple[float, float, float]:
    """Return the correlation of the whole, the mean of tiles, and their mean by contrast."""
    whole = np.zeros(6)
    tile = np.zeros(6)
    count, told, strong, strength = 0, 0.0, 0.0, 0.0
    for top in range(0, a.shape[0], TILE_SIDE):
        for left in range(0, a.shape[1], TILE_SIDE):
            tile[:] = 0
            for y in range(top, min(top + TILE_SIDE, a.shape[0])):
                for x in range(left, min(left + TILE_SIDE, a.shape[1])):
                    if not math.isnan(laid[y, x]):
                        _add(tile, np.float64(a[y, x]), np.float64(laid[y, x]))
            whole += tile
            variance = 0.0 if tile[0] < TILE_LEAST else max(_variance(tile, 1, 3), _variance(tile, 2, 4))
            if variance > TILE_VARIANCE:
                correlation = _correlation(tile, NOISE)
                count += 1
                told += correlation
                strong += math.sqrt(variance) * correlation
                strength += math.sqrt(variance)
    correlation = _correlation(whole, 1.0)
    if not count:
        return correlation, correlation, correlation
    return correlation, told / count, strong / strength


@compiled
def _of_fine_structure(a: Image, laid: Image) -> tuple[float, float]:
    """Return the correlation of how pixels differ from their neighbours, and the mean of tiles."""
    whole = np.zeros(4)
    tile = np.zeros(4)
    count, told = 0, 0.0
    for top in range(1, a.shape[0] - 1, FINE_SIDE):
        for left in range(1, a.shape[1] - 1, FINE_SIDE):
            tile[:] = 0
            for y in range(top, min(top + FINE_SIDE, a.shape[0] - 1)):
                for x in range(left, min(left + FINE_SIDE, a.shape[1] - 1)):
                    p, q = np.float64(_edge(a, x, y)), np.float64(_edge(laid, x, y))
                    if not math.isnan(q):
                        tile[0] += 1
                        tile[1] += p * p
                        tile[2] += q * q
                        tile[3] += p * q
            whole += tile
            if tile[0] >= FINE_LEAST and max(tile[1], tile[2]) > FINE_VARIANCE * tile[0]:
                count += 1
                told += _of_sums(tile)
    return _of_sums(whole), told / count if count else _of_sums(whole)


@compiled
def _of_sums(sums: NDArray[np.float64]) -> float:
    return float(sums[3] / math.sqrt(sums[1] * sums[2] + (FINE_NOISE * sums[0]) ** 2 + 1.0))


@compiled
def _edge(image: Image, x: int, y: int) -> float:
    around = image[y - 1, x] + image[y + 1, x] + image[y, x - 1] + image[y, x + 1]
    return float(image[y, x] - np.float32(0.25) * around)


@compiled
def _find_plain(thumbnails: NDArray[np.uint8], sizes: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    for k in range(len(out)):
        out[k] = _plain_share(thumbnails[k], sizes[k])


@compiled
def _plain_share(pixels: NDArray[np.uint8], size: NDArray[np.int64]) -> float:
    counts = np.zeros(256, np.int64)
    for pixel in pixels[: size[0] * size[1]]:
        counts[pixel] += 1
    return float(most_of_one_tone(counts, PLAIN_SPREAD) / max(1, size[0] * size[1]))


@compiled
def _add(sums: NDArray[np.float64], p: float, q: float) -> None:
    """Add a pixel of each picture to the sums: count, p, q, p p, q q, p q."""
    sums[0] += 1
    sums[1] += p
    sums[2] += q
    sums[3] += p * p
    sums[4] += q * q
    sums[5] += p * q


@compiled
def _variance(sums: NDArray[np.float64], mean: int, square: int) -> float:
    return max(0.0, float(sums[square] / sums[0] - (sums[mean] / sums[0]) ** 2))


@compiled
def _correlation(sums: NDArray[np.float64], noise: float) -> float:
    shared = sums[5] / sums[0] - sums[1] * sums[2] / sums[0] ** 2
    return float(shared / math.sqrt(_variance(sums, 1, 3) * _variance(sums, 2, 4) + noise))
