"""The frozen vocabulary: visual words, their rarity, and the hubs that are too common to tell anything.

It is data, learned once from mixed pictures by benchmarks/learn_vocabulary.py and shipped as vocabulary-N.npz. It never
depends on the collection of the day: whether two images are candidates depends on the two and on this file only. Another
file means another EXTRACTOR_VERSION.

Descriptors are looked up in two steps: first the nearest of 128 cells, then the words and hubs that lie in those. That is
a tenth of the work of trying all, and as definite: it is part of what a word means here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.local.compiled import compiled, popcount
from lookalike.local.descriptors import Pattern, Steps, steps_of

SHIPPED = "vocabulary-1.npz"
CELLS_TRIED = 16
"""Cells nearest to a descriptor whose words and hubs are compared with it."""
HUB_RADIUS = 32
"""Bits within which a descriptor is taken for a hub."""

Words = NDArray[np.uint64]
"""(n, 4) uint64: descriptors as machine words."""


class Cells(NamedTuple):
    """Descriptors by cell: those of cell c are entries[starts[c]:starts[c + 1]], `ids` their own numbers."""

    starts: NDArray[np.int32]
    ids: NDArray[np.int32]
    entries: Words


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is learned once. `words`, `hubs` and `centres` are (n, 32) uint8, their second half the first mirrored."""

    pattern: Pattern
    words: NDArray[np.uint8]
    hubs: NDArray[np.uint8]
    centres: NDArray[np.uint8]
    rarity: NDArray[np.float32]
    """(words,): minus log10 of the chance hits to expect of a word between two images that have nothing in common."""

    @cached_property
    def steps(self) -> Steps:
        """The pattern turned to every angle."""
        return steps_of(self.pattern)

    @cached_property
    def centre_words(self) -> Words:
        """The centres of the cells as machine words."""
        return as_words(self.centres)

    @cached_property
    def word_cells(self) -> Cells:
        """The visual words by cell."""
        return _cells(self.words, self.centres)

    @cached_property
    def hub_cells(self) -> Cells:
        """The hubs by cell."""
        return _cells(self.hubs, self.centres)


@cache
def shipped() -> Vocabulary:
    """Return the vocabulary that comes with the product."""
    with resources.files("lookalike.local").joinpath(SHIPPED).open("rb") as file, np.load(file) as data:
        return Vocabulary(
            data["pattern"],
            with_mirror_images(data["words"]),
            with_mirror_images(data["hubs"]),
            with_mirror_images(data["centres"]),
            np.tile(data["rarity"].astype(np.float32), 2),
        )


def as_words(descriptors: NDArray[np.uint8]) -> Words:
    """Return descriptors (n, 32) uint8 as (n, 4) uint64."""
    return np.ascontiguousarray(descriptors).view(np.uint64).reshape(-1, 4)


def with_mirror_images(half: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return descriptors (n, 32) and after them what each is in a mirrored picture."""
    return np.concatenate([half, np.roll(half, half.shape[1] // 2, axis=1)])


def _cells(descriptors: NDArray[np.uint8], centres: NDArray[np.uint8]) -> Cells:
    rows, middles = as_words(descriptors), as_words(centres)
    cell = np.array([np.bitwise_count(middles ^ row).sum(1, dtype=np.int64).argmin() for row in rows], np.int64)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(centres) + 1)).astype(np.int32)
    return Cells(starts, order.astype(np.int32), np.ascontiguousarray(rows[order]))


@compiled
def distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> int:
    """Return the bits in which two descriptors (4,) differ."""
    bits = popcount(a[0] ^ b[0]) + popcount(a[1] ^ b[1]) + popcount(a[2] ^ b[2]) + popcount(a[3] ^ b[3])
    return np.int64(bits)  # type: ignore[return-value]


@compiled
def keep_nearest(
    descriptor: NDArray[np.uint64],
    entries: Words,
    ids: NDArray[np.int32],
    best: NDArray[np.int64],
    best_ids: NDArray[np.int32],
) -> None:
    """Insert the entries that are nearer than the last of best (ascending); of equal ones the first met stays."""
    last = best.size - 1
    for k in range(len(entries)):
        bits = distance(descriptor, entries[k])
        if bits < best[last]:
            place = last
            while place > 0 and best[place - 1] > bits:
                best[place] = best[place - 1]
                best_ids[place] = best_ids[place - 1]
                place -= 1
            best[place] = bits
            best_ids[place] = ids[k]


@compiled
def nearest_cells(
    descriptor: NDArray[np.uint64], centres: Words, all_ids: NDArray[np.int32], out: NDArray[np.int32]
) -> None:
    """Write the cells nearest to the descriptor into out, nearest first; all_ids is 0, 1, 2 …"""
    best = np.full(out.size, 999)
    keep_nearest(descriptor, centres, all_ids, best, out)


@compiled
def is_hub(
    descriptor: NDArray[np.uint64],
    cells: NDArray[np.int32],
    starts: NDArray[np.int32],
    entries: Words,
    radius: int,
) -> bool:
    """Tell whether a hub in one of the cells is within the radius."""
    for cell in cells:
        for k in range(starts[cell], starts[cell + 1]):
            if distance(descriptor, entries[k]) <= radius:
                return True
    return False


@compiled
def nearest_words(
    descriptor: NDArray[np.uint64],
    cells: NDArray[np.int32],
    starts: NDArray[np.int32],
    ids: NDArray[np.int32],
    entries: Words,
    out: NDArray[np.uint16],
) -> None:
    """Write the numbers of the nearest words in the cells into out, nearest first."""
    best = np.full(out.size, 999)
    numbers = np.zeros(out.size, np.int32)
    for cell in cells:
        first, end = starts[cell], starts[cell + 1]
        keep_nearest(descriptor, entries[first:end], ids[first:end], best, numbers)
    out[:] = numbers.astype(np.uint16)
