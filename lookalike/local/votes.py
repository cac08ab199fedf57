"""The join of local features: which pictures have key points that look alike and lie alike, and how one maps onto the other.

Two key points are a hit if they share a visual word and differ in at most HIT_RADIUS bits. Two pictures are candidates if
some of their hits, each the best of both its ends, agree on one turn, size and shift (geometry.py), at least VOTES_LEAST
of them, and are rare enough together: RARITY_LEAST bounds what comes about by chance. The pictures are tried both ways
round (a's words in b's lists and the reverse) and mirrored. Nothing but the two records and the frozen vocabulary counts,
so blocks, order and what else is stored change nothing.

A shard is a range of images against another, or against itself. In it, blocks of BLOCK_IMAGES are looked up in the lists of
the whole range; the hits of a block are sorted by picture and voted on, and only the pairs leave it. Memory is that of the
two ranges and one buffer of hits, whatever the size of the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.local.compiled import compiled, popcount
from lookalike.local.geometry import agree, fit, inverted
from lookalike.local.lists import Hits, Lists, found_hits, lists_of, probes_of
from lookalike.local.record import Records, mirrored
from lookalike.local.vocabulary import shipped

HIT_RADIUS = 44
VOTES_LEAST = 2
RARITY_LEAST = 9.0
VOTES_ENOUGH = 8
"""Counting stops here."""
HITS_OF_A_PAIR = 96
"""The first so many hits of two pictures are looked at, by word."""
BLOCK_IMAGES = 1024
BUFFER_HITS = 4_000_000
RANGE_IMAGES = 50_000
"""Images of a shard's range: about 0.25 GB of memory for each."""

VOTE = np.dtype(
    [
        ("i", "<i8"),
        ("j", "<i8"),
        # Whether picture i must be mirrored (left to right) before the transform applies.
        ("mirrored", "?"),
        # Key points that agree, VOTES_LEAST to VOTES_ENOUGH.
        ("votes", "u1"),
        # a, b, tx, ty: (x, y) of picture i's frame is (a x - b y + tx, b x + a y + ty) in picture j's.
        ("transform", "<f4", (4,)),
    ]
)
Votes = NDArray[np.void]
"""(n,) VOTE, i < j, unique and sorted by (i, j, mirrored)."""


class _Tables(NamedTuple):
    """Room for one block, taken once for a shard. Pages that are never written cost nothing."""

    hits: Hits
    sorted_hits: Hits
    counts: NDArray[np.int32]
    places: NDArray[np.int64]
    probing: NDArray[np.int64]
    listed: NDArray[np.int64]
    votes: NDArray[np.uint8]
    transforms: NDArray[np.float64]


def plan(image_count: int, new_count: int | None = None, range_images: int = RANGE_IMAGES) -> list[dict[str, Any]]:
    """Return the shards that together try all pairs of images, or those with one of the last new_count.

    A shard is {"a": [first, end], "b": [first, end]}; every pair belongs to exactly one.
    """
    first_new = 0 if new_count is None else max(0, image_count - new_count)
    old, new = _ranges(0, first_new, range_images), _ranges(first_new, image_count, range_images)
    pairs = [(a, b) for a in old for b in new] + [(a, b) for k, a in enumerate(new) for b in new[k:]]
    return [{"a": list(a), "b": list(b)} for a, b in pairs]


def _ranges(first: int, end: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, end)) for start in range(first, end, size)]


def run(records: Records, spec: dict[str, Any]) -> Votes:
    """Return the votes of one shard of plan(len(records))."""
    (a, a_end), (b, b_end) = spec["a"], spec["b"]
    if a == b:
        return self_join(records[a:a_end], a)
    return join(records[a:a_end], records[b:b_end], a, b)


def self_join(records: Records, first: int = 0) -> Votes:
    """Return the votes among the images of records (N,) LOCAL, numbered from first."""
    rarity, lists = shipped().rarity, _lists(records)
    tables = _tables(len(records))
    return _merged(
        [
            _as_votes(found, records, records, first, first, flipped)
            for flipped in (False, True)
            for found in _found(records, lists, flipped, rarity, tables, same=True)
        ]
    )


def join(a: Records, b: Records, first_a: int, first_b: int) -> Votes:
    """Return the votes between the images of a and of b, numbered from first_a and first_b, all of b after all of a."""
    rarity = shipped().rarity
    tables = _tables(max(len(a), len(b)))
    a_lists, b_lists = _lists(a), _lists(b)
    parts = []
    for flipped in (False, True):
        for found in _found(a, b_lists, flipped, rarity, tables, same=False):
            parts.append(_as_votes(found, a, b, first_a, first_b, flipped))
        for found in _found(b, a_lists, flipped, rarity, tables, same=False):
            parts.append(_as_votes(found, b, a, first_b, first_a, flipped))
    return _merged(parts)


def _lists(records: Records) -> Lists:
    return lists_of(probes_of(records), len(shipped().words))


def _tables(listed_images: int) -> _Tables:
    def hits() -> Hits:
        return Hits(np.empty(BUFFER_HITS, np.int32), np.empty(BUFFER_HITS, np.int64))

    pairs = BUFFER_HITS // 2
    return _Tables(
        hits(),
        hits(),
        np.zeros(listed_images, np.int32),
        np.zeros(listed_images, np.int64),
        np.empty(pairs, np.int64),
        np.empty(pairs, np.int64),
        np.empty(pairs, np.uint8),
        np.empty((pairs, 4), np.float64),
    )


class _Found(NamedTuple):
    """Pairs that one block found, one way round: rows of the images that were looked up and of those listed."""

    probing: NDArray[np.int64]
    listed: NDArray[np.int64]
    votes: NDArray[np.uint8]
    transforms: NDArray[np.float64]


def _found(
    records: Records, lists: Lists, flipped: bool, rarity: NDArray[np.float32], tables: _Tables, same: bool
) -> Iterator[_Found]:
    """Look all records up in lists, block by block; `same` if the lists are theirs, as no image matches itself."""
    for first in range(0, len(records), BLOCK_IMAGES):
        block = records[first : first + BLOCK_IMAGES]
        if flipped:
            block = mirrored(block, len(rarity))
        yield from _found_in_block(block, first, lists, rarity, tables, same)


def _found_in_block(
    block: Records, first: int, lists: Lists, rarity: NDArray[np.float32], tables: _Tables, same: bool
) -> Iterator[_Found]:
    """Split the block where its hits do not fit: that changes the work, never the result."""
    probes = probes_of(block)
    count = found_hits(probes, lists, HIT_RADIUS, tables.hits)
    if count > len(tables.hits.probe):
        if len(block) == 1:
            tables = tables._replace(hits=_room(count), sorted_hits=_room(count))
            found_hits(probes, lists, HIT_RADIUS, tables.hits)
        else:
            half = len(block) // 2
            yield from _found_in_block(block[:half], first, lists, rarity, tables, same)
            yield from _found_in_block(block[half:], first + half, lists, rarity, tables, same)
            return
    pairs = _vote_block(
        count,
        tables.hits.probe,
        tables.hits.entry,
        tables.sorted_hits.probe,
        tables.sorted_hits.entry,
        len(block),
        first if same else -len(tables.counts) - len(block),
        probes.images,
        probes.descriptors,
        probes.places,
        rarity[probes.words[:, 0]],
        lists.images,
        lists.planes,
        lists.places,
        tables.counts,
        tables.places,
        tables.probing,
        tables.listed,
        tables.votes,
        tables.transforms,
    )
    yield _Found(
        tables.probing[:pairs] + first,
        tables.listed[:pairs].copy(),
        tables.votes[:pairs].copy(),
        tables.transforms[:pairs].copy(),
    )


def _room(hits: int) -> Hits:
    return Hits(np.empty(hits, np.int32), np.empty(hits, np.int64))


def _as_votes(found: _Found, probing: Records, listed: Records, first: int, first_listed: int, flipped: bool) -> Votes:
    """Return what was found as VOTE with i < j."""
    votes = np.zeros(len(found.votes), VOTE)
    i, j = found.probing + first, found.listed + first_listed
    turned = i > j
    votes["i"], votes["j"] = np.minimum(i, j), np.maximum(i, j)
    votes["mirrored"], votes["votes"] = flipped, found.votes
    back = inverted(found.transforms[turned])
    if flipped:
        widths = (records["width"].astype(np.float64) for records in (probing, listed))
        probing_right, listed_right = (width - 1 for width in widths)
        back = _mirror_moved(back, listed_right[found.listed[turned]], probing_right[found.probing[turned]])
    votes["transform"] = found.transforms
    votes["transform"][turned] = back
    return votes


def _mirror_moved(
    transforms: NDArray[np.float64], right: NDArray[np.float64], other_right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return similarities with a mirror before them, given those with it after them.

    right and other_right are the last columns of the pictures mapped from and to.
    """
    a, b, tx, ty = transforms.T
    return np.stack([a, -b, other_right - a * right - tx, b * right + ty], axis=1)


def _merged(parts: list[Votes]) -> Votes:
    """Return each (i, j, mirrored) once, with the most votes; of equal ones what i's own look-up found."""
    votes = np.concatenate(parts) if parts else np.zeros(0, VOTE)
    order = np.lexsort((-votes["votes"].astype(np.int64), votes["mirrored"], votes["j"], votes["i"]))
    votes = votes[order]
    keys = votes[["i", "j", "mirrored"]]
    return votes[np.r_[True, keys[1:] != keys[:-1]]] if len(votes) else votes


@compiled
def _vote_block(
    hit_count: int,
    hit_probe: NDArray[np.int32],
    hit_entry: NDArray[np.int64],
    probe_of: NDArray[np.int32],
    entry_of: NDArray[np.int64],
    image_count: int,
    same_from: int,
    probe_images: NDArray[np.int32],
    descriptors: NDArray[np.uint64],
    places: NDArray[np.uint32],
    rarity: NDArray[np.float32],
    list_images: NDArray[np.int32],
    planes: NDArray[np.uint64],
    list_places: NDArray[np.uint32],
    counts: NDArray[np.int32],
    group_ends: NDArray[np.int64],
    out_probing: NDArray[np.int64],
    out_listed: NDArray[np.int64],
    out_votes: NDArray[np.uint8],
    out_transforms: NDArray[np.float64],
) -> int:
    """Sort hits by probing image, group those of each by listed image, vote on each group; return how many pairs won."""
    starts = _sort_by_image(hit_count, hit_probe, hit_entry, probe_images, image_count, probe_of, entry_of)
    touched = np.empty(len(counts), np.int32)
    grouped = np.empty(max(1, np.diff(starts).max()), np.int64)
    matches = _Matches(
        np.empty(HITS_OF_A_PAIR, np.int64),
        np.empty(HITS_OF_A_PAIR, np.int64),
        np.empty(HITS_OF_A_PAIR, np.int64),
        np.empty(HITS_OF_A_PAIR, np.uint32),
        np.empty(HITS_OF_A_PAIR, np.uint32),
        np.empty(HITS_OF_A_PAIR, np.float64),
    )
    pairs = 0
    for image in range(image_count):
        own = image + same_from
        groups = _group_hits(
            starts[image], starts[image + 1], entry_of, list_images, own, counts, group_ends, touched, grouped
        )
        for g in range(groups):
            listed = touched[g]
            end = group_ends[listed]
            size = min(counts[listed], HITS_OF_A_PAIR)
            first = end - counts[listed]
            counts[listed] = 0
            for m in range(size):
                hit = grouped[first + m]
                probe, entry = probe_of[hit], entry_of[hit]
                matches.probe[m] = probe
                matches.entry[m] = entry
                matches.place[m] = places[probe]
                matches.other[m] = list_places[entry]
                matches.rarity[m] = rarity[probe]
                matches.distance[m] = np.int64(
                    popcount(descriptors[probe, 0] ^ planes[0, entry])
                    + popcount(descriptors[probe, 1] ^ planes[1, entry])
                    + popcount(descriptors[probe, 2] ^ planes[2, entry])
                    + popcount(descriptors[probe, 3] ^ planes[3, entry])
                )
            votes = _vote(matches, size, out_transforms[pairs])
            if votes >= VOTES_LEAST:
                out_probing[pairs], out_listed[pairs], out_votes[pairs] = image, listed, votes
                pairs += 1
    return pairs


@compiled
def _sort_by_image(
    hit_count: int,
    hit_probe: NDArray[np.int32],
    hit_entry: NDArray[np.int64],
    probe_images: NDArray[np.int32],
    image_count: int,
    probe_out: NDArray[np.int32],
    entry_out: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Write the hits sorted by probing image, else in their order; return where each image's begin, and the end."""
    starts = np.zeros(image_count + 1, np.int64)
    for k in range(hit_count):
        starts[probe_images[hit_probe[k]] + 1] += 1
    starts = np.cumsum(starts)
    place = starts.copy()
    for k in range(hit_count):
        image = probe_images[hit_probe[k]]
        probe_out[place[image]] = hit_probe[k]
        entry_out[place[image]] = hit_entry[k]
        place[image] += 1
    return starts


@compiled
def _group_hits(
    first: int,
    end: int,
    entry_of: NDArray[np.int64],
    list_images: NDArray[np.int32],
    own: int,
    counts: NDArray[np.int32],
    group_ends: NDArray[np.int64],
    touched: NDArray[np.int32],
    grouped: NDArray[np.int64],
) -> int:
    """Write the hits first to end into grouped, by listed image, those with two or more hits only; not those of `own`.

    Return how many such images there are: touched names them, grouped[group_ends - counts:group_ends] has theirs.
    counts must be zero on entry and is left so for all others.
    """
    seen = 0
    for hit in range(first, end):
        image = list_images[entry_of[hit]]
        if counts[image] == 0:
            touched[seen] = image
            seen += 1
        counts[image] += 1
    kept = 0
    place = 0
    for t in range(seen):
        image = touched[t]
        if counts[image] >= VOTES_LEAST and image != own:
            group_ends[image] = place
            place += counts[image]
            touched[kept] = image
            kept += 1
        else:
            counts[image] = 0
    for hit in range(first, end):
        image = list_images[entry_of[hit]]
        if counts[image] > 0:
            grouped[group_ends[image]] = hit
            group_ends[image] += 1
    return kept


class _Matches(NamedTuple):
    """The hits of one pair of images, in the order of words."""

    probe: NDArray[np.int64]
    entry: NDArray[np.int64]
    distance: NDArray[np.int64]
    place: NDArray[np.uint32]
    other: NDArray[np.uint32]
    rarity: NDArray[np.float64]


@compiled
def _vote(matches: _Matches, size: int, transform: NDArray[np.float64]) -> int:
    """Return how many matches agree with the best one, and write the transform they tell; 0 if they are too common."""
    kept = _mutual_best(matches, size)
    agreeing = np.empty(VOTES_ENOUGH, np.int64)
    best = np.empty(VOTES_ENOUGH, np.int64)
    best_count = 0
    best_rarity = 0.0
    for seed in kept:
        count = 1
        agreeing[0] = seed
        rarity = matches.rarity[seed]
        for k in kept:
            if k != seed and agree(
                np.int64(matches.place[seed]),
                np.int64(matches.other[seed]),
                np.int64(matches.place[k]),
                np.int64(matches.other[k]),
            ):
                agreeing[count] = k
                rarity += matches.rarity[k]
                count += 1
                if count == VOTES_ENOUGH:
                    break
        if count >= VOTES_LEAST and rarity > best_rarity:
            best_count, best_rarity = count, rarity
            best[:count] = agreeing[:count]
        if count == VOTES_ENOUGH:
            break
    if best_rarity < RARITY_LEAST:
        return 0
    fit(matches.place, matches.other, best[:best_count], transform)
    return best_count


@compiled
def _mutual_best(matches: _Matches, size: int) -> NDArray[np.int64]:
    """Return the matches that no other beats for its probe or its entry: each key point is used once."""
    kept = np.empty(size, np.int64)
    count = 0
    for a in range(size):
        best = True
        for b in range(size):
            if (matches.probe[b] == matches.probe[a] or matches.entry[b] == matches.entry[a]) and (
                matches.distance[b] < matches.distance[a] or (matches.distance[b] == matches.distance[a] and b < a)
            ):
                best = False
                break
        if best:
            kept[count] = a
            count += 1
    return kept[:count]
