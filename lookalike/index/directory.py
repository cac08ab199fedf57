"""Few rows against very many: the few are listed in a directory, and the many look themselves up in it.

Words of 64 bits are cut into four bands, and of two words within the radius at least one band is within its
budget (ring.py says why). So each of the few is listed, band by band, under every key that its own could be
turned into within the budget; each of the many has one key in each band, and is compared with what is listed
there, a vector at a time. A pair is told by its lowest band alone.

Nothing of the many is sorted, copied or kept: a thousand new images meet a million stored ones as these pass
by once, four look-ups each instead of a thousand comparisons.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, load, popcount
from lookalike.index import brute
from lookalike.index.bands import BAND_BITS, budgets, masks_within
from lookalike.index.found import CAPACITY, Found
from lookalike.index.pairs import Pairs
from lookalike.index.vectors import PADDING, lanes_of, near_lanes
from lookalike.index.words import Hashes, read_only, to_words

BITS = 64
KEYS = 1 << BAND_BITS
# Of one band at a time, 12 bytes each.
_MOST_ENTRIES = 8_000_000
# Where a key of the few has on average more than this share of them listed, to compare all is as quick.
_MOST_LISTED = 1 / 16
_FEW_LISTED = 64
_SAMPLE_ROWS = 64


def pairs_between(hashes: Hashes, queries: range, candidates: range, radius: int) -> Iterator[Pairs]:
    """Yield, in parts of bounded size, the pairs of a row of `queries` and one of `candidates` within radius.

    The ranges of rows of hashes (N, 8) do not overlap; the shorter one is listed.
    """
    few, many = sorted((queries, candidates), key=len)
    # Of a band with no budget two words never start a pair.
    flips = np.array([share - 1 for share in budgets(BITS, radius).tolist() if share], np.uint64)
    masks = [masks_within(int(count), BAND_BITS) for count in flips]
    passing = read_only(to_words(hashes[many.start : many.stop]).reshape(-1))
    # Found has room for the pairs of any one key.
    step = min(CAPACITY, max(1, _MOST_ENTRIES // max(map(len, masks))))
    for start in range(few.start, few.stop, step):
        rows = range(start, min(start + step, few.stop))
        listed = read_only(to_words(hashes[rows.start : rows.stop]).reshape(-1))
        if _is_crowded(listed, flips):
            yield from brute.pairs_between(hashes, rows, many, radius)
            continue
        for part in _looked_up(listed, passing, radius, flips, masks):
            i, j = part.i + np.int32(rows.start), part.j + np.int32(many.start)
            yield Pairs(np.minimum(i, j), np.maximum(i, j), part.distance)


def _looked_up(
    listed: NDArray[np.uint64],
    passing: NDArray[np.uint64],
    radius: int,
    flips: NDArray[np.uint64],
    masks: list[NDArray[np.int64]],
) -> Iterator[Pairs]:
    """Yield pairs of a place in listed and one in passing."""
    found = Found()
    for band, mine in enumerate(masks):
        starts = np.zeros(KEYS + 1, np.int32)
        # A vector that begins at the last entry reads on behind it.
        words = np.zeros(len(listed) * len(mine) + PADDING, np.uint64)
        rows = np.empty(len(listed) * len(mine), np.int32)
        _list(listed, band, mine, starts, words, rows)
        row = 0
        while row < len(passing):
            row, count = _look_up(
                passing, row, band, starts, words, rows, lanes_of(words), radius, flips,
                found.i, found.j, found.distance,
            )  # fmt: skip
            yield found.take(count)


def _is_crowded(listed: NDArray[np.uint64], flips: NDArray[np.uint64]) -> bool:
    """Tell whether the few are so alike, in some band, that a look-up would find very many of them."""
    some = listed[:: max(1, len(listed) // _SAMPLE_ROWS)]
    for band, count in enumerate(flips.tolist()):
        keys, asked = ((words >> np.uint64(BAND_BITS * band)).astype(np.uint16) for words in (listed, some))
        share = float((np.bitwise_count(keys ^ asked[:, None]) <= count).mean()) if len(listed) else 0.0
        if share * len(listed) > max(_FEW_LISTED, len(listed) * _MOST_LISTED):
            return True
    return False


@compiled
def _list(
    listed: NDArray[np.uint64],
    band: int,
    masks: NDArray[np.int64],
    starts: NDArray[np.int32],
    words: NDArray[np.uint64],
    rows: NDArray[np.int32],
) -> None:
    """Write words and rows so that those listed under a key are at starts[key]:starts[key + 1]."""
    shift = np.uint64(BAND_BITS * band)
    for row in range(len(listed)):
        key = np.int64(listed[row] >> shift) & (KEYS - 1)
        for mask in masks:
            starts[(key ^ mask) + 1] += 1
    starts[:] = np.cumsum(starts)
    place = starts.copy()
    for row in range(len(listed)):
        key = np.int64(listed[row] >> shift) & (KEYS - 1)
        for mask in masks:
            words[place[key ^ mask]] = listed[row]
            rows[place[key ^ mask]] = row
            place[key ^ mask] += 1


@compiled
def _look_up(
    passing: NDArray[np.uint64],
    first: int,
    band: int,
    starts: NDArray[np.int32],
    words: NDArray[np.uint64],
    rows: NDArray[np.int32],
    lanes: int,
    radius: int,
    flips: NDArray[np.uint64],
    found_i: NDArray[np.int32],
    found_j: NDArray[np.int32],
    found_distance: NDArray[np.int16],
) -> tuple[int, int]:
    """Look rows up from `first` on, as far as there is space; return the next row and how many pairs."""
    shift = np.uint64(BAND_BITS * band)
    limit = np.uint64(radius)
    count = 0
    for row in range(first, len(passing)):
        key = np.intp(passing[row] >> shift) & (KEYS - 1)
        start, end = np.intp(load(starts, key)), np.intp(load(starts, key + 1))
        near = near_lanes(passing, row, words, start, limit)
        for place in range(start + lanes, end, lanes):
            near |= near_lanes(passing, row, words, place, limit)
        if near:
            if count + end - start > len(found_i):
                return row, count
            for place in range(start, end):
                difference = words[place] ^ passing[row]
                distance = popcount(difference)
                if distance <= limit and not _starts_lower(difference, band, flips):
                    found_i[count], found_j[count], found_distance[count] = rows[place], row, distance
                    count += 1
    return len(passing), count


@compiled
def _starts_lower(difference, band: int, flips: NDArray[np.uint64]) -> bool:
    """Tell whether a lower band is within its budget, and tells the pair."""
    for lower in range(band):
        if popcount((difference >> np.uint64(BAND_BITS * lower)) & np.uint64(KEYS - 1)) <= flips[lower]:
            return True
    return False
