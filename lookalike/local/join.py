"""The join of local features: which pictures have key points that look alike and lie alike.

Two key points are a hit if they share a visual word and differ in at most HIT_RADIUS bits. Two pictures
are candidates if some of their hits, each the best of both its ends, agree on one turn, size and shift
(geometry.py), and are rare enough together to be no chance (voting.py). The pictures are tried both ways
round (the words of one in the lists of the other and the reverse), and mirrored. Nothing but the two
records and the frozen vocabulary counts: blocks, order and what else is stored change nothing.

A shard is a range of images against another, or against itself. In it, blocks of BLOCK_IMAGES are looked
up in the lists of the whole range, their hits are sorted by pair and voted on, and only the pairs leave
the shard. So memory is that of two ranges and one buffer of hits, whatever the size of the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.local.lists import Hits, Lists, found_hits, lists_of, probes_of
from lookalike.local.record import Records, mirrored
from lookalike.local.vocabulary import shipped
from lookalike.local.votes import Votes, as_votes, merged
from lookalike.local.voting import Tables, Winners, vote_on

HIT_RADIUS = 46
BLOCK_IMAGES = 1024
BUFFER_HITS = 4_000_000
RANGE_IMAGES = 50_000
"""Images of a shard's range: 0.16 GB of records and 0.2 GB of lists for each range."""
BYTES_AN_IMAGE = 22_000
"""What a shard takes for each image of a range."""
FIXED_BYTES = 200_000_000
"""What it takes for its room."""


class _Room(NamedTuple):
    """Room for one block, taken once for a shard. Pages that are never written cost nothing."""

    hits: Hits
    sorted_hits: Hits
    tables: Tables
    winners: Winners


def plan(
    image_count: int, new_count: int | None = None, range_images: int = RANGE_IMAGES
) -> list[dict[str, Any]]:
    """Return the shards that together try all pairs of images, or those with one of the last new_count.

    A shard is {"a": [first, end], "b": [first, end]}; every pair belongs to exactly one.
    """
    first_new = 0 if new_count is None else max(0, image_count - new_count)
    old, new = _ranges(0, first_new, range_images), _ranges(first_new, image_count, range_images)
    pairs = [(a, b) for a in old for b in new] + [(a, b) for k, a in enumerate(new) for b in new[k:]]
    return [{"a": list(a), "b": list(b)} for a, b in pairs]


def cut(spec: dict[str, Any], range_images: int) -> list[dict[str, Any]]:
    """Return the shards of ranges of at most so many images that together are the one of spec."""
    a, b = (_ranges(spec[side][0], spec[side][1], range_images) for side in ("a", "b"))
    is_same = spec["a"] == spec["b"]
    pairs = [(one, other) for k, one in enumerate(a) for other in (b[k:] if is_same else b)]
    return [{"a": list(one), "b": list(other)} for one, other in pairs]


def _ranges(first: int, end: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, end)) for start in range(first, end, size)]


def run(records: Records, spec: dict[str, Any]) -> Votes:
    """Return the votes of one shard of plan(len(records)), each pair of pictures once for each hand."""
    return merged(list(in_parts(records.__getitem__, spec)))


def in_parts(records_of: Callable[[slice], Records], spec: dict[str, Any]) -> Iterator[Votes]:
    """Yield the votes of one shard block by block, for memory that no data can exceed.

    A pair that wins both ways round comes twice (see votes.merged_in_parts).
    """
    (a, a_end), (b, b_end) = spec["a"], spec["b"]
    if a == b:
        return _within(records_of(slice(a, a_end)), a)
    return _between(records_of(slice(a, a_end)), records_of(slice(b, b_end)), a, b)


def self_join(records: Records, first: int = 0) -> Votes:
    """Return the votes among the images of records (N,) LOCAL, numbered from first."""
    return merged(list(_within(records, first)))


def join(a: Records, b: Records, first_a: int, first_b: int) -> Votes:
    """Return the votes between a and b, numbered from first_a and first_b; all of b come after all of a."""
    return merged(list(_between(a, b, first_a, first_b)))


def _within(records: Records, first: int) -> Iterator[Votes]:
    lists, room = _lists(records), _room(len(records))
    for flipped in (False, True):
        for found in _found(records, lists, flipped, room, same=True):
            yield as_votes(found, records, records, first, first, flipped)


def _between(a: Records, b: Records, first_a: int, first_b: int) -> Iterator[Votes]:
    room = _room(max(len(a), len(b)))
    ways = ((a, b, first_a, first_b, _lists(b)), (b, a, first_b, first_a, _lists(a)))
    for flipped in (False, True):
        for probing, listed, first, first_listed, lists in ways:
            for found in _found(probing, lists, flipped, room, same=False):
                yield as_votes(found, probing, listed, first, first_listed, flipped)


def _lists(records: Records) -> Lists:
    return lists_of(probes_of(records), len(shipped().words))


def _room(listed_images: int) -> _Room:
    pairs = BUFFER_HITS // 2
    winners = Winners(
        np.empty(pairs, np.int64), np.empty(pairs, np.int64), np.empty(pairs, np.uint8), np.empty((pairs, 4))
    )
    tables = Tables(np.zeros(listed_images, np.int32), np.zeros(listed_images, np.int64))
    return _Room(_hits(BUFFER_HITS), _hits(BUFFER_HITS), tables, winners)


def _hits(count: int) -> Hits:
    return Hits(np.empty(count, np.int32), np.empty(count, np.int64))


def _found(records: Records, lists: Lists, flipped: bool, room: _Room, same: bool) -> Iterator[Winners]:
    """Look all records up in lists, block by block; `same` if the lists are their own."""
    for first in range(0, len(records), BLOCK_IMAGES):
        block = records[first : first + BLOCK_IMAGES]
        if flipped:
            block = mirrored(block, len(shipped().words))
        yield from _found_in_block(block, first, lists, room, same)


def _found_in_block(block: Records, first: int, lists: Lists, room: _Room, same: bool) -> Iterator[Winners]:
    """Split the block where its hits do not fit: that changes the work, never the result."""
    probes = probes_of(block)
    count = found_hits(probes, lists, HIT_RADIUS, room.hits)
    if count > len(room.hits.probe):
        if len(block) > 1:
            half = len(block) // 2
            yield from _found_in_block(block[:half], first, lists, room, same)
            yield from _found_in_block(block[half:], first + half, lists, room, same)
            return
        room = room._replace(hits=_hits(count), sorted_hits=_hits(count))
        found_hits(probes, lists, HIT_RADIUS, room.hits)
    nowhere = -len(block)
    same_from = first if same else nowhere
    pairs = vote_on(
        count,
        room.hits,
        room.sorted_hits,
        len(block),
        same_from,
        probes,
        lists,
        _rarity(),
        room.tables,
        room.winners,
    )
    won = room.winners
    yield Winners(
        won.probing[:pairs] + first,
        won.listed[:pairs].copy(),
        won.votes[:pairs].copy(),
        won.transforms[:pairs].copy(),
    )


def _rarity() -> NDArray[np.float32]:
    return shipped().rarity
