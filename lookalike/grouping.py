"""Groups of duplicates from matches, canonical: the same whatever the order in which images came.

Images have a total rank. In rank order, an image that no better original has taken becomes an original, and
those of its matches that nobody has taken join it. So originals never match one another, and every member has
a match of its own to its original: no chain of small changes joins two pictures that do not match. A member
stays with its first original; its matches outside the group are `related`, shown and never removed.

Where people have decided that both of two images are to stay, their match makes no member and no original
lose its place: it is only seen as `related` (lookalike.decisions).

A group depends only on the images connected with it by matches. So after images came or went it is enough to
group the connected components that they touch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]

IDENTICAL_TENTHS = 1000
_EDGES_AT_A_TIME = 1 << 18


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups by the rank of their originals; group g is `images[starts[g]:starts[g + 1]]`, original first.

    Members follow by similarity to the original, most similar first, then by rank. `tenths` is that
    similarity in tenths (1000 for the original itself), `matches` the index of the match given to `group` (-1
    for the original). `related_*` is the same for images outside the group that match one in it: with the
    best match.
    """

    starts: NDArray[np.int64]
    images: NDArray[np.int64]
    tenths: NDArray[np.int64]
    matches: NDArray[np.int64]
    related_starts: NDArray[np.int64]
    related_images: NDArray[np.int64]
    related_tenths: NDArray[np.int64]
    related_matches: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def originals(self) -> NDArray[np.int64]:
        """The rows of the originals, one a group."""
        return self.images[self.starts[:-1]]

    @property
    def image_counts(self) -> NDArray[np.int64]:
        """The number of images of each group, its original included."""
        return np.diff(self.starts)


def group(
    rank: Integers,
    low: Integers,
    high: Integers,
    tenths: Integers,
    threshold_tenths: int,
    joins: NDArray[np.bool_] | None = None,
) -> Groups:
    """Return the duplicate groups at a threshold.

    rank[image] is 0 for the best image, a permutation; low, high and tenths are the matches, each pair of
    images at most once, with its similarity in tenths of a percent. Those below threshold_tenths are left
    out. Matches for which `joins` is false relate their images, and put them in no group.
    """
    rank = np.asarray(rank, np.int64)
    kept = np.flatnonzero(np.asarray(tenths) >= threshold_tenths)
    by_rank = np.empty(len(rank), np.int64)
    by_rank[rank] = np.arange(len(rank))
    one, other = rank[np.asarray(low)[kept]], rank[np.asarray(high)[kept]]
    # From here on images are called by their rank: better is smaller.
    matches = _Matches(
        np.minimum(one, other), np.maximum(one, other), np.asarray(tenths, np.int64)[kept], kept
    )
    joining = matches if joins is None else matches[np.flatnonzero(np.asarray(joins)[kept])]
    originals = _originals(len(rank), joining)
    inside = _memberships(matches, originals)
    outside = _outside_matches(matches, originals)
    heads = inside.originals[np.flatnonzero(np.diff(inside.originals, prepend=-1))]
    return Groups(
        starts=_starts(inside, heads),
        images=by_rank[inside.images],
        tenths=inside.tenths,
        matches=inside.matches,
        related_starts=_starts(outside, heads),
        related_images=by_rank[outside.images],
        related_tenths=outside.tenths,
        related_matches=outside.matches,
    )


def component_labels(image_count: int, low: Integers, high: Integers) -> NDArray[np.int64]:
    """Return for each image the number of the connected component that the matches put it in."""
    # Slow to import, and only incremental jobs need it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(low), np.uint8)
    graph = coo_array((ones, (np.asarray(low), np.asarray(high))), shape=(image_count, image_count))
    labels: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


@dataclass(frozen=True)
class _Matches:
    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    tenths: NDArray[np.int64]
    index: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.int64]) -> _Matches:
        return _Matches(self.better[chosen], self.worse[chosen], self.tenths[chosen], self.index[chosen])


@dataclass(frozen=True)
class _Listed:
    """Images listed under originals, in the order of the result."""

    originals: NDArray[np.int64]
    images: NDArray[np.int64]
    tenths: NDArray[np.int64]
    matches: NDArray[np.int64]


def _originals(image_count: int, matches: _Matches) -> NDArray[np.int64]:
    """Return for each image its original: itself where it is one or stands alone.

    Matches are taken by the rank of their better image. When its turn comes, all that could make it a member
    has been seen.
    """
    taken_by = list(range(image_count))
    order = np.argsort(matches.better, kind="stable")
    for start in range(0, len(order), _EDGES_AT_A_TIME):
        part = order[start : start + _EDGES_AT_A_TIME]
        for better, worse in zip(matches.better[part].tolist(), matches.worse[part].tolist(), strict=True):
            if taken_by[better] == better and taken_by[worse] == worse:
                taken_by[worse] = better
    return np.array(taken_by, np.int64)


def _memberships(matches: _Matches, originals: NDArray[np.int64]) -> _Listed:
    of_member = np.flatnonzero(originals[matches.worse] == matches.better)
    heads = np.unique(matches.better[of_member])
    return _listed(
        np.concatenate([heads, matches.better[of_member]]),
        np.concatenate([heads, matches.worse[of_member]]),
        np.concatenate([np.full(len(heads), IDENTICAL_TENTHS), matches.tenths[of_member]]),
        np.concatenate([np.full(len(heads), -1), matches.index[of_member]]),
    )


def _outside_matches(matches: _Matches, originals: NDArray[np.int64]) -> _Listed:
    """Return, under each original, the images of other groups or none that match one of its group."""
    apart = np.flatnonzero(originals[matches.better] != originals[matches.worse])
    inner = np.concatenate([matches.better[apart], matches.worse[apart]])
    outer = np.concatenate([matches.worse[apart], matches.better[apart]])
    index = np.concatenate([apart, apart])
    grouped = np.flatnonzero(_in_a_group(originals)[inner])
    inner, outer, index = inner[grouped], outer[grouped], index[grouped]
    # The best match of each image with the group; of equal ones, that with the best image of the group.
    order = _order(originals[inner], outer, IDENTICAL_TENTHS - matches.tenths[index], inner, len(originals))
    group_of, outer, index = originals[inner[order]], outer[order], index[order]
    first = np.ones(len(order), bool)
    first[1:] = (group_of[1:] != group_of[:-1]) | (outer[1:] != outer[:-1])
    return _listed(group_of[first], outer[first], matches.tenths[index[first]], matches.index[index[first]])


def _in_a_group(originals: NDArray[np.int64]) -> NDArray[np.bool_]:
    alone = np.bincount(originals, minlength=len(originals)) == 1
    grouped: NDArray[np.bool_] = ~alone[originals]
    return grouped


def _listed(
    originals: NDArray[np.int64],
    images: NDArray[np.int64],
    tenths: NDArray[np.int64],
    matches: NDArray[np.int64],
) -> _Listed:
    """Return the images by original; the original itself first, then by similarity, then by rank."""
    count = int(max(images.max(initial=0), originals.max(initial=0))) + 1
    order = _order(originals, images != originals, IDENTICAL_TENTHS - tenths, images, count)
    return _Listed(originals[order], images[order], tenths[order], matches[order])


def _order(
    first: NDArray[np.int64],
    second: NDArray[np.integer] | NDArray[np.bool_],
    third: NDArray[np.int64],
    fourth: NDArray[np.int64],
    count: int,
) -> NDArray[np.intp]:
    """Return the order by four keys below count, packed in two: half the time of sorting by four."""
    return np.lexsort((third * count + fourth, first * count + second))


def _starts(listed: _Listed, heads: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.append(np.searchsorted(listed.originals, heads), len(listed.images)).astype(np.int64)
