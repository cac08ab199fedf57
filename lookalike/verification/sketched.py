"""An alignment by sketches: where a few key points or a hash say that one picture lies in the other.

Crops of soft pictures under a caption have too few key points in common for RANSAC, but the two or three
that the records share, or the hash of a region, are a place to start from, and the pixels do the rest.
"""

from __future__ import annotations

import numpy as np

from lookalike.verification.alignment import Alignment
from lookalike.verification.geometry import inverse, scaling
from lookalike.verification.glance import look
from lookalike.verification.inspection import corrected
from lookalike.verification.places import places
from lookalike.verification.subject import Prepared

EXACT_LEAST = 2  # key points: those that agree by chance agree nowhere on the pixels
LIKELY = 2.0  # logarithm of the odds
SIDE = 140  # px of the grid on which windows move the map to a fraction of a pixel


def sketch_alignment(first: Prepared, second: Prepared) -> Alignment | None:
    """Return the map that sketches speak for; None where they do not, or nothing says where to begin."""
    one, other = first.sketch, second.sketch
    if one.is_blank or other.is_blank:
        return None
    found = places(one, other, EXACT_LEAST)
    if not len(found.maps):
        return None
    seen = look(one, other, found)
    if seen.odds < LIKELY:
        return None
    matrix = scaling(*first.size) @ np.vstack([seen.place, [0, 0, 1]]) @ inverse(scaling(*second.size))
    return Alignment(corrected(first, second, matrix, SIDE), "sketch")
