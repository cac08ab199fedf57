"""What people have decided about pairs of images, and what it means for their match.

`not_duplicates`: the pair is no match. Neither is listed under the other, not as related either.
`keep_both`: they are copies, and both are to stay. The match is seen as `related`, but makes nobody a member
of a group, so neither is ever a copy to be removed in favour of the other.

Of two images with the same bytes only `keep_both` can be said, and it is said of all that have these bytes:
copies of a group's original are seen as `related`, and where there are only copies there is no group.

Both may still be members of the group of a third image that each of them matches: what was decided is said of
two images, and not of what they have in common with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

NOT_DUPLICATES: Final = "not_duplicates"
KEEP_BOTH: Final = "keep_both"
# Stored as their places here: append only.
VERDICTS: Final = (NOT_DUPLICATES, KEEP_BOTH)


@dataclass(frozen=True, eq=False)
class Decided:
    """Decided pairs of contents, one value a pair: low not above high, and the place in VERDICTS."""

    low: Integers
    high: Integers
    verdict: Integers

    @classmethod
    def nothing(cls) -> Decided:
        """Return no decisions."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty)

    def __len__(self) -> int:
        return len(self.low)

    @property
    def kept_copies(self) -> Integers:
        """The contents of which all copies are to stay."""
        kept: Integers = self.low[(self.low == self.high) & (self.verdict == VERDICTS.index(KEEP_BOTH))]
        return kept

    def of(self, low: Integers, high: Integers) -> Integers:
        """Return for pairs of contents, low below high, the place in VERDICTS, or -1."""
        found = np.full(len(low), -1, np.int64)
        if not len(self) or not len(low):
            return found
        contents = np.unique(np.concatenate([self.low, self.high]))
        keys = _key(contents, self.low, self.high)
        order = np.argsort(keys)
        inner = np.flatnonzero(np.isin(low, contents) & np.isin(high, contents))
        asked = _key(contents, low[inner], high[inner])
        places = np.minimum(np.searchsorted(keys[order], asked), len(keys) - 1)
        is_decided = keys[order][places] == asked
        found[inner[is_decided]] = self.verdict[order[places[is_decided]]]
        return found


def _key(contents: Integers, low: Integers, high: Integers) -> Integers:
    keys: Integers = np.searchsorted(contents, low) * len(contents) + np.searchsorted(contents, high)
    return keys
