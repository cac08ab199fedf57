"""How well two sketches agree under a map: by tiles of some words each, in tone and in fine structure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.sampling import Image, Map, laid

MEASURES = (
    "overlap",  # share of the sharper sketch
    "whole",  # correlation of all that overlaps
    "tiles",  # mean correlation of tiles
    "strong_tiles",  # the same, tiles counted by their contrast
    "good_tiles",  # share of tiles
    "fair_tiles",
    "fine",  # correlation of what differs from pixel to pixel
    "fine_tiles",  # the same, mean of tiles
    "fair_fine_tiles",
)
OVERLAP, STRONG_TILES = MEASURES.index("overlap"), MEASURES.index("strong_tiles")
TILE_SIDE = 8
TILE_LEAST, FINE_LEAST = 29, 26
"""Pixels of a tile that must lie on the other sketch for it to count."""
TILE_VARIANCE, FINE_VARIANCE = 16.0, 4.0
"""Gray levels squared: a tile where both sketches are flatter tells nothing."""
NOISE, FINE_NOISE = 20.0, 2.0
"""Variance and deviation that are added to tiles', so that faint ones count for less."""
GOOD, FAIR, FAIR_FINE = 0.8, 0.6, 0.5
"""Correlations."""
OVERLAP_LEAST = 200
_SUMS = 10


@compiled
def measure(a: Image, b: Image, step: Map, out: NDArray[np.float64]) -> None:
    """Write MEASURES of what overlaps, at the pixels of a; the map is from a's pixels to b's."""
    other, count = laid(a.shape, b, step)
    out[OVERLAP] = count / a.size
    if count < OVERLAP_LEAST:
        out[OVERLAP + 1 :] = -1
        return
    _measure_tiles(a, other, out)


@compiled
def _measure_tiles(a: Image, other: Image, out: NDArray[np.float64]) -> None:
    whole, tile = np.zeros(_SUMS), np.empty(_SUMS)
    tiles = fine_tiles = 0
    told = strong = strength = good = fair = fine = fair_fine = 0.0
    for top in range(0, a.shape[0], TILE_SIDE):
        for left in range(0, a.shape[1], TILE_SIDE):
            _add_up(a, other, top, left, tile)
            whole += tile
            contrast = _contrast(tile)
            if contrast > 0:
                correlation = _correlation(tile, NOISE)
                tiles += 1
                told += correlation
                strong += contrast * correlation
                strength += contrast
                good += correlation > GOOD
                fair += correlation > FAIR
            if tile[6] >= FINE_LEAST and max(tile[7], tile[8]) > FINE_VARIANCE * tile[6]:
                correlation = _fine_correlation(tile)
                fine_tiles += 1
                fine += correlation
                fair_fine += correlation > FAIR_FINE
    out[1], out[6] = _correlation(whole, 1.0), _fine_correlation(whole)
    out[2:6], out[7:9] = out[1], out[6]
    if tiles:
        out[2], out[3], out[4], out[5] = told / tiles, strong / strength, good / tiles, fair / tiles
    if fine_tiles:
        out[7], out[8] = fine / fine_tiles, fair_fine / fine_tiles


@compiled
def _add_up(a: Image, other: Image, top: int, left: int, sums: NDArray[np.float64]) -> None:
    """Write the sums of a tile: count, p, q, p p, q q, p q; count, p p, q q, p q of fine structure."""
    n = fine_n = 0
    p1 = q1 = pp = qq = pq = fine_pp = fine_qq = fine_pq = 0.0
    for y in range(top, min(top + TILE_SIDE, a.shape[0])):
        for x in range(left, min(left + TILE_SIDE, a.shape[1])):
            q = np.float64(other[y, x])
            if math.isnan(q):
                continue
            p = np.float64(a[y, x])
            n += 1
            p1 += p
            q1 += q
            pp += p * p
            qq += q * q
            pq += p * q
            if 0 < y < a.shape[0] - 1 and 0 < x < a.shape[1] - 1:
                around = other[y - 1, x] + other[y + 1, x] + other[y, x - 1] + other[y, x + 1]
                if not math.isnan(around):
                    e = p - 0.25 * (a[y - 1, x] + a[y + 1, x] + a[y, x - 1] + a[y, x + 1])
                    f = q - 0.25 * around
                    fine_n += 1
                    fine_pp += e * e
                    fine_qq += f * f
                    fine_pq += e * f
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = n, p1, q1, pp, qq, pq
    sums[6], sums[7], sums[8], sums[9] = fine_n, fine_pp, fine_qq, fine_pq


@compiled
def _contrast(sums: NDArray[np.float64]) -> float:
    """The larger deviation of a tile, 0 if the tile does not count."""
    if sums[0] < TILE_LEAST:
        return 0.0
    variance = max(_variance(sums, 1, 3), _variance(sums, 2, 4))
    return math.sqrt(variance) if variance > TILE_VARIANCE else 0.0


@compiled
def _variance(sums: NDArray[np.float64], mean: int, square: int) -> float:
    return max(0.0, float(sums[square] / sums[0] - (sums[mean] / sums[0]) ** 2))


@compiled
def _correlation(sums: NDArray[np.float64], noise: float) -> float:
    shared = sums[5] / sums[0] - sums[1] * sums[2] / sums[0] ** 2
    return float(shared / math.sqrt(_variance(sums, 1, 3) * _variance(sums, 2, 4) + noise))


@compiled
def _fine_correlation(sums: NDArray[np.float64]) -> float:
    return float(sums[9] / math.sqrt(sums[7] * sums[8] + (FINE_NOISE * sums[6]) ** 2 + 1.0))
