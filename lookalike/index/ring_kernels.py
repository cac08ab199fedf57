"""The loops of the ring join, compiled by Numba. ring.py says what they do and why it is right."""
# mypy: disable-error-code="no-untyped-def,no-any-return,return-value"
# Numba infers the types of what it compiles; only those a reader needs are written down.

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, popcount
from lookalike.index.found import PER_STEP
from lookalike.index.vectors import GROUP, any_near_1
from lookalike.index.words import Hashes, Words

BLOCK = 2048
"""Candidates compared with one group of queries at a time; they stay in the L1 cache."""


@compiled
def count_keys(
    hashes: Hashes,
    first: int,
    key_bits: int,
    code_bytes: NDArray[np.int64],
    tables: NDArray[np.uint64],
    codes: NDArray[np.uint64],
    starts: NDArray[np.int64],
) -> None:
    """Fill in the code of each row from `first` on, and where each bucket starts."""
    key_mask = np.uint64((1 << key_bits) - 1)
    for row in range(len(codes)):
        code = np.uint64(0)
        for k in range(len(code_bytes)):
            code ^= tables[k, hashes[first + row, code_bytes[k]]]
        codes[row] = code
        starts[np.int64(code & key_mask) + 1] += 1
    for key in range(len(starts) - 1):
        starts[key + 1] += starts[key]


@compiled
def place_rows(
    codes: NDArray[np.uint64],
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
        rows[place] = first + row
        filters[place] = codes[row] >> np.uint64(key_bits)


@compiled
def join_buckets(
    query_rows: NDArray[np.int32],
    query_filters: NDArray[np.unsignedinteger[Any]],
    query_starts: NDArray[np.int64],
    rows: NDArray[np.int32],
    filters: NDArray[np.unsignedinteger[Any]],
    starts: NDArray[np.int64],
    is_self: bool,
    masks: NDArray[np.int64],
    radii: NDArray[np.uint64],
    words: Words,
    bands: Words,
    shares: NDArray[np.int64],
    reach: int,
    band: int,
    radius: int,
    position: NDArray[np.int64],
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
) -> int:
    """Join from `position` (mask, bucket, first candidate, first query) until done or out of space for pairs.

    Returns the number of pairs found and moves the position; mask len(masks) says that all is done. In a
    self-join each two buckets are joined once, and a bucket with itself as a triangle. Masks are the outer
    loop: then both buckets go through memory in order, which halves the time where buckets are small.
    """
    count = 0
    mask, bucket, block, query = position
    while mask < len(masks):
        triangle = is_self and mask == 0
        while bucket < len(starts) - 1:
            partner = bucket ^ masks[mask]
            end = 0 if is_self and partner < bucket else starts[partner + 1]
            query_end = query_starts[bucket + 1]
            block = max(block, starts[partner])
            while block < end:
                block_end = min(block + BLOCK, end)
                query = max(query, query_starts[bucket])
                while query < query_end:
                    if count + PER_STEP > len(found_i):
                        position[0], position[1], position[2], position[3] = mask, bucket, block, query
                        return count
                    group_end = min(query + GROUP, query_end)
                    # In the triangle the candidates before the group have met it as queries already.
                    first = max(block, group_end) if triangle else block
                    near = any_near_1(query_filters, query, filters, first, block_end - first, radii[mask])
                    if triangle and not near and block < group_end and query < block_end:
                        near = _near_within(query_filters, query, group_end, radii[mask])
                    if near:
                        count = _scan(
                            query_rows, query_filters, query, group_end, rows, filters, block, block_end,
                            triangle, radii[mask], words, bands, shares, reach, band, radius,
                            found_i, found_j, found_distance, count,
                        )  # fmt: skip
                    query += GROUP
                query = 0
                block = block_end
            block = 0
            bucket += 1
        bucket = 0
        mask += 1
    position[0] = mask
    return count


@compiled
def _near_within(filters: NDArray[np.unsignedinteger[Any]], first: int, end: int, limit: np.uint64) -> bool:
    """Tell if any two of these rows are near; few enough that a plain loop over all of them is fastest."""
    least = np.uint64(64)
    for a in range(first, end - 1):
        for b in range(a + 1, end):
            least = min(least, np.uint64(popcount(np.uint64(filters[a] ^ filters[b]))))
    return least <= limit


@compiled
def _scan(
    query_rows: NDArray[np.int32],
    query_filters: NDArray[np.unsignedinteger[Any]],
    query: int,
    query_end: int,
    rows: NDArray[np.int32],
    filters: NDArray[np.unsignedinteger[Any]],
    first: int,
    end: int,
    triangle: bool,
    limit: np.uint64,
    words: Words,
    bands: Words,
    shares: NDArray[np.int64],
    reach: int,
    band: int,
    radius: int,
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
    count: int,
) -> int:
    """Look at each candidate singly, where the vector loop said that something is near."""
    for q in range(query, query_end):
        for c in range(max(first, q + 1) if triangle else first, end):
            if popcount(np.uint64(filters[c] ^ query_filters[q])) <= limit:
                i, j = query_rows[q], rows[c]
                distance = _distance_if_lowest(words, i, j, bands, shares, reach, band, radius)
                if distance >= 0:
                    found_i[count], found_j[count], found_distance[count] = min(i, j), max(i, j), distance
                    count += 1
    return count


@compiled
def _distance_if_lowest(
    words: Words, i: int, j: int, bands: Words, shares: NDArray[np.int64], reach: int, band: int, radius: int
) -> int:
    """Return the distance of two rows, or -1 if it is over the radius or not this band's to emit."""
    distance = np.int64(0)
    for w in range(words.shape[1]):
        distance += np.int64(popcount(words[i, w] ^ words[j, w]))
    if distance > radius:
        return -1
    for lower in range(band):
        if _starts_here(words, i, j, bands, shares, reach, lower):
            return -1
    # With a short key or a filter cut off, a pair may have come here that only a higher band starts.
    return distance if _starts_here(words, i, j, bands, shares, reach, band) else np.int64(-1)


@compiled
def _starts_here(
    words: Words, i: int, j: int, bands: Words, shares: NDArray[np.int64], reach: int, band: int
) -> bool:
    """Tell if the flips of a band, and those together with the next `reach` bands, are within budget."""
    flips = _flips(words, i, j, bands, band)
    budget = shares[band]
    if flips >= budget:
        return False
    for step in range(1, reach + 1):
        following = band + step
        if following >= len(shares):  # a division is what this loop would spend its time on
            following -= len(shares)
        flips += _flips(words, i, j, bands, following)
        budget += shares[following]
    return flips < budget


@compiled
def _flips(words: Words, i: int, j: int, bands: Words, band: int) -> int:
    flips = np.int64(0)
    for w in range(words.shape[1]):
        flips += np.int64(popcount((words[i, w] ^ words[j, w]) & bands[band, w]))
    return flips
