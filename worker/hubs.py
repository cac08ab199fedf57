"""Hubs verified: of very many images that are all candidates of each other, only what groups depend on.

Groups are made in the order of rank: an image that no better original has taken becomes an original and
takes what matches it (lookalike/grouping.py). So once an original has taken two images, whether those two
match each other decides nothing: neither becomes an original, both are listed in one group. Such pairs are
spared, and counted. Five thousand nearly equal images take some five thousand comparisons, not twelve
million, and the groups at the job's threshold are exactly those of all of them.

An image that has candidates outside the hub, or about which somebody has decided, may belong to another
group than it seems from in here: none of its pairs is spared, nor those of what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike import candidates
from lookalike.columns import Columns

Integers = NDArray[np.int64]
Verify = Callable[[Integers, Integers], Integers]

_NOBODY = -1
_SEVERAL = -2


def verified(columns: Columns, is_contested: NDArray[np.bool_], threshold_tenths: int, verify: Verify) -> int:
    """Have those pairs of a hub verified that its groups depend on, and return how many are spared.

    columns are the images in the order of their rank, best first. verify is given rows and others and returns
    the similarities in tenths. Spared pairs are counted as if all images were candidates of each other.
    """
    count = len(columns)
    # Which original has taken each image; _SEVERAL where it is not sure that it is the first that does.
    taken_by = np.full(count, _NOBODY)
    spared = 0
    for row in range(count):
        others = np.arange(row + 1, count)
        is_mine = (taken_by[others] == taken_by[row]) & (taken_by[row] >= 0)
        spared += int(is_mine.sum())
        near = _candidates_of(columns, row, others[~is_mine])
        if not len(near):
            continue
        tenths = verify(np.full(len(near), row), near)
        if taken_by[row] >= 0:
            continue
        # An original for certain, if nobody else can take it.
        is_certain = taken_by[row] == _NOBODY and not is_contested[row]
        matched = near[tenths >= threshold_tenths]
        free = matched[taken_by[matched] == _NOBODY]
        taken_by[free] = np.where(is_certain & ~is_contested[free], row, _SEVERAL)
    return spared


def _candidates_of(columns: Columns, row: int, others: Integers) -> Integers:
    """Return those of the others, all below the row, that are its candidates."""
    found = [np.empty(0, np.int64)]
    for part in _parts(others):
        together = columns.take(part).and_then(columns.take(np.array([row])))
        for spec in candidates.plan(len(together), 1):
            rows = candidates.candidates(together, spec, len(part))[:, 0]
            found.append(part[rows])
    return np.unique(np.concatenate(found))


def _parts(rows: Integers, size: int = 20_000) -> Iterator[Integers]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
