"""The cheap check before verification: lay one thumbnail over the other as the votes say, and compare.

Chance votes tell a transform under which nothing fits. Tiles of the two thumbnails are correlated, at the
nine shifts around the transform told, as that is only as good as the votes; the agreement is that of the
best shift: half of the whole overlap's correlation, half of the mean over tiles, so that a large light
and dark shape alone does not pass.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.record import Records

AGREEMENT_LEAST = 0.3
"""Candidates below are not verified."""
TILE_SIDE = 6
TILE_LEAST = 16
"""Pixels of a tile that must lie on the other picture for it to count."""
OVERLAP_LEAST = 40
TILE_VARIANCE = 16.0
"""Gray levels squared: a tile where both pictures are flatter tells nothing."""
NOISE = 20.0
"""Variance that is added to tiles', so that faint ones count for less."""
VOTES_SURE = 3
"""Pairs with so many votes are verified whatever the thumbnails say: by chance photos have two at most."""


def is_worth_verifying(votes: NDArray[np.void], agreements: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell of votes (n,) VOTE with their agreements which pairs go on to verification."""
    kept: NDArray[np.bool_] = (agreements >= AGREEMENT_LEAST) | (votes["votes"] >= VOTES_SURE)
    return kept


def agreements(votes: NDArray[np.void], first: Records, second: Records) -> NDArray[np.float32]:
    """Return -1 to 1 for votes (n,) VOTE; first and second (n,) LOCAL are the records of their i and j."""
    out = np.empty(len(votes), np.float32)
    _agreements(
        votes["transform"].astype(np.float64),
        np.ascontiguousarray(votes["mirrored"]),
        _sizes(first, "width", "height"),
        _sizes(second, "width", "height"),
        _sizes(first, "thumbnail_width", "thumbnail_height"),
        _sizes(second, "thumbnail_width", "thumbnail_height"),
        np.ascontiguousarray(first["thumbnail"]),
        np.ascontiguousarray(second["thumbnail"]),
        out,
    )
    return out


def _sizes(records: Records, width: str, height: str) -> NDArray[np.int64]:
    return np.stack([records[width], records[height]], axis=1).astype(np.int64)


@compiled
def _agreements(
    transforms: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
    frames: NDArray[np.int64],
    other_frames: NDArray[np.int64],
    sizes: NDArray[np.int64],
    other_sizes: NDArray[np.int64],
    thumbnails: NDArray[np.uint8],
    others: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None:
    for k in range(len(out)):
        a = thumbnails[k][: sizes[k, 0] * sizes[k, 1]].reshape((sizes[k, 1], sizes[k, 0]))
        b = others[k][: other_sizes[k, 0] * other_sizes[k, 1]].reshape((other_sizes[k, 1], other_sizes[k, 0]))
        step = _between_thumbnails(
            transforms[k], mirrored[k], frames[k], other_frames[k], sizes[k], other_sizes[k]
        )
        determinant = step[0, 0] * step[1, 1] - step[0, 1] * step[1, 0]
        # The one that shows the scene larger is sampled at the pixels of the other, which are the coarser.
        if abs(determinant) > 1.05:
            out[k] = _best_shift(b, a, _undone(step, determinant))
        else:
            out[k] = _best_shift(a, b, step)


@compiled
def _between_thumbnails(
    transform: NDArray[np.float64],
    mirrored: bool,
    frame: NDArray[np.int64],
    other_frame: NDArray[np.int64],
    size: NDArray[np.int64],
    other_size: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the (2, 3) map from pixels of one thumbnail to the other's, from that between frames."""
    kx, ky = size[0] / frame[0], size[1] / frame[1]
    lx, ly = other_size[0] / other_frame[0], other_size[1] / other_frame[1]
    a, b, tx, ty = transform
    step = np.empty((2, 3))
    # Pixel centres lie at (p + 0.5) k - 0.5.
    cx, cy = 0.5 / kx - 0.5, 0.5 / ky - 0.5
    step[0, 0], step[0, 1] = lx * a / kx, -lx * b / ky
    step[1, 0], step[1, 1] = ly * b / kx, ly * a / ky
    step[0, 2] = lx * (a * cx - b * cy + tx + 0.5) - 0.5
    step[1, 2] = ly * (b * cx + a * cy + ty + 0.5) - 0.5
    if mirrored:
        last = size[0] - 1
        step[0, 2] += step[0, 0] * last
        step[1, 2] += step[1, 0] * last
        step[0, 0], step[1, 0] = -step[0, 0], -step[1, 0]
    return step


@compiled
def _undone(step: NDArray[np.float64], determinant: float) -> NDArray[np.float64]:
    back = np.empty((2, 3))
    back[0, 0], back[0, 1] = step[1, 1] / determinant, -step[0, 1] / determinant
    back[1, 0], back[1, 1] = -step[1, 0] / determinant, step[0, 0] / determinant
    back[0, 2] = -(back[0, 0] * step[0, 2] + back[0, 1] * step[1, 2])
    back[1, 2] = -(back[1, 0] * step[0, 2] + back[1, 1] * step[1, 2])
    return back


@compiled
def _best_shift(a: NDArray[np.uint8], b: NDArray[np.uint8], step: NDArray[np.float64]) -> float:
    best = -1.0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            best = max(best, _agreement(a, b, step, dx, dy))
    return best


@compiled
def _agreement(
    a: NDArray[np.uint8], b: NDArray[np.uint8], step: NDArray[np.float64], dx: int, dy: int
) -> float:
    """Return how well a agrees with b under the map, shifted by whole pixels of b."""
    whole = np.zeros(6)
    tile = np.zeros(6)
    tiles = 0
    told = 0.0
    for top in range(0, a.shape[0], TILE_SIDE):
        for left in range(0, a.shape[1], TILE_SIDE):
            tile[:] = 0
            for y in range(top, min(top + TILE_SIDE, a.shape[0])):
                for x in range(left, min(left + TILE_SIDE, a.shape[1])):
                    u = step[0, 0] * x + step[0, 1] * y + step[0, 2] + dx
                    v = step[1, 0] * x + step[1, 1] * y + step[1, 2] + dy
                    if 0 <= u < b.shape[1] - 1.001 and 0 <= v < b.shape[0] - 1.001:
                        _add(tile, np.float64(a[y, x]), _sampled(b, u, v))
            whole += tile
            if tile[0] >= TILE_LEAST and max(_variance(tile, 1, 3), _variance(tile, 2, 4)) > TILE_VARIANCE:
                tiles += 1
                told += _correlation(tile, NOISE)
    if whole[0] < OVERLAP_LEAST:
        return -1.0
    correlation = _correlation(whole, 4.0)
    mean = told / tiles if tiles else correlation
    return 0.5 * correlation + 0.5 * mean


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


@compiled
def _sampled(image: NDArray[np.uint8], x: float, y: float) -> float:
    """Return image at (x, y) between its pixels."""
    left, top = int(x), int(y)
    across, down = x - left, y - top
    upper = image[top, left] * (1 - across) + image[top, left + 1] * across
    lower = image[top + 1, left] * (1 - across) + image[top + 1, left + 1] * across
    return float(upper * (1 - down) + lower * down)
