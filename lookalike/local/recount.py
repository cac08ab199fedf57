"""The recount: all key points of two pictures that voted for each other, compared with all of the other's.

A join meets only key points that share a word. Once two pictures are known to be worth it, each key point
looks for its like among all of the other picture, and counts if both are nearest to each other. Copies then
have many more that agree on one map, pictures of one template hardly any more than before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.bits import distances_to
from lookalike.local.geometry import APART, agree, fit, place_x, place_y
from lookalike.local.record import ANGLES, DESCRIPTOR_BYTES, KEYPOINT_COUNT, Records
from lookalike.local.vocabulary import as_words

RADIUS = 60
"""Bits; more than the join allows, as both must be nearest to each other."""
EXACT = 5.0
"""Pixels of the frame that a key point lies off the map at most to count as exact."""
FITS = 3
_NUMBER_BITS = 8
_NUMBER = (1 << _NUMBER_BITS) - 1
_NOT_NEAR = RADIUS + 1 << _NUMBER_BITS


class Points(NamedTuple):
    """Key points of n pictures: places (n, 50), descriptors (n, 50, 4), how many, width of the frame."""

    places: NDArray[np.int64]
    descriptors: NDArray[np.uint64]
    counts: NDArray[np.int64]
    widths: NDArray[np.int64]


class Recounted(NamedTuple):
    """For n pairs: key points that agree, those that lie exactly on one map, and that map.

    transforms (n, 4) are a, b, tx, ty as in votes.VOTE: from the first's frame to the second's, or of turned
    pairs the other way; the one from whose frame it is, is the one that was mirrored.
    """

    agreeing: NDArray[np.int64]
    exact: NDArray[np.int64]
    transforms: NDArray[np.float64]


def points_of(records: Records) -> Points:
    """Return the key points of LOCAL records (n,)."""
    return Points(
        records["places"].astype(np.int64),
        as_words(records["descriptors"]).reshape(len(records), KEYPOINT_COUNT, DESCRIPTOR_BYTES // 8),
        records["count"].astype(np.int64),
        records["width"].astype(np.int64),
    )


def recounted(
    first: Points, second: Points, mirrored: NDArray[np.bool_], turned: NDArray[np.bool_]
) -> Recounted:
    """Recount the key points of n pairs of pictures, in some of which one is mirrored (left to right).

    Pairs that are `turned` are recounted from the second to the first: what agrees within some share of a
    size depends on whose size it is.
    """
    counts, transforms = np.zeros((len(mirrored), 2), np.int64), np.zeros((len(mirrored), 4))
    _recount(first, second, mirrored, turned, counts, transforms)
    return Recounted(counts[:, 0], counts[:, 1], transforms)


def are_turned(first: Points, second: Points) -> NDArray[np.bool_]:
    """Tell which pairs (n,) are not in the order of what they hold."""
    at = np.arange(len(first.places)), (first.places != second.places).argmax(axis=1)
    turned: NDArray[np.bool_] = first.places[at] > second.places[at]
    return turned


@compiled
def _recount(
    first: Points,
    second: Points,
    mirrored: NDArray[np.bool_],
    turned: NDArray[np.bool_],
    counts: NDArray[np.int64],
    transforms: NDArray[np.float64],
) -> None:
    places, others = np.empty(KEYPOINT_COUNT, np.int64), np.empty(KEYPOINT_COUNT, np.int64)
    for k in range(len(counts)):
        a, b = (second, first) if turned[k] else (first, second)
        one, descriptors, other = a.places[k, : a.counts[k]], a.descriptors[k], b.places[k, : b.counts[k]]
        if mirrored[k]:
            one, descriptors = _mirrored(one, descriptors, a.widths[k])
        matched = _match(one, descriptors, other, b.descriptors[k], places, others)
        counts[k, 0], counts[k, 1] = _agree(places[:matched], others[:matched], transforms[k])


@compiled
def _mirrored(
    places: NDArray[np.int64], descriptors: NDArray[np.uint64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The key points in a mirror, as record.mirrored has them."""
    turned, swapped = np.empty_like(places), np.empty_like(descriptors)
    right = (width - 1) * 2
    for k in range(len(places)):
        x, angle = right - min(places[k] & 1023, right), ANGLES // 2 - (places[k] >> 20 & 255)
        turned[k] = places[k] & ~np.int64(0x0FF003FF) | min(x, 1023) | angle % ANGLES << 20
        for word in range(4):
            swapped[k, word] = descriptors[k, (word + 2) % 4]
    return turned, swapped


@compiled
def _match(
    one: NDArray[np.int64],
    descriptors: NDArray[np.uint64],
    other: NDArray[np.int64],
    other_descriptors: NDArray[np.uint64],
    places: NDArray[np.int64],
    others: NDArray[np.int64],
) -> int:
    """Write the places of key points that are nearest to each other; return how many there are."""
    planes, distances = other_descriptors.T.copy(), np.empty(len(other), np.int64)
    nearest, other_nearest = np.empty(len(one), np.int64), np.full(len(other), _NOT_NEAR)
    for i in range(len(one)):
        distances_to(descriptors[i], planes, 0, len(other), distances)
        nearest[i] = _nearest(distances)
        _keep_nearer(distances, i, other_nearest)
    count = 0
    for i in range(len(one)):
        liked = nearest[i] & _NUMBER
        if nearest[i] < _NOT_NEAR and other_nearest[liked] & _NUMBER == i:
            places[count], others[count] = one[i], other[liked]
            count += 1
    return count


# Bits and number of a key point in one integer: the least is the nearest, the first of those as near. Neither
# loop branches, so that both are made into vectors.
@compiled
def _nearest(distances: NDArray[np.int64]) -> int:
    nearest = _NOT_NEAR
    for k in range(len(distances)):
        nearest = min(nearest, distances[k] << _NUMBER_BITS | k)
    return nearest


@compiled
def _keep_nearer(distances: NDArray[np.int64], number: int, kept: NDArray[np.int64]) -> None:
    for k in range(len(distances)):
        kept[k] = min(kept[k], distances[k] << _NUMBER_BITS | number)


@compiled
def _agree(
    places: NDArray[np.int64], others: NDArray[np.int64], transform: NDArray[np.float64]
) -> tuple[int, int]:
    """Return how many matches agree with the best one, and how many lie exactly on the map they tell."""
    best, chosen = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    most = 0
    for seed in range(len(places)):
        count = 0
        for k in range(len(places)):
            if k == seed or agree(places[seed], others[seed], places[k], others[k]):
                chosen[count] = k
                count += 1
        if count > most:
            most, best[:count] = count, chosen[:count]
    if most < 2:
        return 0, 0
    fit(places, others, best[:most], transform)
    exact = 0
    for _ in range(FITS):
        exact = _exact(places, others, transform, chosen)
        if not _are_apart(places, others, chosen[:exact]):
            break
        fit(places, others, chosen[:exact], transform)
    return most, exact


@compiled
def _exact(
    places: NDArray[np.int64],
    others: NDArray[np.int64],
    transform: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> int:
    """Write which matches lie on the map, and return how many do."""
    a, b, right, down = transform
    count = 0
    for k in range(len(places)):
        x, y = place_x(places[k]), place_y(places[k])
        off_x, off_y = a * x - b * y + right - place_x(others[k]), b * x + a * y + down - place_y(others[k])
        if off_x * off_x + off_y * off_y <= EXACT * EXACT:
            chosen[count] = k
            count += 1
    return count


@compiled
def _are_apart(places: NDArray[np.int64], others: NDArray[np.int64], chosen: NDArray[np.int64]) -> bool:
    """Whether there are two of them far enough apart, in both pictures, to tell a map."""
    for k in chosen[1:]:
        x, y = (
            place_x(places[k]) - place_x(places[chosen[0]]),
            place_y(places[k]) - place_y(places[chosen[0]]),
        )
        u, v = (
            place_x(others[k]) - place_x(others[chosen[0]]),
            place_y(others[k]) - place_y(others[chosen[0]]),
        )
        if x * x + y * y > APART * APART and u * u + v * v > APART * APART:
            return True
    return False
