"""The frozen vocabulary: visual words, their rarity, and the hubs that are too common to tell anything.

It is data, learned once from mixed pictures by benchmarks/learn_vocabulary.py and shipped as
vocabulary-N.npz. It never depends on the collection of the day: whether two images are candidates depends
on the two and on this file only. Another file means another EXTRACTOR_VERSION.

Descriptors are looked up in two steps: first the nearest of 128 cells, then the words and hubs that lie
in those. That is a tenth of the work of trying all, and as definite: it is part of what a word means
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.bits import distance, distances_to
from lookalike.local.descriptors import Pattern, Steps, steps_of

SHIPPED = "vocabulary-1.npz"
CELLS_TRIED = 10
"""Cells nearest to a descriptor whose words and hubs are compared with it."""
HUB_RADIUS = 32
"""Bits within which a descriptor is taken for a hub."""

Words = NDArray[np.uint64]
"""(n, 4) uint64: descriptors as machine words."""


class Cells(NamedTuple):
    """Descriptors by cell: planes[:, starts[c]:starts[c + 1]] are those of cell c, `ids` their numbers."""

    starts: NDArray[np.int32]
    ids: NDArray[np.int32]
    planes: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is learned once. Of words, hubs and centres (n, 32) the second half is the first mirrored."""

    pattern: Pattern
    words: NDArray[np.uint8]
    hubs: NDArray[np.uint8]
    centres: NDArray[np.uint8]
    rarity: NDArray[np.float32]
    """(words,): -log10 of the hits to expect by a word between two images that have nothing in common."""

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
    cell = np.array(
        [np.bitwise_count(middles ^ row).sum(1, dtype=np.int64).argmin() for row in rows], np.int64
    )
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(centres) + 1)).astype(np.int32)
    return Cells(starts, order.astype(np.int32), np.ascontiguousarray(rows[order].T))


@compiled
def nearest_cells(descriptor: NDArray[np.uint64], centres: Words, out: NDArray[np.int32]) -> int:
    """Write the CELLS_TRIED nearest cells into out, and those as near as the last; return how many."""
    bits = np.empty(len(centres), np.int64)
    having = np.zeros(257, np.int64)
    for cell in range(len(centres)):
        bits[cell] = distance(descriptor, centres[cell])
        having[bits[cell]] += 1
    limit = 0
    reached = having[0]
    while reached < CELLS_TRIED:
        limit += 1
        reached += having[limit]
    count = 0
    for cell in range(len(centres)):
        if bits[cell] <= limit:
            out[count] = cell
            count += 1
    return count


@compiled
def is_hub(
    descriptor: NDArray[np.uint64], tried: NDArray[np.int32], hubs: Cells, room: NDArray[np.uint64]
) -> bool:
    """Tell whether a hub in one of the cells tried is within HUB_RADIUS; room is for a cell's distances."""
    limit = np.uint64(HUB_RADIUS)
    for cell in tried:
        size = hubs.starts[cell + 1] - hubs.starts[cell]
        distances_to(descriptor, hubs.planes, hubs.starts[cell], size, room)
        least = np.uint64(999)
        for k in range(size):
            least = min(least, room[k])
        if least <= limit:
            return True
    return False


@compiled
def nearest_words(
    descriptor: NDArray[np.uint64],
    tried: NDArray[np.int32],
    words: Cells,
    room: NDArray[np.uint64],
    out: NDArray[np.uint16],
) -> None:
    """Write the numbers of the nearest words in the cells tried into out, nearest first."""
    best = np.full(out.size, np.uint64(999))
    last = out.size - 1
    for cell in tried:
        first = words.starts[cell]
        size = words.starts[cell + 1] - first
        distances_to(descriptor, words.planes, first, size, room)
        for k in range(size):
            if room[k] < best[last]:
                place = last
                while place > 0 and best[place - 1] > room[k]:
                    best[place] = best[place - 1]
                    out[place] = out[place - 1]
                    place -= 1
                best[place] = room[k]
                out[place] = words.ids[first + k]
