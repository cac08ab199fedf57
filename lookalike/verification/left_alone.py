"""Left alone: whether two sketches say that one picture is the other with a part painted out.

A glance takes those for two contents of one template. Of a template more is the same, nearly all of it
plain, and what is the same has few tones.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from lookalike.verification.grain import Plane, grain_of, same_tiles
from lookalike.verification.sketch import Sketch

STRETCH = 0.04  # logarithm of the ratio of proportions
SAME_LEVEL = 4.0  # gray levels
LEAST_SAME, MOST_SAME = 0.3, 0.85  # shares of the pixels
LEAST_GRAIN = 0.08  # share of the tiles
PLAINEST = 0.7
# Of 480 pairs of charts, receipts and screenshots of one layout 1 in 100 is less plain, and 1 in 100 has more
# tones in common; of 29 photos with objects painted out that a glance ends, each has one or the other.
PLAIN, MANY_TONES = 0.37, 100
COARSE, TILE = 9, 8  # px; a sketch has a third of the pixels a side that grain is looked for on elsewhere


def is_left_alone(first: Sketch, second: Sketch) -> bool:
    """Whether a good part of two whole frames is the same to the level, and down to the grain."""
    if min(first.plain, second.plain) > PLAINEST or first.is_blank or second.is_blank:
        return False
    pair = _of_one_shape(first.pixels, second.pixels)
    if pair is None:
        return False
    one, other = pair
    same = np.abs(one - other) <= SAME_LEVEL
    if not LEAST_SAME < float(same.mean()) < MOST_SAME:
        return False
    if min(first.plain, second.plain) > PLAIN and len(np.unique(one[same].astype(np.uint8))) < MANY_TONES:
        return False
    found = same_tiles(grain_of(one, COARSE), grain_of(other, COARSE), TILE)
    return float(found.mean()) > LEAST_GRAIN


def _of_one_shape(one: Plane, other: Plane) -> tuple[Plane, Plane] | None:
    (height, width), (other_height, other_width) = one.shape, other.shape
    if abs(math.log(height * other_width / (width * other_height))) > STRETCH:
        return None
    if one.shape == other.shape:
        return one, other
    # The larger one is made as small, whichever is given first.
    if one.size > other.size:
        return np.asarray(cv2.resize(one, (other_width, other_height), interpolation=cv2.INTER_AREA)), other
    return one, np.asarray(cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA))
