"""Which group of a run is which group of the run before it, and what has become of each.

Groups are followed by their contents, so a renamed or moved image stays where it was. Where a group and an
earlier one share contents, the earlier one's id may go on: with the largest overlap first, of equal ones with
the earlier group that is older, then with the group whose original is better. Each id goes on once and each
group has one. So of groups that merge the largest part gives its id, and of one that splits the largest part
keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


class Change(IntFlag):
    """What happened to a group since the run before. Stored as a number: append only."""

    NEW = 1  # none of its images was in a group
    GROWN = 2  # it has images that it had not
    SHRUNK = 4  # it lost images
    MERGED = 8  # it has images of several groups
    SPLIT = 16  # images that were in one group with some of its own are now in another
    ORIGINAL_CHANGED = 32
    GONE = 64  # it is no more; its images stand alone, left, or went to other groups


@dataclass(frozen=True, eq=False)
class Members:
    """The images of groups, one value an image: the place of its group from 0 on, and its content.

    The images of a group stand together, the original first; a content is in one group only.
    """

    group: Integers
    content: Integers
    group_count: int


@dataclass(frozen=True, eq=False)
class Succession:
    """heir_of[g] is the earlier group that new group g continues, or -1; changes[g] are bits of Change.

    overlaps (k, 2) are all pairs (earlier, new) that share a content, ordered; is_gone marks the earlier
    groups that none continues.
    """

    heir_of: Integers
    changes: Integers
    overlaps: Integers
    is_gone: NDArray[np.bool_]


def succession(earlier: Members, new: Members) -> Succession:
    """Compare two runs; earlier groups are in order of age, oldest first, new ones by their originals."""
    old_contents, old_group = _distinct(earlier)
    new_contents, new_group = _distinct(new)
    _, in_old, in_new = np.intersect1d(old_contents, new_contents, assume_unique=True, return_indices=True)
    packed = old_group[in_old] * max(1, new.group_count) + new_group[in_new]
    packed, counts = np.unique(packed, return_counts=True)
    overlaps = np.stack(np.divmod(packed, max(1, new.group_count)), axis=1)
    heir_of = _heirs(overlaps, counts, earlier.group_count, new.group_count)
    is_gone = np.ones(earlier.group_count, bool)
    is_gone[heir_of[heir_of >= 0]] = False
    return Succession(heir_of, _changes(earlier, new, overlaps, heir_of), overlaps, is_gone)


def _distinct(members: Members) -> tuple[Integers, Integers]:
    contents, first = np.unique(members.content, return_index=True)
    return contents, members.group[first]


def _heirs(overlaps: Integers, counts: Integers, old_count: int, new_count: int) -> Integers:
    heirs = np.full(new_count, -1, np.int64)
    order = np.lexsort((overlaps[:, 1], overlaps[:, 0], -counts))
    is_given = bytearray(old_count)
    has_one = bytearray(new_count)
    for earlier, new in overlaps[order].tolist():
        if not is_given[earlier] and not has_one[new]:
            is_given[earlier] = has_one[new] = 1
            heirs[new] = earlier
    return heirs


def _changes(earlier: Members, new: Members, overlaps: Integers, heir_of: Integers) -> Integers:
    changes = np.zeros(new.group_count, np.int64)
    sources = np.bincount(overlaps[:, 1], minlength=new.group_count)
    targets = np.bincount(overlaps[:, 0], minlength=earlier.group_count)
    changes[sources == 0] |= Change.NEW
    changes[sources > 1] |= Change.MERGED
    changes[overlaps[targets[overlaps[:, 0]] > 1, 1]] |= Change.SPLIT
    # The same contents under other names are no growth; one more copy of a content is.
    new_of = np.full(earlier.group_count, -1, np.int64)
    new_of[heir_of[heir_of >= 0]] = np.flatnonzero(heir_of >= 0)
    grown, shrunk = _more(new.group, new.content, new_of[earlier.group], earlier.content)
    changes[grown] |= Change.GROWN
    changes[shrunk[shrunk >= 0]] |= Change.SHRUNK
    changes[heir_of < 0] &= ~(Change.GROWN | Change.SHRUNK)
    kept = np.flatnonzero(heir_of >= 0)
    originals, before = new.content[_firsts(new)], earlier.content[_firsts(earlier)]
    changes[kept[originals[kept] != before[heir_of[kept]]]] |= Change.ORIGINAL_CHANGED
    return changes


def _firsts(members: Members) -> Integers:
    return np.flatnonzero(np.diff(members.group, prepend=-1)).astype(np.int64)


def _more(
    group: Integers, content: Integers, other_group: Integers, other: Integers
) -> tuple[Integers, Integers]:
    """The groups that have more images of some content on the one side, and on the other."""
    numbers, places = np.unique(np.concatenate([content, other]), return_inverse=True)
    keys = np.concatenate([group, other_group]) * max(1, len(numbers)) + places
    keys, which = np.unique(keys, return_inverse=True)
    balance = np.bincount(which[: len(group)], minlength=len(keys)) - np.bincount(
        which[len(group) :], minlength=len(keys)
    )
    groups = np.floor_divide(keys, max(1, len(numbers)))
    return np.unique(groups[balance > 0]), np.unique(groups[balance < 0])
