"""The slow truth: every row against every row, in plain NumPy.

It is what the fast joins are proven equal to, and what small jobs use, as importing Numba costs more than it
saves there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lookalike.index.pairs import Pairs, gathered, make_pairs
from lookalike.index.words import Hashes, Words, distances, to_words

BLOCK_BYTES = 8 << 20
"""Of the table of distances that is made at a time."""


def self_join(hashes: Hashes, radius: int) -> Pairs:
    """Return every pair i < j of rows of hashes (N, bytes) uint8 at most radius bits apart."""
    words = to_words(hashes)
    blocks = _blocks(words, words)
    return gathered([_above_diagonal(_near(words, rows, words, rows.start, radius)) for rows in blocks])


def join(a: Hashes, b: Hashes, radius: int) -> Pairs:
    """Return every pair of a row i of a and a row j of b at most radius bits apart."""
    first, second = to_words(a), to_words(b)
    return gathered([_near(first, rows, second, 0, radius) for rows in _blocks(first, second)])


def _blocks(a: Words, b: Words) -> Iterator[slice]:
    step = max(1, BLOCK_BYTES // max(1, b.nbytes))
    return (slice(start, min(start + step, len(a))) for start in range(0, len(a), step))


def _near(a: Words, rows: slice, b: Words, first: int, radius: int) -> Pairs:
    """Return the near pairs of a[rows] and b[first:]."""
    table = distances(a[rows, None], b[None, first:])
    i, j = np.nonzero(table <= radius)
    return make_pairs(i + rows.start, j + first, table[i, j])


def _above_diagonal(pairs: Pairs) -> Pairs:
    return pairs[pairs.i < pairs.j]
