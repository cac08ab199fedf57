"""Candidates: pairs of images that are worth comparing, found by their hashes or by their key points.

Whether two images are a candidate pair depends on their two records alone, so that full and incremental runs
agree. What is joined with what:

    seen      whole frame, and frame without its border, as seen
    turned    whole frame in the 8 EXIF orientations
    negative  complement of the whole frame
    regions   16 regions of the frame

Every seen hash is joined, exactly, with every turned, negative and region hash of the other image, both
ways round. Two hashes are near if their coarse hashes (the 64 lowest frequencies) are within one radius and
all 256 bits within another, wide one: what an edit flips, it flips in the high frequencies first. No join is
quick at the wide radius alone, but the coarse one is a ring join, far from quadratic, and it leaves few
pairs for the other (docs/decisions/0011).

Flat images take no part, as their hashes are noise: they are candidates of flat images of the same size and
colour. Key points that look and lie alike (lookalike.local) find what has no region in common with the
frame: smaller crops, any angle, pictures within pictures. And strips along the same side that are nearly
equal (lookalike.strips) find what a large logo left hardly anything of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import REGIONS, TRIMMED, TURNED, WHOLE, Columns
from lookalike.features.coarse import COARSE_BITS
from lookalike.features.record import Flag
from lookalike.frames import maps_between, stretches
from lookalike.hubs import Gathered, Gathering
from lookalike.index import cost, planner
from lookalike.index.bands import budgets
from lookalike.index.planner import DEFAULT_MEMORY_BYTES
from lookalike.index.words import distances, to_words
from lookalike.local import check
from lookalike.local import join as local
from lookalike.local.likeness import plain_shares
from lookalike.local.votes import merged_in_parts
from lookalike.local.voting import VOTES_LEAST
from lookalike.strips import strip_pairs

Features = NDArray[np.void]
Pairs = NDArray[np.int64]
Parts = Iterator[tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]]

FLAT_COLOUR_DISTANCE = 3  # levels of each channel
# What a block of images takes in a shard, a row: its words, those of the others, both sorted.
_BYTES_A_ROW = 160
_BLOCK_ROWS = 4_000_000
_SHARD_SECONDS = 5.0
_ROWS_PUT_TOGETHER = 500_000
_LOOKED_AT_TOGETHER = 10_000
_BYTES_A_VOTE = 1024


class Kind(NamedTuple):
    """What seen hashes are compared with, and how near: in bits of 256, and in bits of the coarse hash."""

    column: int
    radius: int
    coarse_radius: int
    is_negative: bool = False


# The wide radii are those within which distinct photos come once in some millions of pairs; the coarse ones
# lose 1 in 1,400 edits of photos, and 1 in 100 of charts, flags and bar codes, which have few key points.
WHOLE_RADII = (90, 15)
TURNED_RADII = (84, 7)
REGION_RADII = (84, 11)
NEGATIVE_RADII = (40, 7)
KINDS = (
    Kind(WHOLE, *WHOLE_RADII),
    *(Kind(column, *TURNED_RADII) for column in TURNED),
    *(Kind(column, *REGION_RADII) for column in REGIONS),
    Kind(WHOLE, *NEGATIVE_RADII, is_negative=True),
)


def plan(image_count: int, new_count: int | None = None) -> list[dict[str, Any]]:
    """Split the search into shards of some seconds of work; the specs are plain JSON.

    With `new_count`, only pairs with one of the last `new_count` images are wanted.
    """
    first_new = 0 if new_count is None else max(0, image_count - new_count)
    if first_new == image_count:
        return []
    old, new = _parts(range(first_new), _BLOCK_ROWS), _parts(range(first_new, image_count), _BLOCK_ROWS)
    specs: list[dict[str, Any]] = [{"flat": True}, {"strips": True}]
    for seen in old + new:
        for others in old + new if seen.start >= first_new else new:
            specs += _cut(seen, others)
    return specs + [{"local": spec} for spec in local.plan(image_count, new_count)]


def candidates(features: Features | Columns, spec: dict[str, Any], first_new: int = 0) -> Pairs:
    """Candidate pairs (k, 2) of rows i < j, unique and sorted, with j >= first_new: those of one shard.

    A pair may come from several shards.
    """
    columns = features if isinstance(features, Columns) else Columns.of(features)
    gathering = Gathering(len(columns), first_new)
    return _gathered(columns, spec, first_new, DEFAULT_MEMORY_BYTES, gathering).pairs


def search(
    features: Features | Columns,
    spec: dict[str, Any],
    first_new: int = 0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Gathered:
    """Return the candidate pairs of one shard as `candidates` does, with hubs where they are too many.

    Takes about memory_bytes at most: the blocks of a shard are cut as that needs, and where pairs are too
    many, those within a hub are left out and the hub is named instead (lookalike.hubs).
    """
    columns = features if isinstance(features, Columns) else Columns.of(features)
    gathering = Gathering(len(columns), first_new, memory_bytes // 256)
    return _gathered(columns, spec, first_new, memory_bytes, gathering)


def _gathered(
    columns: Columns, spec: dict[str, Any], first_new: int, memory_bytes: int, gathering: Gathering
) -> Gathered:
    if "local" in spec:
        parts = _local_pairs(columns, spec["local"], memory_bytes)
    elif "flat" in spec:
        parts = _flat_pairs(columns)
    elif "strips" in spec:
        parts = strip_pairs(columns, first_new, memory_bytes)
    else:
        parts = _hash_pairs(columns, spec, memory_bytes)
    for i, j in parts:
        gathering.add(i, j)
    return gathering.result()


def _parts(rows: range, step: int) -> list[range]:
    count = -(-len(rows) // step)
    edges = [rows.start + len(rows) * part // count for part in range(count + 1)] if count else []
    return [range(start, stop) for start, stop in pairwise(edges)]


def _cut(seen: range, others: range) -> list[dict[str, Any]]:
    """Cut the joins of two blocks: whole where that is quick, by bands of the ring where it is not."""
    same = {"seen": [seen.start, seen.stop], "others": [others.start, others.stop]}
    specs: list[dict[str, Any]] = []
    pieces = list(_pieces(seen, others))
    for band in sorted({band for _, band, _ in pieces}):
        room = 0.0
        for number, _, seconds in (piece for piece in pieces if piece[1] == band):
            if room <= 0:
                specs.append({"kinds": [], "band": band, **same})
                room = _SHARD_SECONDS
            specs[-1]["kinds"].append(number)
            room -= seconds
    return specs


def _pieces(seen: range, others: range) -> Iterator[tuple[int, int, float]]:
    """Yield kind, band (-1 for all at once) and seconds of each piece of work."""
    for number, kind in enumerate(KINDS):
        is_whole = number == 0
        if is_whole and others.start > seen.start:
            continue  # seen with seen is the same both ways round
        is_self = is_whole and seen == others
        size = len(seen), len(others), COARSE_BITS, kind.coarse_radius, is_self
        whole, ring = min(cost.brute_seconds(*size), cost.directory_seconds(*size)), cost.ring_seconds(*size)
        if ring < whole and cost.has_numba():
            bands = np.flatnonzero(budgets(COARSE_BITS, kind.coarse_radius)).tolist()
            yield from ((number, band, ring / len(bands)) for band in bands)
        else:
            yield number, -1, whole


class Near(NamedTuple):
    """Hashes that are near: the images they are of, their columns, and how many bits they are apart."""

    seen: NDArray[np.int64]
    others: NDArray[np.int64]
    seen_columns: NDArray[np.int64]
    columns: NDArray[np.int64]
    bits: NDArray[np.int64]
    is_negative: bool

    @property
    def is_sure(self) -> NDArray[np.bool_]:
        """Which go on to verification whatever the thumbnails say."""
        sure: NDArray[np.bool_] = (self.bits <= check.BITS_SURE) | self.is_negative
        return sure

    def take(self, part: slice | NDArray[np.bool_ | np.int64]) -> Near:
        """Return some of them."""
        return Near(
            self.seen[part],
            self.others[part],
            self.seen_columns[part],
            self.columns[part],
            self.bits[part],
            self.is_negative,
        )


def _hash_pairs(columns: Columns, spec: dict[str, Any], memory_bytes: int) -> Parts:
    """Pairs whose hashes are very near, or near and borne out by the thumbnails."""
    for found in near_hashes(columns, spec, memory_bytes):
        yield found.seen[found.is_sure], found.others[found.is_sure]
        doubtful = found.take(~found.is_sure)
        for start in range(0, len(doubtful.bits), _LOOKED_AT_TOGETHER):
            part = doubtful.take(slice(start, start + _LOOKED_AT_TOGETHER))
            kept = _are_borne_out(columns, part)
            yield part.seen[kept], part.others[kept]


def _are_borne_out(columns: Columns, found: Near) -> NDArray[np.bool_]:
    """Tell which pairs the thumbnails bear out; where there is none, nothing speaks against them."""
    images, places = np.unique(np.stack([found.seen, found.others]), return_inverse=True)
    records = columns.local_of(images)
    one, other = places.reshape(2, -1)
    is_blank = records["thumbnail_width"] == 0
    kept: NDArray[np.bool_] = is_blank[one] | is_blank[other]
    # Few images have many pairs: how plain they are is asked once.
    shares = plain_shares(records)
    plain = np.minimum(shares[one], shares[other])
    looked_at = np.flatnonzero(~kept & check.are_worth_a_look(found.bits, plain))
    part, first, second = found.take(looked_at), records[one[looked_at]], records[other[looked_at]]
    maps = maps_between(first, second, part.seen_columns, part.columns)
    even = stretches(maps, first, second) <= check.STRETCH_MOST
    looked_at, maps, first, second = looked_at[even], maps[even], first[even], second[even]
    odds = check.odds_of_hashes(part.bits[even], maps, first, second, plain[looked_at])
    kept[looked_at] = odds >= check.ODDS_LEAST
    return kept


def near_hashes(columns: Columns, spec: dict[str, Any], memory_bytes: int) -> Iterator[Near]:
    """Yield the hashes that are near, of the kinds, blocks and band of a shard."""
    step = max(1 << 12, memory_bytes // _BYTES_A_ROW)
    is_same = spec["seen"] == spec["others"]
    for seen_rows in _parts(range(*spec["seen"]), step):
        seen = _Side.seen(columns, seen_rows)
        for rows in _parts(range(*spec["others"]), step):
            for numbers in _alike(spec["kinds"], len(rows)):
                kind = KINDS[numbers[0]]
                if numbers != [0]:
                    others = _Side.of(columns, rows, [KINDS[number] for number in numbers])
                elif is_same and rows.start > seen_rows.start:
                    continue
                else:
                    others = seen if rows == seen_rows else _Side.seen(columns, rows)
                yield from _within(seen, others, kind, spec["band"])


def _alike(numbers: list[int], row_count: int) -> list[list[int]]:
    """Put together kinds with the same radii where they are of few images: one join instead of sixteen."""
    found: list[list[int]] = []
    for number in numbers:
        is_like_last = number != 0 and bool(found) and KINDS[found[-1][0]][1:] == KINDS[number][1:]
        if is_like_last and row_count * (len(found[-1]) + 1) <= _ROWS_PUT_TOGETHER:
            found[-1].append(number)
        else:
            found.append([number])
    return found


class _Side(NamedTuple):
    """Hashes of one side of a join: the images they are of, the coarse words, and where all bits are."""

    columns: Columns
    images: NDArray[np.int64]
    words: NDArray[np.uint64]
    hashes: list[tuple[int, NDArray[np.int64]]]
    is_negative: bool

    @classmethod
    def seen(cls, columns: Columns, rows: range) -> _Side:
        """Whole frames, and trimmed ones where there was a border."""
        part = slice(rows.start, rows.stop)
        hashed = ~columns.has(Flag.FLAT, part)
        whole = np.flatnonzero(hashed) + rows.start
        trimmed = np.flatnonzero(hashed & columns.has(Flag.HAS_TRIM, part)) + rows.start
        hashes = [(WHOLE, whole), (TRIMMED, trimmed)]
        words = np.concatenate([columns.coarse_of(*each) for each in hashes])
        return cls(columns, np.concatenate([whole, trimmed]), words, hashes, False)

    @classmethod
    def of(cls, columns: Columns, rows: range, kinds: list[Kind]) -> _Side:
        """What seen hashes are compared with, of one kind or of several with the same radii."""
        images = np.flatnonzero(~columns.has(Flag.FLAT, slice(rows.start, rows.stop))) + rows.start
        hashes = [(kind.column, images) for kind in kinds]
        words = np.concatenate([columns.coarse_of(*each) for each in hashes])
        is_negative = kinds[0].is_negative
        if is_negative:
            words = ~words
        return cls(columns, np.tile(images, len(kinds)), words, hashes, is_negative)

    def columns_of(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the columns of the hashes at some places of this side."""
        ends = np.cumsum([len(images) for _, images in self.hashes])
        numbers = np.array([column for column, _ in self.hashes], np.int64)
        found: NDArray[np.int64] = numbers[np.searchsorted(ends, places, side="right")]
        return found

    def bits(self, places: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Return all 256 bits at some places of this side, as words."""
        found = np.empty((len(places), 4), np.uint64)
        start = 0
        for kind, images in self.hashes:
            mine = (places >= start) & (places < start + len(images))
            found[mine] = to_words(self.columns.hashes_of(kind, images[places[mine] - start]))
            start += len(images)
        return ~found if self.is_negative else found


def _within(seen: _Side, others: _Side, kind: Kind, band: int) -> Iterator[Near]:
    """Yield hashes near in the coarse bits, found by a join, and in all bits."""
    is_self = seen is others
    words = seen.words if is_self else np.concatenate([others.words, seen.words])
    stored = range(0 if is_self else len(others.words))
    new = range(len(stored), len(words))
    coarse = words[:, None].view(np.uint8)
    if band < 0:
        shards = planner.plan_between(new, new if is_self else stored, COARSE_BITS, kind.coarse_radius)
    else:
        shards = [planner.ring_shard(new, new if is_self else stored, COARSE_BITS, kind.coarse_radius, band)]
    for shard in shards:
        for pairs in planner.stream_shard(coarse, shard):
            one, other = (pairs.i, pairs.j) if is_self else (pairs.j - len(stored), pairs.i)
            bits = distances(seen.bits(one), others.bits(other)).astype(np.int64)
            # A picture may well be like its own regions.
            near = (bits <= kind.radius) & (seen.images[one] != others.images[other])
            one, other = one[near], other[near]
            yield Near(
                seen.images[one],
                others.images[other],
                seen.columns_of(one),
                others.columns_of(other),
                bits[near],
                kind.is_negative,
            )


def _local_pairs(columns: Columns, spec: dict[str, Any], memory_bytes: int) -> Parts:
    """Pairs whose key points agree on a transform that the thumbnails bear out, or agree in great number."""
    for piece in local.cut(spec, max(1 << 10, (memory_bytes - local.FIXED_BYTES) // local.BYTES_AN_IMAGE)):
        sides = [columns.plain_of(slice(*piece[side]))["key_points"] for side in ("a", "b")]
        if any(side.max() < VOTES_LEAST for side in sides):
            continue
        parts = local.in_parts(columns.local_of, piece)
        for votes in merged_in_parts(parts, memory_bytes // _BYTES_A_VOTE):
            # No look at thumbnails changes what so many key points say; in a hub that is nearly all pairs.
            is_sure = votes["votes"] >= check.VOTES_SURE
            yield votes["i"][is_sure], votes["j"][is_sure]
            votes = votes[~is_sure]
            for start in range(0, len(votes), _LOOKED_AT_TOGETHER):
                part = votes[start : start + _LOOKED_AT_TOGETHER]
                odds = check.odds_of_votes(part, columns.local_of(part["i"]), columns.local_of(part["j"]))
                kept = part[check.are_worth_verifying(part, odds)]
                yield kept["i"], kept["j"]


def _flat_pairs(columns: Columns) -> Parts:
    """Pairs of flat images of equal size and nearly equal mean colour."""
    rows = np.flatnonzero(columns.has(Flag.FLAT))
    plain = columns.plain_of(rows)
    sizes = plain["width"].astype(np.int64) << 32 | plain["height"]
    order = np.argsort(sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[order], prepend=-1, append=-1))
    colours = plain["colour"].astype(np.int16)
    for start, stop in pairwise(edges.tolist()):
        alike = order[start:stop]
        for place, one in enumerate(alike[:-1].tolist()):
            others = alike[place + 1 :]
            near = np.abs(colours[others] - colours[one]).max(axis=1) <= FLAT_COLOUR_DISTANCE
            yield np.full(int(near.sum()), rows[one]), rows[others[near]]
