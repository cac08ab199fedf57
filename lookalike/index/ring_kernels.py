"""The loops of the ring join, compiled by Numba. ring.py says what they do and why it is right."""
# mypy: disable-error-code="no-untyped-def,no-any-return,return-value"
# Numba infers the types of what it compiles; only those a reader needs are written down.

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, popcount
from lookalike.index.found import PER_STEP
from lookalike.index.vectors import GROUP, any_near_1, near_lanes, prefetch
from lookalike.index.words import Hashes, Rows, Words

BLOCK = 2048
"""Candidates compared with one group of queries at a time; they stay in the L1 cache."""
HELD = 4096
"""Pairs that passed the filter and are held before they are looked at together."""
_AHEAD = 24
"""Pairs between asking for rows and looking at them: memory is slow, but many answers come at once."""


class SortedRows(NamedTuple):
    """Rows of a range sorted by their key in one band; bucket k is `[starts[k], starts[k + 1])`."""

    rows: NDArray[np.int32]
    filters: NDArray[np.unsignedinteger[Any]]
    starts: NDArray[np.int64]


class Rule(NamedTuple):
    """What a pair is held to: the words of all rows, the bits and budget of each band, the band at work."""

    words: Words
    bands: Words
    shares: NDArray[np.int64]
    reach: int
    band: int
    radius: int


class Held(NamedTuple):
    """Room for pairs that passed the filter."""

    i: NDArray[np.int32]
    j: NDArray[np.int32]


def room_to_hold() -> Held:
    """Return room for what one step can add to what is held."""
    return Held(np.empty(HELD + PER_STEP, np.int32), np.empty(HELD + PER_STEP, np.int32))


@compiled
def count_keys(
    hashes: Hashes,
    chosen: Rows,
    first: int,
    key_bits: int,
    code_bytes: NDArray[np.int64],
    tables: NDArray[np.uint64],
    codes: NDArray[np.uint64],
    starts: NDArray[np.int64],
) -> None:
    """Fill in the code of each row from `first` on, of those chosen if any, and where each bucket starts."""
    key_mask = np.uint64((1 << key_bits) - 1)
    for place in range(len(codes)):
        row = np.int64(chosen[first + place]) if len(chosen) else first + place
        code = np.uint64(0)
        for k in range(len(code_bytes)):
            code ^= tables[k, hashes[row, code_bytes[k]]]
        codes[place] = code
        starts[np.int64(code & key_mask) + 1] += 1
    for key in range(len(starts) - 1):
        starts[key + 1] += starts[key]


@compiled
def place_rows(
    codes: NDArray[np.uint64],
    chosen: Rows,
    first: int,
    key_bits: int,
    starts: NDArray[np.int64],
    rows: NDArray[np.int32],
    filters: NDArray[np.unsignedinteger[Any]],
) -> None:
    """Put each row and its filter word at the next place of its bucket."""
    following = starts.copy()
    key_mask = np.uint64((1 << key_bits) - 1)
    for row in range(len(codes)):
        key = np.int64(codes[row] & key_mask)
        place = following[key]
        following[key] = place + 1
        rows[place] = chosen[first + row] if len(chosen) else first + row
        filters[place] = codes[row] >> np.uint64(key_bits)


@compiled
def join_buckets(
    asked: SortedRows,
    given: SortedRows,
    is_self: bool,
    masks: NDArray[np.int64],
    radii: NDArray[np.uint64],
    lanes: int,
    rule: Rule,
    position: NDArray[np.int64],
    held: Held,
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
) -> int:
    """Join from `position` (mask, bucket, first candidate, first query) until done or out of space for pairs.

    Returns the number of pairs found and moves the position; mask len(masks) says that all is done. In a
    self-join each two buckets are joined once, and a bucket with itself as a triangle. Masks are the outer
    loop: then both buckets go through memory in order, which halves the time where buckets are small.
    """
    query_rows, query_filters, query_starts = asked.rows, asked.filters, asked.starts
    rows, filters, starts = given.rows, given.filters, given.starts
    i, j = held.i, held.j
    one = np.uint64(1)
    count = 0
    near = 0
    mask, bucket, block, query = position
    while mask < len(masks):
        triangle = is_self and mask == 0
        limit = radii[mask]
        while bucket < len(starts) - 1:
            partner = bucket ^ masks[mask]
            end = 0 if is_self and partner < bucket else starts[partner + 1]
            query_end = query_starts[bucket + 1]
            block = max(block, starts[partner])
            while block < end:
                block_end = min(block + BLOCK, end)
                query = max(query, query_starts[bucket])
                while query < query_end:
                    if near >= HELD:
                        count = _settle(rule, held, near, found_i, found_j, found_distance, count)
                        near = 0
                        if count + HELD + PER_STEP > len(found_i):
                            position[0], position[1], position[2], position[3] = mask, bucket, block, query
                            return count
                    group_end = min(query + GROUP, query_end)
                    first = block
                    if triangle:
                        # The candidates before the group have met it as queries already.
                        first = max(block, group_end)
                        is_within = block <= query < block_end
                        for q in range(query, group_end if is_within else query):
                            for start in range(q + 1, group_end, lanes):
                                lane_bits = near_lanes(filters, q, filters, start, limit)
                                lane_bits &= (one << np.uint64(group_end - start)) - one
                                if lane_bits:
                                    near = _hold_lanes(rows[q], rows, start, lane_bits, i, j, near)
                    if any_near_1(query_filters, query, filters, first, block_end - first, limit):
                        near = _hold(
                            query_rows, query_filters, query, group_end, rows, filters, first, block_end,
                            lanes, limit, i, j, near,
                        )  # fmt: skip
                    query += GROUP
                query = 0
                block = block_end
            block = 0
            bucket += 1
        bucket = 0
        mask += 1
    position[0] = mask
    return _settle(rule, held, near, found_i, found_j, found_distance, count)


@compiled
def _hold(
    query_rows: NDArray[np.int32],
    query_filters: NDArray[np.unsignedinteger[Any]],
    query: int,
    query_end: int,
    rows: NDArray[np.int32],
    filters: NDArray[np.unsignedinteger[Any]],
    first: int,
    end: int,
    lanes: int,
    limit: np.uint64,
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    near: int,
) -> int:
    """Hold the near pairs where the vector loop over 8 queries said that there are some."""
    one = np.uint64(1)
    for q in range(query, query_end):
        for start in range(first, end, lanes):
            lane_bits = near_lanes(query_filters, q, filters, start, limit)
            lane_bits &= (one << np.uint64(min(end - start, lanes))) - one
            if lane_bits:
                near = _hold_lanes(query_rows[q], rows, start, lane_bits, i, j, near)
    return near


@compiled
def _hold_lanes(
    row: int,
    rows: NDArray[np.int32],
    start: int,
    lane_bits: np.uint64,
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    near: int,
) -> int:
    one = np.uint64(1)
    while lane_bits:
        lane = np.int64(popcount((lane_bits & (~lane_bits + one)) - one))
        i[near], j[near] = row, rows[start + lane]
        lane_bits &= lane_bits - one
        near += 1
    return near


@compiled
def _settle(
    rule: Rule,
    held: Held,
    near: int,
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
    count: int,
) -> int:
    """Write those of the pairs held that are within the radius and this band's to emit."""
    for k in range(near + _AHEAD):
        if k < near:
            prefetch(rule.words, held.i[k])
            prefetch(rule.words, held.j[k])
        if k >= _AHEAD:
            i, j = held.i[k - _AHEAD], held.j[k - _AHEAD]
            distance = _distance_if_lowest(rule, i, j)
            if distance >= 0:
                found_i[count], found_j[count], found_distance[count] = min(i, j), max(i, j), distance
                count += 1
    return count


@compiled
def _distance_if_lowest(rule: Rule, i: int, j: int) -> int:
    """Return the distance of two rows, or -1 if it is over the radius or not this band's to emit."""
    distance = np.int64(0)
    for w in range(rule.words.shape[1]):
        distance += np.int64(popcount(rule.words[i, w] ^ rule.words[j, w]))
    if distance > rule.radius:
        return -1
    for lower in range(rule.band):
        if _starts_here(rule, i, j, lower):
            return -1
    # With a short key or a filter cut off, a pair may have come here that only a higher band starts.
    return distance if _starts_here(rule, i, j, rule.band) else np.int64(-1)


@compiled
def _starts_here(rule: Rule, i: int, j: int, band: int) -> bool:
    """Tell if the flips of a band, and those together with the next `reach` bands, are within budget."""
    flips = _flips(rule, i, j, band)
    budget = rule.shares[band]
    if flips >= budget:
        return False
    for step in range(1, rule.reach + 1):
        following = band + step
        if following >= len(rule.shares):  # a division is what this loop would spend its time on
            following -= len(rule.shares)
        flips += _flips(rule, i, j, following)
        budget += rule.shares[following]
    return flips < budget


@compiled
def _flips(rule: Rule, i: int, j: int, band: int) -> int:
    flips = np.int64(0)
    for w in range(rule.words.shape[1]):
        flips += np.int64(popcount((rule.words[i, w] ^ rule.words[j, w]) & rule.bands[band, w]))
    return flips
