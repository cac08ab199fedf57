"""Shapes: what was drawn over a photo is of a few even colours that the rest of it hardly has.

Colours are found where they are commonest, and not in steps of so many levels: an even shape that lies on
the limit of two steps would count as two or, in three channels, as eight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification import tones
from lookalike.verification.cells import CELL

COLOURS = 3
NEAR = 8  # levels of a channel
FEWEST = 0.03  # share of the changed pixels
ELSEWHERE = 0.05  # share of the others: a colour that so many have is the picture's own
_SHIFT = 3

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def foreign_share(pixels: Pixels, changed: Mask, mask: Mask) -> float:
    """Share of the changed cells' pixels in even areas of the colours that the others hardly have, 0 to 1."""
    within = np.repeat(np.repeat(changed, CELL, axis=0), CELL, axis=1) & mask
    count = int(np.count_nonzero(within))
    return _foreign(pixels[tones.even(pixels, within)], pixels[~within & mask][::2], count) if count else 0.0


@compiled
def _foreign(chosen: Pixels, others: Pixels, total: int) -> float:
    is_left = np.ones(len(chosen), np.bool_)
    centre, share = np.empty(3), 0.0
    for _ in range(COLOURS):
        if np.count_nonzero(is_left) < FEWEST * total or not _find_commonest(chosen, is_left, centre):
            break
        near = 0
        for k in range(len(chosen)):
            if is_left[k] and _is_near(chosen[k], centre):
                is_left[k] = False
                near += 1
        elsewhere = 0
        for k in range(len(others)):
            elsewhere += _is_near(others[k], centre)
        if elsewhere < ELSEWHERE * len(others):
            share += max(0.0, near / total - elsewhere / max(1, len(others)))
    return share


@compiled
def _find_commonest(chosen: Pixels, is_left: Mask, centre: NDArray[np.float64]) -> bool:
    """Write the mean of the colours around the commonest; False if there are none."""
    counts = np.zeros(1 << 3 * (8 - _SHIFT), np.int32)
    for k in range(len(chosen)):
        if is_left[k]:
            counts[_step(chosen[k])] += 1
    most = counts.argmax()
    if counts[most] == 0:
        return False
    for channel in range(3):
        at = most >> (8 - _SHIFT) * (2 - channel) & (1 << 8 - _SHIFT) - 1
        centre[channel] = (at << _SHIFT) + (1 << _SHIFT - 1)
    # The step's middle is not the shape's colour: two means bring it there.
    for _ in range(2):
        sums, count = np.zeros(3), 0
        for k in range(len(chosen)):
            if is_left[k] and _is_near(chosen[k], centre):
                sums += chosen[k]
                count += 1
        if count == 0:
            return False
        centre[:] = sums / count
    return True


@compiled
def _step(pixel: Pixels) -> int:
    red, green, blue = (np.int64(pixel[0]), np.int64(pixel[1]), np.int64(pixel[2]))
    bits = 8 - _SHIFT
    return int((red >> _SHIFT << 2 * bits) + (green >> _SHIFT << bits) + (blue >> _SHIFT))


@compiled
def _is_near(pixel: Pixels, centre: NDArray[np.float64]) -> bool:
    return bool(
        abs(pixel[0] - centre[0]) <= NEAR
        and abs(pixel[1] - centre[1]) <= NEAR
        and abs(pixel[2] - centre[2]) <= NEAR
    )
