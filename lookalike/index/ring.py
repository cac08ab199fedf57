"""The ring join: exact, and far from quadratic.

The bits of a hash are cut into m bands of 16, laid out as a ring. Each band i gets a budget u_i, a whole
number, and the budgets sum to radius + 1. Take two hashes at most `radius` bits apart and go round the ring
from some band, adding up flips and budgets. As all flips are fewer than all budgets, there is a band from
which the flips stay below the budgets at *every* step of the way (the cycle lemma; Qin and Xiao,
"Pigeonring", VLDB 2018). That start band is

- an index: its own flips are below u_i. So rows are sorted by the 16 bits of the band, and each bucket is
  compared with the few buckets whose key differs in less than u_i bits (17 of 65,536 at radius 31 of 256
  bits);
- a filter: the flips of the next `reach` bands are also below their budgets. Those bands, 32 or 48 bits, lie
  beside the sorted rows as one word. A processor compares 8 by 8 of them in a vector loop, which is nearly
  all of the work, and lets through one random pair in some 100,000;
- a name for the pair: it passes both tests in at least one band, perhaps in several. It is emitted by the
  lowest of them only. So no pair comes twice, nothing global is remembered, and bands and ranges of rows are
  independent shards.

What passes is held until some thousands are there; then their rows, which lie anywhere in memory, are asked
for ahead of their turn, and each has its full distance taken. So the result is exact; nothing depends on the
data but the speed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike.index.bands import Band, band_masks, budgets, key_bits_for, make_band
from lookalike.index.found import Found
from lookalike.index.pairs import Pairs
from lookalike.index.ring_kernels import (
    Rule,
    SortedRows,
    count_keys,
    join_buckets,
    place_rows,
    room_to_hold,
)
from lookalike.index.vectors import PADDING, lanes_of
from lookalike.index.words import Hashes, Rows, read_only, to_words

EVERY_ROW: Rows = np.empty(0, np.int32)


def pairs_of_band(
    hashes: Hashes,
    queries: range,
    candidates: range,
    number: int,
    order: NDArray[np.int64],
    radius: int,
    chosen: Rows | None = None,
) -> Iterator[Pairs]:
    """Yield, in parts of bounded size, the pairs within radius whose lowest band is `number`.

    One row is of `queries`, the other of `candidates`: two ranges of rows of hashes that are equal or do not
    overlap; ranges of the chosen rows, if some were chosen. Pairs always name rows of hashes.
    """
    if chosen is None:
        chosen = EVERY_ROW
    hashes = read_only(hashes)
    band = make_band(number, order, radius, key_bits_for(max(len(queries), len(candidates))))
    if len(band.masks) == 0:
        return
    asked = sort_rows(hashes, queries, band, chosen)
    given = asked if queries == candidates else sort_rows(hashes, candidates, band, chosen)
    shares = budgets(len(order), radius)
    rule = Rule(to_words(hashes), band_masks(order), shares, band.reach, number, radius)
    lanes = lanes_of(given.filters)
    held, found = room_to_hold(), Found()
    position = np.zeros(4, np.int64)
    while position[0] < len(band.masks):
        count = join_buckets(
            asked, given, queries == candidates, band.masks, band.radii, lanes, rule,
            position, held, found.i, found.j, found.distance,
        )  # fmt: skip
        yield found.take(count)


def sort_rows(hashes: Hashes, rows: range, band: Band, chosen: Rows = EVERY_ROW) -> SortedRows:
    """Return the rows of the range by their key in the band, with the filter words beside them."""
    chosen = read_only(chosen)
    codes = np.empty(len(rows), np.uint64)
    starts = np.zeros((1 << band.key_bits) + 1, np.int64)
    count_keys(hashes, chosen, rows.start, band.key_bits, band.code_bytes, band.code_tables, codes, starts)
    sorted_rows = np.empty(len(rows), np.int32)
    filters = np.zeros(len(rows) + PADDING, band.filter_type)
    place_rows(codes, chosen, rows.start, band.key_bits, starts, sorted_rows, filters)
    return SortedRows(sorted_rows, filters, starts)
