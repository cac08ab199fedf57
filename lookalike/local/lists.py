"""Key points of many images listed by visual word, and the scan for those that look alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.bits import distances_to
from lookalike.local.record import KEYPOINT_COUNT, LISTED_WORDS, WORD_COUNT, Records
from lookalike.local.vocabulary import as_words

SCAN_BLOCK = 256
"""Entries of a list whose distances are taken at a time: whole vectors, no branches."""


class Probes(NamedTuple):
    """Key points of some images, one after another, to be looked up. `images` are rows of the records."""

    images: NDArray[np.int32]
    descriptors: NDArray[np.uint64]
    places: NDArray[np.uint32]
    words: NDArray[np.uint16]


class Lists(NamedTuple):
    """Key points sorted by word, each under its nearest LISTED_WORDS; word w has starts[w]:starts[w + 1].

    `planes` (4, n) hold the descriptors by quarter, so that the same quarter of many is read at once.
    """

    starts: NDArray[np.int64]
    images: NDArray[np.int32]
    planes: NDArray[np.uint64]
    places: NDArray[np.uint32]


class Hits(NamedTuple):
    """Probe `probe` and list entry `entry` look alike and share a word; by word, then probe, then entry.

    Two key points that share more than one word are as many hits.
    """

    probe: NDArray[np.int32]
    entry: NDArray[np.int64]


def probes_of(records: Records) -> Probes:
    """Return the key points of records (N,) LOCAL in their order."""
    used = np.arange(KEYPOINT_COUNT) < records["count"][:, None]
    return Probes(
        np.nonzero(used)[0].astype(np.int32),
        as_words(records["descriptors"][used]),
        records["places"][used],
        records["words"][used],
    )


def lists_of(probes: Probes, vocabulary_size: int) -> Lists:
    """Return the key points listed by word; within a word those of which it is the nearest come first."""
    words = probes.words[:, :LISTED_WORDS].T.ravel()
    order = np.argsort(words, kind="stable")
    starts = np.searchsorted(words[order], np.arange(vocabulary_size + 1)).astype(np.int64)
    rows = order % max(1, len(probes.words))
    planes = np.ascontiguousarray(probes.descriptors[rows].T)
    return Lists(starts, probes.images[rows], planes, probes.places[rows])


def found_hits(probes: Probes, lists: Lists, radius: int, buffer: Hits) -> int:
    """Write all hits into buffer, as far as they fit, and return how many there are."""
    word_starts, by_word = _by_word(probes.words, len(lists.starts) - 1)
    return _scan(
        word_starts,
        by_word,
        probes.descriptors,
        lists.starts,
        lists.planes,
        radius,
        buffer.probe,
        buffer.entry,
    )


@compiled
def _by_word(words: NDArray[np.uint16], vocabulary_size: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return starts and by_word: by_word[starts[w]:starts[w + 1]] are the probes that look under word w."""
    starts = np.zeros(vocabulary_size + 1, np.int64)
    for word in words.ravel():
        starts[word + 1] += 1
    starts = np.cumsum(starts)
    place = starts.copy()
    by_word = np.empty(words.size, np.int32)
    for probe in range(len(words)):
        for m in range(WORD_COUNT):
            word = words[probe, m]
            by_word[place[word]] = probe
            place[word] += 1
    return starts, by_word


@compiled
def _scan(
    word_starts: NDArray[np.int64],
    by_word: NDArray[np.int32],
    descriptors: NDArray[np.uint64],
    list_starts: NDArray[np.int64],
    planes: NDArray[np.uint64],
    radius: int,
    out_probe: NDArray[np.int32],
    out_entry: NDArray[np.int64],
) -> int:
    distances = np.empty(SCAN_BLOCK, np.uint64)
    limit = np.uint64(radius)
    count = 0
    for word in range(len(word_starts) - 1):
        if list_starts[word] == list_starts[word + 1]:
            continue
        for k in range(word_starts[word], word_starts[word + 1]):
            probe = by_word[k]
            for first in range(list_starts[word], list_starts[word + 1], SCAN_BLOCK):
                size = min(SCAN_BLOCK, list_starts[word + 1] - first)
                distances_to(descriptors[probe], planes, first, size, distances)
                for near in range(size):
                    if distances[near] <= limit:
                        if count < len(out_probe):
                            out_probe[count] = probe
                            out_entry[count] = first + near
                        count += 1
    return count
