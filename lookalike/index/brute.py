"""Blocked brute force: every row against every row, as fast as the processor counts bits.

For few rows, for radii so wide that the ring join's bands let nearly everything through, and for some new
images against all stored ones. The words of the hashes are laid out as planes (all first words, then all
second words ...), and the vector loop looks at the first planes only: at radius 31 half of a 256-bit hash
already rules out all but one random pair in a thousand million.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, popcount
from lookalike.index.found import PER_STEP, Found
from lookalike.index.pairs import Pairs
from lookalike.index.vectors import GROUP, PADDING, any_near_1, any_near_2, any_near_3, any_near_4
from lookalike.index.words import Hashes, Words, to_words

BLOCK = 1024
"""Candidates compared with one group of queries after another, while they stay in the L1 cache."""
MAX_PLANES = 4


def planes_needed(words: int, radius: int) -> int:
    """Return how many 64-bit planes the filter looks at, so that few random pairs pass it."""
    for planes in range(1, min(words, MAX_PLANES)):
        bits = 64 * planes
        # Mean minus the radius in standard deviations of a binomial: 4.3 of them is one in 100,000.
        if bits / 2 - radius >= 4.3 * (bits**0.5) / 2:
            return planes
    return min(words, MAX_PLANES)


def pairs_between(hashes: Hashes, queries: range, candidates: range, radius: int) -> Iterator[Pairs]:
    """Yield, in parts of bounded size, the pairs of a row of `queries` and one of `candidates` within radius.

    The ranges of rows are equal or do not overlap.
    """
    asked = _planes(hashes, queries)
    given = asked if queries == candidates else _planes(hashes, candidates)
    planes = planes_needed(len(asked), radius)
    found = Found()
    position = np.zeros(2, np.int64)
    while position[0] < len(candidates):
        count = _compare(
            asked, len(queries), given, len(candidates), queries == candidates, planes, radius,
            position, found.i, found.j, found.distance,
        )  # fmt: skip
        part = found.take(count)
        i, j = part.i + np.int32(queries.start), part.j + np.int32(candidates.start)
        yield Pairs(np.minimum(i, j), np.maximum(i, j), part.distance)


def _planes(hashes: Hashes, rows: range) -> NDArray[np.uint64]:
    """Return (words, rows + padding): the first words of all rows, then the second words, and so on."""
    words = to_words(hashes[rows.start : rows.stop])
    planes = np.zeros((words.shape[1], len(rows) + PADDING), np.uint64)
    planes[:, : len(rows)] = words.T
    return planes


@compiled
def _compare(
    asked: Words,
    asked_count: int,
    given: Words,
    given_count: int,
    is_self: bool,
    planes: int,
    radius: int,
    position: NDArray[np.int64],
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
) -> int:
    """Compare from `position` (first candidate, first query) until done or the space for pairs runs out."""
    count = 0
    block, query = position
    limit = np.uint64(radius)
    while block < given_count:
        block_end = min(block + BLOCK, given_count)
        query_end = min(asked_count, block_end) if is_self else asked_count
        while query < query_end:
            if count + PER_STEP > len(found_i):
                position[0], position[1] = block, query
                return count
            width = block_end - block
            if planes == 1:
                near = any_near_1(asked, query, given, block, width, limit)
            elif planes == 2:
                near = any_near_2(asked, query, given, block, width, limit)
            elif planes == 3:
                near = any_near_3(asked, query, given, block, width, limit)
            else:
                near = any_near_4(asked, query, given, block, width, limit)
            if near:
                count = _scan(
                    asked, query, min(query + GROUP, query_end), given, block, block_end, is_self, radius,
                    found_i, found_j, found_distance, count,
                )  # fmt: skip
            query += GROUP
        query = 0
        block = block_end
    position[0] = given_count
    return count


@compiled
def _scan(
    asked: Words,
    query: int,
    query_end: int,
    given: Words,
    first: int,
    end: int,
    is_self: bool,
    radius: int,
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
    count: int,
) -> int:
    for q in range(query, query_end):
        for c in range(max(first, q + 1) if is_self else first, end):
            distance = np.int64(0)
            for plane in range(len(given)):
                distance += np.int64(popcount(asked[plane, q] ^ given[plane, c]))
            if distance <= radius:
                found_i[count], found_j[count], found_distance[count] = q, c, distance
                count += 1
    return count
