"""The joins as callers use them: each picks the cheapest exact way, and all ways give the same pairs.

A large join is a list of shards, each a small JSON object; any worker that has the same array of hashes (a
memory-mapped file, say) can run any of them, and the pairs of all shards together are the join, none twice.
Large collections should be collapsed first (`equal.collapse`), so that a hub of equal hashes is one row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict

import numpy as np

from lookalike.index import cost, flat
from lookalike.index.bands import budgets
from lookalike.index.equal import Distinct, collapse
from lookalike.index.pairs import Pairs, gathered
from lookalike.index.words import Hashes, Rows

DEFAULT_MEMORY_BYTES = 1 << 30
_RING_BYTES_A_ROW = 8 + 8 + 4
_PLANE_BYTES_A_BIT = 1 / 8
_FIXED_BYTES = 16 << 20
_SHARD_SECONDS = 10.0


class Shard(TypedDict):
    """One independent part of a join: `rows` against `against`, two ranges, equal or disjoint."""

    way: str
    bits: int
    radius: int
    rows: list[int]
    against: list[int]
    band: int


@dataclass(frozen=True, eq=False)
class DistinctPairs:
    """A self-join told without repeating hubs: pairs of distinct hashes, and which rows have each hash."""

    distinct: Distinct
    pairs: Pairs

    def expand(self) -> Pairs:
        """Return the pairs of rows: quadratic in the size of each hub."""
        return self.distinct.expand(self.pairs)


def self_join(hashes: Hashes, radius: int, cores: int = 1) -> Pairs:
    """Return every pair i < j of rows of hashes (N, bytes) uint8 at most radius bits apart."""
    return self_join_distinct(hashes, radius, cores).expand()


def self_join_distinct(hashes: Hashes, radius: int, cores: int = 1) -> DistinctPairs:
    """Return the self-join with equal hashes collapsed: `pairs` number the distinct hashes in row order."""
    distinct = collapse(hashes)
    shards = plan_shards(len(distinct.rows), hashes.shape[1] * 8, radius)
    if not distinct.has_equals:
        return DistinctPairs(distinct, run_shards(hashes, shards, cores))
    # The distinct rows are named, not copied: the hashes of a large collection are there once.
    found = run_shards(hashes, shards, cores, distinct.rows)
    return DistinctPairs(distinct, Pairs(distinct.number[found.i], distinct.number[found.j], found.distance))


def join(new: Hashes, stored: Hashes, radius: int, cores: int = 1) -> Pairs:
    """Return every pair of a row i of new and a row j of stored at most radius bits apart."""
    rows, against = range(len(stored), len(stored) + len(new)), range(len(stored))
    bits = new.shape[1] * 8
    if _cheapest(len(new), len(stored), bits, radius, False) == "flat":
        return flat.join(new, stored, radius)
    shards = _shards(rows, against, bits, radius, DEFAULT_MEMORY_BYTES)
    found = run_shards(np.concatenate([stored, new]), shards, cores)
    return gathered([Pairs(found.j - np.int32(len(stored)), found.i, found.distance)])


def plan_shards(
    row_count: int,
    bits: int,
    radius: int,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    first_new: int = 0,
) -> list[Shard]:
    """Return the shards of a self-join of row_count hashes, those pairs with a row at or after first_new.

    A shard needs at most memory_bytes beside the hashes themselves and the pairs that it returns.
    """
    new, stored = range(first_new, row_count), range(first_new)
    return _shards(new, stored, bits, radius, memory_bytes) + _shards(new, new, bits, radius, memory_bytes)


def plan_between(
    rows: range, against: range, bits: int, radius: int, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> list[Shard]:
    """Return the shards of the join of two ranges of rows, equal or disjoint."""
    return _shards(rows, against, bits, radius, memory_bytes)


def ring_shard(rows: range, against: range, bits: int, radius: int, band: int) -> Shard:
    """Return one band of the ring join of two ranges of rows, equal or disjoint."""
    return _shard("ring", bits, radius, [rows.start, rows.stop], [against.start, against.stop], band)


def run_shards(hashes: Hashes, shards: Iterable[Shard], cores: int = 1, chosen: Rows | None = None) -> Pairs:
    """Return the pairs of all shards, sorted; the kernels release the GIL, so threads run side by side."""
    if cores == 1:
        return gathered([part for shard in shards for part in stream_shard(hashes, shard, chosen)])
    with ThreadPoolExecutor(cores) as threads:
        return gathered(list(threads.map(lambda shard: run_shard(hashes, shard, chosen), shards)))


def run_shard(hashes: Hashes, shard: Shard, chosen: Rows | None = None) -> Pairs:
    """Return the pairs of one shard, i < j, sorted."""
    return gathered(list(stream_shard(hashes, shard, chosen)))


def stream_shard(hashes: Hashes, shard: Shard, chosen: Rows | None = None) -> Iterator[Pairs]:
    """Yield the pairs of one shard in parts of at most half a million, for memory that no data can exceed.

    The shard's ranges are of the ascending chosen rows, if some were chosen; pairs name rows of hashes.
    """
    rows, against = range(*shard["rows"]), range(*shard["against"])
    if shard["way"] == "ring":
        from lookalike.index import bands, ring

        order = bands.bit_order(hashes)
        return ring.pairs_of_band(hashes, rows, against, shard["band"], order, shard["radius"], chosen)
    if chosen is not None:
        return _named(chosen, stream_shard(np.ascontiguousarray(hashes[chosen]), shard))
    if shard["way"] == "directory":
        from lookalike.index import directory

        return directory.pairs_between(hashes, rows, against, shard["radius"])
    if shard["way"] == "brute":
        from lookalike.index import brute

        return brute.pairs_between(hashes, rows, against, shard["radius"])
    return _flat_shard(hashes, rows, against, shard["radius"])


def warm() -> None:
    """Compile the kernels, or load them from the cache, so that the first real shard does not wait for it."""
    if not cost.has_numba():
        return
    hashes = np.zeros((4, 32), np.uint8)
    for radius in (15, 48):  # a 32-bit and a 64-bit filter
        for rows, against in (([0, 4], [0, 4]), ([2, 4], [0, 2])):
            for way in ("ring", "brute"):
                run_shard(hashes, _shard(way, 256, radius, rows, against, 0))
    run_shard(hashes[:, :8].copy(), _shard("directory", 64, 15, [2, 4], [0, 2], 0))
    from lookalike.index.equal_table import first_equal_rows

    first_equal_rows(np.zeros((4, 4), np.uint64))


def _named(chosen: Rows, parts: Iterable[Pairs]) -> Iterator[Pairs]:
    return (Pairs(chosen[part.i], chosen[part.j], part.distance) for part in parts)


def _shards(rows: range, against: range, bits: int, radius: int, memory_bytes: int) -> list[Shard]:
    if not rows or not against:
        return []
    is_self = rows == against
    way = _cheapest(len(rows), len(against), bits, radius, is_self)
    step = _rows_within(memory_bytes, way, bits)
    if way != "ring":
        step = min(step, _rows_in_time(len(rows), len(against), bits, radius))
    blocks = [
        (a, b) for a in _parts(rows, step) for b in _parts(against, step) if not is_self or b.start <= a.start
    ]
    return [
        _shard(way, bits, radius, [a.start, a.stop], [b.start, b.stop], band)
        for a, b in blocks
        for band in _bands(way, bits, radius)
    ]


def _shard(way: str, bits: int, radius: int, rows: list[int], against: list[int], band: int) -> Shard:
    return {"way": way, "bits": bits, "radius": radius, "rows": rows, "against": against, "band": band}


def _bands(way: str, bits: int, radius: int) -> list[int]:
    """Return the bands to join: those with a budget of 0 start no pair."""
    if way != "ring":
        return [0]
    return np.flatnonzero(budgets(bits, radius)).tolist()


def _parts(rows: range, step: int) -> list[range]:
    """Return rows cut into equal parts of at most step."""
    count = max(1, -(-len(rows) // step))
    edges = [rows.start + len(rows) * part // count for part in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def _rows_within(memory_bytes: int, way: str, bits: int) -> int:
    """Return how many rows each side of a shard may have."""
    bytes_a_row = _RING_BYTES_A_ROW if way == "ring" else max(8.0, bits * _PLANE_BYTES_A_BIT)
    return max(1 << 12, int((memory_bytes - _FIXED_BYTES) / (2 * bytes_a_row)))


def _rows_in_time(queries: int, candidates: int, bits: int, radius: int) -> int:
    """Return a step so that a shard of brute force takes about ten seconds."""
    seconds = cost.brute_seconds(queries, candidates, bits, radius, False)
    parts = max(1.0, seconds / _SHARD_SECONDS) ** 0.5
    return max(1 << 12, int(max(queries, candidates) / parts))


def _cheapest(queries: int, candidates: int, bits: int, radius: int, is_self: bool) -> str:
    if not cost.has_numba():
        return "flat"
    start = 0.0 if "numba" in sys.modules else cost.NUMBA_START_SECONDS
    seconds: dict[str, Any] = {
        "flat": cost.flat_seconds(queries, candidates),
        "brute": start + 0.001 + cost.brute_seconds(queries, candidates, bits, radius, is_self),
        "directory": start + 0.001 + cost.directory_seconds(queries, candidates, bits, radius, is_self),
        "ring": start + 0.001 + cost.ring_seconds(queries, candidates, bits, radius, is_self),
    }
    return min(seconds, key=lambda way: float(seconds[way]))


def _flat_shard(hashes: Hashes, rows: range, against: range, radius: int) -> Iterator[Pairs]:
    asked = hashes[rows.start : rows.stop]
    if rows == against:
        found = flat.self_join(asked, radius)
    else:
        found = flat.join(asked, hashes[against.start : against.stop], radius)
    i, j = found.i + np.int32(rows.start), found.j + np.int32(against.start)
    yield Pairs(np.minimum(i, j), np.maximum(i, j), found.distance)
