"""Pairs of pictures that have a strip along one side in common, whatever lies over a part of the rest.

The strips of both are the same ones: a logo leaves what is left in its place. Pictures of one template, such
as receipts, have their margins in common; they are made on paper of one tone, and have no strips to join.
What has a frame in common, such as playing cards, is not as it was elsewhere, which thumbnails tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import Columns
from lookalike.index import planner
from lookalike.local.unchanged import unchanged_shares

RADIUS = 4
"""Bits of 63 within which all logos on 361 photos leave a strip, and no two of these photos have one."""
UNCHANGED_LEAST = 0.45
"""Share of the thumbnails: logos on 30 % of the area leave 0.56 and more, others 0.35 but for 1 in 30."""
_BITS = 64
_LOOKED_AT_TOGETHER = 10_000

Rows = NDArray[np.integer[Any]]


def strip_distance(a: np.void, b: np.void) -> int | None:
    """Return the fewest bits in which a strip of two FEATURES records differs; None if they have none."""
    both = (a["strips"] != 0) & (b["strips"] != 0)
    return int(np.bitwise_count(a["strips"] ^ b["strips"])[both].min()) if both.any() else None


def strip_pairs(columns: Columns, first_new: int, memory_bytes: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows i, j of pictures that share a strip, one of them at or after first_new, in parts."""
    for i, j in _near(columns, first_new, memory_bytes):
        for start in range(0, len(i), _LOOKED_AT_TOGETHER):
            one, other = i[start : start + _LOOKED_AT_TOGETHER], j[start : start + _LOOKED_AT_TOGETHER]
            shares = unchanged_shares(columns.local_of(one), columns.local_of(other))
            kept = shares >= UNCHANGED_LEAST
            yield one[kept], other[kept]


def _near(columns: Columns, first_new: int, memory_bytes: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows with nearly equal strips, side by side."""
    strips = columns.plain_of(slice(None))["strips"]
    for side in range(strips.shape[1]):
        rows = np.flatnonzero(strips[:, side])
        hashes = np.ascontiguousarray(strips[rows, side])[:, None].view(np.uint8)
        first = int(np.searchsorted(rows, first_new))
        for shard in planner.plan_shards(len(rows), _BITS, RADIUS, memory_bytes, first):
            for pairs in planner.stream_shard(hashes, shard):
                yield rows[pairs.i], rows[pairs.j]
