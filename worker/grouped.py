"""Groups of contents spread out into groups of images: all that have the same bytes go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lookalike import relations
from lookalike.decisions import KEEP_BOTH, NOT_DUPLICATES, VERDICTS, Decided
from lookalike.grouping import IDENTICAL_TENTHS, Groups, group
from storage.groups import LISTED, NewGroups
from storage.images import Snapshot
from storage.matches import Matches

Integers = NDArray[np.int64]
# Takes the members (places in the snapshot) group by group, originals first, and their groups' numbers;
# returns for each group the bits of lookalike.ranking that say why its original is kept.
ReasonsOf = Callable[[Integers, Integers], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Entries:
    """Contents listed in groups, one value an entry; `match` is -1 for a group's original content."""

    group: Integers
    content: Integers
    tenths: Integers
    match: Integers
    is_related: NDArray[np.bool_]

    def __getitem__(self, chosen: Integers) -> Entries:
        return Entries(
            self.group[chosen],
            self.content[chosen],
            self.tenths[chosen],
            self.match[chosen],
            self.is_related[chosen],
        )


class Collection:
    """The images of a job, their ranks, the matches of their contents, and what was decided of those."""

    def __init__(self, snapshot: Snapshot, ranks: Integers, matches: Matches, decided: Decided) -> None:
        """Take one rank an image, 0 for the best."""
        verdicts = decided.of(matches.low_content, matches.high_content)
        is_match = verdicts != VERDICTS.index(NOT_DUPLICATES)
        matches = matches[is_match]
        self._joins = verdicts[is_match] != VERDICTS.index(KEEP_BOTH)
        self._snapshot, self._ranks = snapshot, ranks
        self._contents, content_of_image = np.unique(snapshot.content_ids, return_inverse=True)
        self._keeps_copies = np.isin(self._contents, decided.kept_copies)
        # The images of each content, best first, one content after another.
        self._images = np.lexsort((ranks, content_of_image))
        self._counts = np.bincount(content_of_image, minlength=len(self._contents))
        self._starts = np.cumsum(self._counts) - self._counts
        self._low = np.searchsorted(self._contents, matches.low_content)
        self._high = np.searchsorted(self._contents, matches.high_content)
        self._matches = matches

    @cached_property
    def _content_ranks(self) -> Integers:
        best = self._ranks[self._images[self._starts]] if len(self._contents) else np.empty(0, np.int64)
        ranks = np.empty(len(best), np.int64)
        ranks[np.argsort(best)] = np.arange(len(best))
        return ranks

    def grouped(self, threshold_tenths: int) -> Entries:
        """Return the entries at a threshold, group by group in the rank order of their originals."""
        tenths = self._matches.tenths
        groups = group(self._content_ranks, self._low, self._high, tenths, threshold_tenths, self._joins)
        copies = self._copies_alone(groups)
        originals = np.concatenate([groups.originals, copies])
        entries = _joined(_members(groups), self._alone(copies, len(groups), threshold_tenths))
        number_of = np.empty(len(originals), np.int64)
        number_of[np.argsort(self._content_ranks[originals])] = np.arange(len(originals))
        entries = Entries(
            number_of[entries.group], entries.content, entries.tenths, entries.match, entries.is_related
        )
        return entries[np.lexsort((entries.is_related, entries.group))]

    def images(self, entries: Entries, reasons_of: ReasonsOf) -> NewGroups:
        """Return the groups of images to store."""
        counts = self._counts[entries.content]
        entry = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
        image = self._images[self._starts[entries.content][entry] + within]
        # Copies of an original that are to stay are seen, and not to be removed.
        is_kept = (entries.match[entry] < 0) & (within > 0) & self._keeps_copies[entries.content[entry]]
        number, is_related = entries.group[entry], entries.is_related[entry] | is_kept
        order = np.lexsort((is_related, number))
        entry, within, image, is_kept = entry[order], within[order], image[order], is_kept[order]
        number, is_related = number[order], is_related[order]
        is_first = (entries.match[entry] < 0) & (within == 0)
        byte_counts = np.where(is_related | is_first, 0, self._snapshot.byte_counts[image])
        group_count = int(number.max()) + 1 if len(number) else 0
        listed = np.empty(len(entry), LISTED)
        listed["row"] = self._snapshot.row_ids[image]
        listed["content"] = self._snapshot.content_ids[image]
        listed["related_to"] = np.where(is_related, self._counterparts(entries, entry), 0)
        listed["related_to"][is_kept] = self._rows(entries.content[entry[is_kept]])
        listed["tenths"] = entries.tenths[entry]
        listed["relation"] = self._relations(entries.match[entry], within)
        listed["is_related"] = is_related
        return NewGroups(
            listed=listed,
            starts=np.searchsorted(number, np.arange(group_count + 1)),
            reasons=reasons_of(image[~is_related], number[~is_related]),
            reclaimable_bytes=np.bincount(number, byte_counts, group_count).astype(np.int64),
        )

    def _copies_alone(self, groups: Groups) -> Integers:
        """Contents in no group that several images have, which need not all stay."""
        is_listed = np.zeros(len(self._contents), bool)
        is_listed[groups.images] = True
        return np.flatnonzero(~is_listed & (self._counts > 1) & ~self._keeps_copies)

    def _alone(self, copies: Integers, first: int, threshold_tenths: int) -> Entries:
        """Groups of one content each, numbered from `first`; what matches it is elsewhere and related."""
        number_of = np.full(len(self._contents), -1, np.int64)
        number_of[copies] = np.arange(first, first + len(copies))
        near = np.flatnonzero(self._matches.tenths >= threshold_tenths)
        both = [(self._low[near], self._high[near]), (self._high[near], self._low[near])]
        mine = np.concatenate([number_of[one] for one, _ in both])
        others = np.concatenate([other for _, other in both])
        match = np.concatenate([near, near])
        kept = np.flatnonzero(mine >= 0)
        kept = kept[np.lexsort((self._content_ranks[others[kept]], -self._matches.tenths[match[kept]]))]
        zero = np.zeros(len(copies), np.int64)
        originals = Entries(
            number_of[copies], copies, zero + IDENTICAL_TENTHS, zero - 1, np.zeros(len(copies), bool)
        )
        related = Entries(
            mine[kept],
            others[kept],
            self._matches.tenths[match[kept]],
            match[kept],
            np.ones(len(kept), bool),
        )
        return _joined(originals, related)

    def _relations(self, match: Integers, within: Integers) -> Integers:
        numbers = np.full(len(match), relations.NUMBERS[relations.IDENTICAL_FILE], np.int64)
        numbers[match >= 0] = self._matches.relation[match[match >= 0]]
        numbers[(match < 0) & (within == 0)] = relations.NUMBERS[relations.ORIGINAL]
        return numbers

    def _counterparts(self, entries: Entries, entry: Integers) -> Integers:
        """The row of the best image that has the other content of each entry's match."""
        match = entries.match[entry]
        content = entries.content[entry]
        if not len(self._low):
            return np.zeros(len(match), np.int64)
        other = np.where(self._low[match] == content, self._high[match], self._low[match])
        return self._rows(other)

    def _rows(self, content: Integers) -> Integers:
        """The row of the best image that has each content."""
        rows: Integers = self._snapshot.row_ids[self._images[self._starts[content]]]
        return rows


def _members(groups: Groups) -> Entries:
    listed = _entries(groups.starts, groups.images, groups.tenths, groups.matches, is_related=False)
    related = _entries(
        groups.related_starts,
        groups.related_images,
        groups.related_tenths,
        groups.related_matches,
        is_related=True,
    )
    return _joined(listed, related)


def _entries(
    starts: Integers, content: Integers, tenths: Integers, match: Integers, *, is_related: bool
) -> Entries:
    number = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return Entries(number, content, tenths, match, np.full(len(content), is_related))


def _joined(one: Entries, other: Entries) -> Entries:
    return Entries(
        np.concatenate([one.group, other.group]),
        np.concatenate([one.content, other.content]),
        np.concatenate([one.tenths, other.tenths]),
        np.concatenate([one.match, other.match]),
        np.concatenate([one.is_related, other.is_related]),
    )
