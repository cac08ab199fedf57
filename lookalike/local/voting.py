"""The vote: sort hits by pair of images, and find the turn, size and shift that most of them agree on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, popcount
from lookalike.local.geometry import agree, fit
from lookalike.local.lists import Hits, Lists, Probes

VOTES_LEAST = 2
RARITY_LEAST = 9.0
"""Sum over the hits that agree: -log10 of how often so rare words meet by chance."""
VOTES_ENOUGH = 8
"""Counting stops here."""
HITS_OF_A_PAIR = 96
"""The first so many hits of two pictures are looked at, by word."""


class Tables(NamedTuple):
    """For every listed image, how many hits it has (zero between calls) and where they end."""

    counts: NDArray[np.int32]
    ends: NDArray[np.int64]


class Winners(NamedTuple):
    """Pairs that won: rows of the probing and the listed image, votes, the map from one to the other."""

    probing: NDArray[np.int64]
    listed: NDArray[np.int64]
    votes: NDArray[np.uint8]
    transforms: NDArray[np.float64]


@compiled
def vote_on(
    hit_count: int,
    hits: Hits,
    sorted_hits: Hits,
    image_count: int,
    same_from: int,
    probes: Probes,
    lists: Lists,
    rarity: NDArray[np.float32],
    tables: Tables,
    out: Winners,
) -> int:
    """Vote on every pair of images with enough of the first hit_count hits; return how many pairs won.

    Image k of the block is image same_from + k of the lists, and is no pair with itself. sorted_hits is
    room.
    """
    starts = _sort_by_image(hit_count, hits, probes.images, image_count, sorted_hits)
    touched = np.empty(len(tables.counts), np.int32)
    grouped = np.empty(max(1, np.diff(starts).max()), np.int64)
    matches = _no_matches()
    pairs = 0
    for image in range(image_count):
        first, end = starts[image], starts[image + 1]
        groups = _group(
            first, end, sorted_hits.entry, lists.images, image + same_from, tables, touched, grouped
        )
        for listed in touched[:groups]:
            group = grouped[tables.ends[listed] - tables.counts[listed] : tables.ends[listed]]
            tables.counts[listed] = 0
            size = _fill(matches, group, sorted_hits, probes, lists, rarity)
            if not _do_any_agree(matches, size):
                continue
            _fill_distances(matches, group[:size], sorted_hits, probes, lists)
            votes = _vote(matches, size, out.transforms[pairs])
            if votes >= VOTES_LEAST:
                out.probing[pairs], out.listed[pairs], out.votes[pairs] = image, listed, votes
                pairs += 1
    return pairs


@compiled
def _sort_by_image(
    hit_count: int, hits: Hits, images: NDArray[np.int32], image_count: int, out: Hits
) -> NDArray[np.int64]:
    """Write the hits sorted by probing image, else in their order; return where each image's begin."""
    starts = np.zeros(image_count + 1, np.int64)
    for k in range(hit_count):
        starts[images[hits.probe[k]] + 1] += 1
    starts = np.cumsum(starts)
    place = starts.copy()
    for k in range(hit_count):
        image = images[hits.probe[k]]
        out.probe[place[image]] = hits.probe[k]
        out.entry[place[image]] = hits.entry[k]
        place[image] += 1
    return starts


@compiled
def _group(
    first: int,
    end: int,
    entries: NDArray[np.int64],
    images: NDArray[np.int32],
    own: int,
    tables: Tables,
    touched: NDArray[np.int32],
    grouped: NDArray[np.int64],
) -> int:
    """Write hits first to end into grouped by listed image: of images with enough of them, and not of `own`.

    Return how many such images there are; touched names them, tables tell where their hits lie. All other
    counts are zero again.
    """
    seen = 0
    for hit in range(first, end):
        image = images[entries[hit]]
        if tables.counts[image] == 0:
            touched[seen] = image
            seen += 1
        tables.counts[image] += 1
    kept = 0
    place = 0
    for image in touched[:seen]:
        if tables.counts[image] >= VOTES_LEAST and image != own:
            tables.ends[image] = place
            place += tables.counts[image]
            touched[kept] = image
            kept += 1
        else:
            tables.counts[image] = 0
    for hit in range(first, end):
        image = images[entries[hit]]
        if tables.counts[image] > 0:
            grouped[tables.ends[image]] = hit
            tables.ends[image] += 1
    return kept


class Matches(NamedTuple):
    """The hits of one pair of images, in the order of words; distances once it is known that some agree."""

    probe: NDArray[np.int64]
    distance: NDArray[np.int64]
    place: NDArray[np.int64]
    other: NDArray[np.int64]
    rarity: NDArray[np.float64]


@compiled
def _no_matches() -> Matches:
    numbers = np.empty((4, HITS_OF_A_PAIR), np.int64)
    return Matches(numbers[0], numbers[1], numbers[2], numbers[3], np.empty(HITS_OF_A_PAIR))


@compiled
def _fill(
    matches: Matches,
    group: NDArray[np.int64],
    hits: Hits,
    probes: Probes,
    lists: Lists,
    rarity: NDArray[np.float32],
) -> int:
    """Write what there is to know of the first HITS_OF_A_PAIR hits of the group; return how many."""
    size = min(len(group), HITS_OF_A_PAIR)
    for k in range(size):
        probe, entry = hits.probe[group[k]], hits.entry[group[k]]
        matches.probe[k] = probe
        matches.place[k], matches.other[k] = probes.places[probe], lists.places[entry]
        matches.rarity[k] = rarity[probes.words[probe, 0]]
    return size


@compiled
def _do_any_agree(matches: Matches, size: int) -> bool:
    """Whether any two matches agree; those of one key point do not, as they are not apart."""
    for a in range(size):
        for b in range(a):
            if agree(matches.place[a], matches.other[a], matches.place[b], matches.other[b]):
                return True
    return False


@compiled
def _fill_distances(
    matches: Matches, group: NDArray[np.int64], hits: Hits, probes: Probes, lists: Lists
) -> None:
    """Write how far apart the matches are: descriptors of listed key points lie far from each other."""
    for k in range(len(group)):
        probe, entry = hits.probe[group[k]], hits.entry[group[k]]
        bits = np.uint64(0)
        for word in range(4):
            bits += popcount(probes.descriptors[probe, word] ^ lists.planes[word, entry])
        matches.distance[k] = bits


@compiled
def _vote(matches: Matches, size: int, transform: NDArray[np.float64]) -> int:
    """Return how many matches agree with the best one, 0 if they are too common; write the map they tell."""
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
                matches.place[seed], matches.other[seed], matches.place[k], matches.other[k]
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
def _mutual_best(matches: Matches, size: int) -> NDArray[np.int64]:
    """Return the matches that no other beats for its probe or its entry: each key point is used once.

    An entry is known by its place: a key point is listed under several words.
    """
    kept = np.empty(size, np.int64)
    count = 0
    for a in range(size):
        best = True
        for b in range(size):
            if (matches.probe[b] == matches.probe[a] or matches.other[b] == matches.other[a]) and (
                matches.distance[b] < matches.distance[a]
                or (matches.distance[b] == matches.distance[a] and b < a)
            ):
                best = False
                break
        if best:
            kept[count] = a
            count += 1
    return kept[:count]
