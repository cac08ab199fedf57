"""Hubs: images with so many candidates that their pairs are better told by naming them.

Five thousand frames of one still scene are twelve million candidate pairs. Whoever gathers pairs keeps them
all as long as they are few. Where they are too many, the images of great degree are called hubs: pairs of
two hubs are left out, and each hub is linked to the others it was paired with. Nothing is lost by it: which
images of a hub are candidates of each other depends on their records alone, so it can be found again, for as
few of them at a time as one likes (worker/hubs.py does). Which images are called hubs is a matter of room
only; it never changes what a job finds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.sorted_sets import distinct, union

LEAST_DEGREE = 256


class Gathered(NamedTuple):
    """Candidate pairs (k, 2) of rows, i < j, unique and sorted; and links (n, 2) between the rows of hubs.

    Each link joins a hub with one that stands for those it is connected with, perhaps itself. All candidate
    pairs of two hubs are left out of the pairs, or some of them.
    """

    pairs: NDArray[np.int64]
    links: NDArray[np.int64]


class Gathering:
    """Gathers pairs of rows in bounded memory: about most_pairs, and LEAST_DEGREE for each image."""

    def __init__(self, row_count: int, first_new: int = 0, most_pairs: int | None = None) -> None:
        self._first_new = first_new
        self._most_pairs = most_pairs
        self._parts: list[NDArray[np.int64]] = []
        self._held = 0
        self._limit = most_pairs
        self._is_hub = np.zeros(row_count, bool)
        self._links = np.empty((0, 2), np.int64)

    def add(self, i: NDArray[np.integer[Any]], j: NDArray[np.integer[Any]]) -> None:
        """Add pairs in any order; an image is no pair with itself, and one of the two must be new."""
        low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
        wanted = (low != high) & (high >= self._first_new)
        self._parts.append(low[wanted] << 32 | high[wanted])
        self._held += len(self._parts[-1])
        if self._limit is not None and self._held > self._limit:
            self._compact()

    def result(self) -> Gathered:
        """Return what was gathered."""
        if self._is_hub.any():
            self._drop(self._unique())
        keys = self._unique()
        return Gathered(np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1), self._links)

    def _unique(self) -> NDArray[np.int64]:
        return union(np.empty(0, np.int64), *self._parts)

    def _compact(self) -> None:
        keys = self._unique()
        assert self._most_pairs is not None
        if len(keys) > self._most_pairs // 2:
            degree = np.bincount(keys >> 32, minlength=len(self._is_hub))
            degree += np.bincount(keys & 0xFFFFFFFF, minlength=len(self._is_hub))
            self._is_hub |= degree >= LEAST_DEGREE
            self._drop(keys)
        else:
            self._parts, self._held = [keys], len(keys)
        # What is left must be looked at again, but not each time something is added.
        self._limit = max(self._most_pairs, 2 * self._held)

    def _drop(self, keys: NDArray[np.int64]) -> None:
        low, high = keys >> 32, keys & 0xFFFFFFFF
        inside = self._is_hub[low] & self._is_hub[high]
        self._links = linked(np.concatenate([self._links, np.stack([low[inside], high[inside]], axis=1)]))
        self._parts, self._held = [keys[~inside]], int(np.sum(~inside))


def together(pairs: NDArray[np.int64], links: NDArray[np.int64]) -> Gathered:
    """Return what several have gathered as one; whoever is a hub for one of them is a hub for all."""
    if len(links):
        hubs = distinct(links)
        is_inside = np.isin(pairs, hubs).all(axis=1)
        links = linked(np.concatenate([links, pairs[is_inside]]))
        pairs = pairs[~is_inside]
    keys = distinct(pairs[:, 0] << 32 | pairs[:, 1])
    return Gathered(np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1), links)


def linked(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row in pairs (n, 2) itself and the lowest row it is connected with."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    graph = coo_array((np.ones(len(places), np.uint8), (places[:, 0], places[:, 1])), shape=(len(rows),) * 2)
    labels = connected_components(graph, directed=False)[1]
    # Labels are numbered in the order of their lowest member.
    first = np.unique(labels, return_index=True)[1]
    return np.stack([rows, rows[first[labels]]], axis=1)
