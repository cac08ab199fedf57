"""Equal hashes collapsed: a picture stored twenty thousand times is joined once, its copies come along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.index.pairs import Pairs, gathered, make_pairs
from lookalike.index.words import Hashes, Words, to_words

FEW_ROWS = 20_000
"""Up to here NumPy finds equal rows before Numba is even imported."""


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct hashes of some rows.

    `rows[d]` is the first row with distinct hash d, ascending; the rows with that hash, ascending, are
    `members[starts[d]:starts[d + 1]]`.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    members: NDArray[np.int64]

    @property
    def has_equals(self) -> bool:
        """Whether any two rows are equal."""
        return len(self.rows) < len(self.members)

    def expand(self, pairs: Pairs) -> Pairs:
        """Return the pairs of rows that pairs of distinct hashes stand for, and those of equal hashes.

        A hub of k equal hashes alone makes k(k - 1) / 2 of them: large jobs keep the distinct pairs instead.
        """
        if not self.has_equals:
            return pairs
        sizes = np.diff(self.starts)
        i, j = self._products(pairs.i, pairs.j, sizes)
        distance = np.repeat(pairs.distance, sizes[pairs.i] * sizes[pairs.j])
        between = make_pairs(np.minimum(i, j), np.maximum(i, j), distance)
        hubs = np.flatnonzero(sizes > 1)
        i, j = self._products(hubs, hubs, sizes)
        within = make_pairs(i[i < j], j[i < j], np.zeros(int(np.sum(i < j)), np.int16))
        return gathered([between, within])

    def _products(
        self, a: NDArray[np.integer], b: NDArray[np.integer], sizes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return every row of hash a[n] with every row of hash b[n], n after n."""
        counts = sizes[a] * sizes[b]
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        width = np.repeat(sizes[b], counts)
        return (
            self.members[np.repeat(self.starts[a], counts) + place // width],
            self.members[np.repeat(self.starts[b], counts) + place % width],
        )


def collapse(hashes: Hashes) -> Distinct:
    """Return the distinct hashes of hashes (N, bytes) uint8."""
    words = to_words(hashes)
    first = _first_by_sorting(words) if len(words) <= FEW_ROWS else _first_by_table(words)
    rows, number = np.unique(first, return_inverse=True)
    starts = np.append(0, np.cumsum(np.bincount(number, minlength=len(rows))))
    return Distinct(rows.astype(np.int64), starts, np.argsort(number, kind="stable"))


def _first_by_sorting(words: Words) -> NDArray[np.int64]:
    """Return for each row the first row that equals it."""
    keys = np.ascontiguousarray(words).view(np.dtype((np.void, words.shape[1] * 8))).ravel()
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = first[number].astype(np.int64)
    return found


def _first_by_table(words: Words) -> NDArray[np.int64]:
    try:
        from lookalike.index.equal_table import first_equal_rows
    except ImportError:  # no Numba for this platform: slower, the same result
        return _first_by_sorting(words)
    rows: NDArray[np.int64] = first_equal_rows(words)
    return rows
