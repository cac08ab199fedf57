"""Equal hashes collapsed: a picture stored twenty thousand times is joined once, its copies come along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lookalike.index.pairs import Pairs, gathered, make_pairs
from lookalike.index.words import Hashes, Words, to_words

FEW_ROWS = 20_000
"""Up to here NumPy finds equal rows before Numba is even imported."""


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct hashes of some rows.

    `rows[d]` is the first row with distinct hash d, ascending; `number[row]` is the distinct hash of a row;
    the rows with hash d, ascending, are `members[starts[d]:starts[d + 1]]`.
    """

    rows: NDArray[np.int32]
    number: NDArray[np.int32]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the members of each distinct hash start; one more entry than there are hashes."""
        return np.append(0, np.cumsum(np.bincount(self.number, minlength=len(self.rows))))

    @cached_property
    def members(self) -> NDArray[np.int64]:
        """All rows, by distinct hash."""
        return np.argsort(self.number, kind="stable")

    @property
    def has_equals(self) -> bool:
        """Whether any two rows are equal."""
        return len(self.rows) < len(self.number)

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
    is_first = first == np.arange(len(first), dtype=np.int32)
    number = np.cumsum(is_first, dtype=np.int32)[first] - np.int32(1)
    return Distinct(np.flatnonzero(is_first).astype(np.int32), number)


def _first_by_sorting(words: Words) -> NDArray[np.int32]:
    """Return for each row the first row that equals it."""
    keys = np.ascontiguousarray(words).view(np.dtype((np.void, words.shape[1] * 8))).ravel()
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    found: NDArray[np.int32] = first[number].astype(np.int32)
    return found


def _first_by_table(words: Words) -> NDArray[np.int32]:
    try:
        from lookalike.index.equal_table import first_equal_rows
    except ImportError:  # no Numba for this platform: slower, the same result
        return _first_by_sorting(words)
    rows: NDArray[np.int32] = first_equal_rows(words)
    return rows
