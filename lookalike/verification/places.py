"""Places: where in one picture the other may lie, by what makes two pictures candidates.

That is where their frames lie whose hashes are near, and where the most key points agree, as seen and in a
mirror. It is computed anew from the two records, so that it does not matter who asks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookalike.candidates import REGION_RADII, TURNED_RADII, WHOLE_RADII
from lookalike.columns import HASH_COUNT, REGIONS, TRIMMED, TURNED, WHOLE
from lookalike.compiled import compiled, popcount
from lookalike.frames import Maps
from lookalike.local.bits import distance
from lookalike.local.check import EXACT_LEAST
from lookalike.local.frame_maps import maps_of
from lookalike.local.likeness import undone
from lookalike.local.recount import are_turned, recounted
from lookalike.local.sampling import Map
from lookalike.verification.sketch import Sketch

MIRRORED_LEAST = 4
"""With fewer the mirror image is looked at only if more key points agree in it."""
FAR = 92

_MIRRORED = np.array([False, True])
_FIRST_REGION = REGIONS.start
_RADII = np.empty((HASH_COUNT, 2), np.int64)
_RADII[[WHOLE, TRIMMED]] = WHOLE_RADII
_RADII[TURNED] = TURNED_RADII
_RADII[REGIONS] = REGION_RADII


class Places(NamedTuple):
    """Maps (k, 2, 3) from the first picture to the second, with sides of one, and what speaks for them."""

    maps: Maps
    agreeing: int  # key points
    exact: int  # key points that lie exactly on a map
    frame_bits: int  # fewer than FAR by so many are the hashes of whole frames apart; 0 if they are not near
    region_bits: int  # the same of a frame and a region of the other picture


def places(first: Sketch, second: Sketch, exact_least: int = EXACT_LEAST) -> Places:
    """Return where the first picture may lie in the second; there may be no such place.

    So many key points must lie exactly on a map for it to be one.
    """
    bits, frames = np.zeros(2, np.int64), np.empty((2, 2, 3))
    if not (first.is_flat or second.is_flat):
        one, other = (first.hashes, first.coarse, first.frames), (second.hashes, second.coarse, second.frames)
        _find_nearest(*one, *other, False, _RADII, bits, frames)
        _find_nearest(*other, *one, True, _RADII, bits, frames)
    near = bits > 0
    turned = are_turned(first.points, second.points)
    agreeing, exact, transforms = recounted(first.points, second.points, _MIRRORED, turned)
    told = exact >= exact_least
    told[1] &= exact[1] >= MIRRORED_LEAST or exact[1] > exact[0] or not (near.any() or told[0])
    sizes, others = first.frame_sizes[told], second.frame_sizes[told]
    by_points = maps_of(transforms[told], _MIRRORED[told], turned[told], sizes, others)
    return Places(
        np.concatenate([frames[near], by_points]),
        int(agreeing[told].max(initial=0)),
        int(exact[told].max(initial=0)),
        *bits.tolist(),
    )


@compiled
def _find_nearest(
    seen: NDArray[np.uint64],
    seen_coarse: NDArray[np.uint64],
    seen_frames: Maps,
    others: NDArray[np.uint64],
    others_coarse: NDArray[np.uint64],
    others_frames: Maps,
    is_turned: bool,
    radii: NDArray[np.int64],
    found: NDArray[np.int64],
    maps: Maps,
) -> None:
    """Write the nearest hashes within the radii, of frames and of regions, if they are nearer than found."""
    for one in (WHOLE, TRIMMED):
        for other in range(HASH_COUNT):
            if popcount(seen_coarse[one] ^ others_coarse[other]) > radii[other, 1]:
                continue
            bits = distance(seen[one], others[other])
            kind = 1 if _FIRST_REGION <= other < TRIMMED else 0
            if bits <= radii[other, 0] and FAR - bits > found[kind]:
                found[kind] = FAR - bits
                if is_turned:
                    _compose(seen_frames[one], undone(others_frames[other]), maps[kind])
                else:
                    _compose(others_frames[other], undone(seen_frames[one]), maps[kind])


@compiled
def _compose(outer: Map, inner: Map, out: Map) -> None:
    for row in range(2):
        for column in range(3):
            out[row, column] = outer[row, 0] * inner[0, column] + outer[row, 1] * inner[1, column]
        out[row, 2] += outer[row, 2]
