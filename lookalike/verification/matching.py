"""Matching: the pairs of descriptors of two pictures that are near, and clearly nearer than the next best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.bits import distances_to

RATIO = 0.86  # of the best to the second best distance
MAX_DISTANCE = 64  # of 256 bits

Descriptors = NDArray[np.uint8]


def matched(first: Descriptors, second: Descriptors) -> NDArray[np.int64]:
    """Pairs (k, 2) of rows; each of the second is claimed once, by the nearest of the first."""
    planes = np.ascontiguousarray(second.view(np.uint64).T)
    return _matched(np.ascontiguousarray(first).view(np.uint64), planes)


@compiled
def _matched(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.int64]:
    count = second.shape[1]
    distances = np.empty(count, np.uint64)
    claimed_by, claimed_at = np.full(count, -1, np.int64), np.full(count, MAX_DISTANCE + 1, np.int64)
    for query in range(len(first)):
        distances_to(first[query], second, 0, count, distances)
        nearest = int(_least(distances))
        if nearest > MAX_DISTANCE:
            continue
        train = _place(distances, nearest)
        distances[train] = 256
        if nearest < RATIO * np.float64(_least(distances)) and nearest < claimed_at[train]:
            claimed_by[train], claimed_at[train] = query, nearest
    found = np.empty((count, 2), np.int64)
    size = 0
    for train in range(count):
        if claimed_by[train] >= 0:
            found[size] = claimed_by[train], train
            size += 1
    return found[:size]


@compiled
def _least(distances: NDArray[np.uint64]) -> np.uint64:
    least = np.uint64(256)
    for distance in distances:
        least = min(least, distance)
    return least


@compiled
def _place(distances: NDArray[np.uint64], distance: int) -> int:
    place = 0
    while distances[place] != np.uint64(distance):
        place += 1
    return place
