"""A glance at two pictures before anything else is asked: can one be made from the other at all?

Nearly all candidates of a large collection are pictures of one template, such as receipts. On thumbnails
they look alike, but at a hundred pixels a side other words stand in the same places. So two sketches are
laid on each other wherever one may lie in the other (places.py), as is and, where there is hope, registered,
and measured where they agree best. It is one logistic regression for all; benchmarks/learn_glance.py learned
its weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.frames import Maps
from lookalike.local.check import BITS_SURE
from lookalike.local.likeness import area, between_frames, between_pixels, compare, of_half, undone
from lookalike.local.registration import halved, move, register
from lookalike.local.sampling import Image, Map
from lookalike.verification import sketch_agreement
from lookalike.verification.places import FAR, Places, places
from lookalike.verification.sketch import Sketch
from lookalike.verification.sketch_agreement import OVERLAP, STRONG_TILES, measure

ODDS_LEAST, ODDS_LEAST_OF_PHOTOS = -0.8, -6.0
"""Logarithms of the odds; pairs below are not compared any further."""
PLAIN = 0.34
"""How plain both pictures are of which templates are made. There are few photos to compare, and a large logo
leaves little of one that agrees."""
_OF_RECORDS = ("agreeing", "exact", "frame_bits", "region_bits", "plain")
_OF_THUMBNAILS = ("overlap", "whole", "tiles", "strong_tiles", "fine", "fine_tiles")
MEASURES = (
    *_OF_RECORDS,
    *(f"thumbnail_{name}" for name in _OF_THUMBNAILS),
    *sketch_agreement.MEASURES,
)
SHOWN = ("exact", "overlap", "whole", "strong_tiles", "good_tiles")
POINTS_ENOUGH = 16
"""Key points that agree; more tell no more."""
EXACT_ENOUGH = 11
"""Key points that lie exactly on one map: with so many pictures are compared whatever the sketches say."""
MUCH_SMALLER = 0.5
"""Pixels of one that a pixel of the other covers: then that one is taken at half its size."""
HOPELESS = -5.0
"""Logarithm of the odds where a map is not moved yet: below, to move it wins two copies of plain pictures in
five thousand. Photos are always moved: of those that share half of what they show it wins some."""
LOOKED_CLOSER = 3
"""Places: more of them find hardly any more copies."""
HARDLY_MOVED = 0.05
"""Pixels of a thumbnail: two places so near to each other are one."""
_KNOWN, _PLAIN = len(_OF_RECORDS), _OF_RECORDS.index("plain")
_SKETCHED = _KNOWN + len(_OF_THUMBNAILS)

# What one more of each of the MEASURES is worth: of records, of thumbnails, of sketches; and the constant.
_WEIGHTS = np.array(
    [
        -0.083,
        0.267,
        -0.029,
        0.036,
        -5.359,
        11.736,
        -0.065,
        1.897,
        -6.101,
        -2.491,
        3.032,
        -2.488,
        2.538,
        2.587,
        -2.395,
        3.235,
        2.392,
        2.132,
        0.030,
        4.016,
    ]
)
_CONSTANT = -13.072


@dataclass(frozen=True, eq=False)
class Glance:
    """What a glance tells: MEASURES at the best place, and that place in frames of side one."""

    measures: NDArray[np.float64]
    place: Map  # (2, 3), from the second picture to the first

    @property
    def odds(self) -> float:
        """Logarithm of the odds that one was made from the other."""
        return float(_odds(self.measures))

    @property
    def is_promising(self) -> bool:
        """Whether it is worth to go on."""
        return self.odds >= (ODDS_LEAST if self.of("plain") >= PLAIN else ODDS_LEAST_OF_PHOTOS)

    @property
    def likelihood(self) -> float:
        """That one was made from the other, 0 to 1."""
        return 1 / (1 + math.exp(-self.odds))

    def of(self, name: str) -> float:
        """Return one of the MEASURES."""
        return float(self.measures[MEASURES.index(name)])


def glance(first: Sketch, second: Sketch) -> Glance | None:
    """Return what a glance tells; None where hashes tell enough, or nothing says where one could lie."""
    if first.is_blank or second.is_blank:
        return None
    found = places(first, second)
    if not len(found.maps) or found.frame_bits >= FAR - BITS_SURE or found.exact >= EXACT_ENOUGH:
        return None
    return look(first, second, found)


def look(first: Sketch, second: Sketch, found: Places) -> Glance:
    """Lay two sketches on each other where they may lie, and measure how well they agree at best."""
    measures = np.empty(len(MEASURES))
    measures[:2] = min(found.agreeing, POINTS_ENOUGH), min(found.exact, POINTS_ENOUGH)
    measures[2:_KNOWN] = found.frame_bits, found.region_bits, min(first.plain, second.plain)
    place = np.empty((2, 3))
    shown = first.thumbnail, second.thumbnail, first.pixels, second.pixels
    _look(found.maps, *shown, measures, place)
    return Glance(measures, place)


@compiled
def _look(
    maps: Maps,
    thumbnail: Image,
    other_thumbnail: Image,
    pixels: Image,
    others: Image,
    out: NDArray[np.float64],
    place: Map,
) -> None:
    """Write the measures where the two agree best, of those places where thumbnails agree best; and where.

    Those of records are there already.
    """
    steps, turned = np.empty((2 * len(maps), 2, 3)), np.empty(2 * len(maps), np.bool_)
    told, ranks = np.empty((2 * len(maps), len(out))), np.empty(2 * len(maps))
    told[:, :_KNOWN] = out[:_KNOWN]
    count = 0
    for k in range(len(maps)):
        a, b, between = thumbnail, other_thumbnail, maps[k]
        # At the pixels of the sharper one the other is sampled.
        is_turned = abs(area(between_pixels(between, pixels, others))) > 1
        if is_turned:
            a, b, between = b, a, undone(between)
        start = between_pixels(between, a, b)
        moved = start.copy()
        register(a, b, moved)
        for step in (start, moved):
            if _is_among(step, is_turned, steps[:count], turned[:count]):
                continue
            steps[count], turned[count] = step, is_turned
            compare(a, b, step, told[count, _KNOWN:])
            overlap, whole, tiles = told[count, _KNOWN], told[count, _KNOWN + 1], told[count, _KNOWN + 2]
            ranks[count] = 0.5 * (whole + tiles) * min(1.0, 2 * overlap)
            count += 1
    best = -np.inf
    for k in np.argsort(-ranks[:count], kind="mergesort")[:LOOKED_CLOSER]:
        a, b, one, other = thumbnail, other_thumbnail, pixels, others
        if turned[k]:
            a, b, one, other = b, a, other, one
        found = _look_closer(a, b, steps[k], one, other, told[k])
        rank = told[k, _SKETCHED + STRONG_TILES] * min(1.0, 2 * told[k, _SKETCHED + OVERLAP])
        if rank > best:
            best = rank
            out[:] = told[k]
            place[:] = found if turned[k] else undone(found)


@compiled
def _is_among(step: Map, is_turned: bool, steps: Maps, turned: NDArray[np.bool_]) -> bool:
    """Whether one of the steps is nearly this one: registration brings most places to the same end."""
    for k in range(len(steps)):
        if turned[k] == is_turned and np.abs(step - steps[k]).max() < HARDLY_MOVED:
            return True
    return False


@compiled
def _look_closer(a: Image, b: Image, step: Map, one: Image, other: Image, out: NDArray[np.float64]) -> Map:
    """Write the measures of two sketches, of which the thumbnails lie on each other so.

    Return the map from one to the other, in frames of side one: moved, where there is hope.
    """
    finer = _finer(step, a, b, one, other)
    if abs(area(finer)) < MUCH_SMALLER:
        one, finer = halved(one), of_half(finer)
    found = out[_SKETCHED:]
    measure(one, other, finer, found)
    if out[_PLAIN] < PLAIN or _odds(out) >= HOPELESS:
        moved, told = finer.copy(), np.empty(len(found))
        move(one, other, moved)
        measure(one, other, moved, told)
        # A logo pulls the map away from where all else agrees.
        if told[STRONG_TILES] >= found[STRONG_TILES]:
            found[:], finer = told, moved
    return between_frames(finer, one, other)


@compiled
def _odds(measures: NDArray[np.float64]) -> float:
    odds = _CONSTANT
    for k in range(len(measures)):
        odds += measures[k] * _WEIGHTS[k]
    return odds


@compiled
def _finer(step: Map, a: Image, b: Image, one: Image, other: Image) -> Map:
    """Return the map between pixels of one and other that is this one between those of a and b."""
    finer = np.empty((2, 3))
    across, down = a.shape[1] / one.shape[1], a.shape[0] / one.shape[0]
    for row in range(2):
        grown = other.shape[1 - row] / b.shape[1 - row]
        p, q, shift = step[row, 0], step[row, 1], step[row, 2]
        finer[row, 0], finer[row, 1] = grown * p * across, grown * q * down
        # Pixel centres lie at p + 0.5.
        finer[row, 2] = grown * (p * (0.5 * across - 0.5) + q * (0.5 * down - 0.5) + shift + 0.5) - 0.5
    return finer
