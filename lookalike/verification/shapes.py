"""Shapes: what was drawn over a photo is of a few even colours that the rest of it hardly has.

Colours are found where they are commonest, and not in steps of so many levels: an even shape that lies on
the limit of two steps would count as two or, in three channels, as eight.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.cells import CELL

COLOURS = 3
NEAR = 8  # levels of a channel
FEWEST = 0.03  # share of the changed pixels
ELSEWHERE = 0.05  # share of the others: a colour that so many have is the picture's own
_SHIFT = 3

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@compiled
def foreign_share(pixels: Pixels, is_even: Mask, changed: Mask, mask: Mask) -> float:
    """Share of the changed cells' pixels in even areas of the colours that the others hardly have, 0 to 1."""
    chosen, others, total = _parted(pixels, is_even, changed, mask)
    return _foreign(chosen, others, total)


@compiled
def _parted(pixels: Pixels, is_even: Mask, changed: Mask, mask: Mask) -> tuple[Pixels, Pixels, int]:
    """Return the even pixels (3, n) of changed cells, half of the others (3, m), and how many changed."""
    chosen, others = np.empty((2, 3, mask.size), np.uint8)
    chosen_count = other_count = total = 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if not mask[y, x]:
                continue
            if not changed[y // CELL, x // CELL]:
                if other_count % 2 == 0:
                    others[:, other_count // 2] = pixels[y, x]
                other_count += 1
                continue
            total += 1
            if is_even[y, x]:
                chosen[:, chosen_count] = pixels[y, x]
                chosen_count += 1
    return chosen[:, :chosen_count], others[:, : (other_count + 1) // 2], total


@compiled
def _foreign(chosen: Pixels, others: Pixels, total: int) -> float:
    is_left = np.ones(chosen.shape[1], np.bool_)
    centre, share = np.empty(3), 0.0
    for _ in range(COLOURS):
        if np.count_nonzero(is_left) < FEWEST * total or not _find_commonest(chosen, is_left, centre):
            break
        taken = _near(chosen, centre) & is_left
        is_left &= ~taken
        near, elsewhere = np.count_nonzero(taken), np.count_nonzero(_near(others, centre))
        if elsewhere < ELSEWHERE * others.shape[1]:
            share += max(0.0, near / total - elsewhere / max(1, others.shape[1]))
    return share


@compiled
def _find_commonest(chosen: Pixels, is_left: Mask, centre: NDArray[np.float64]) -> bool:
    """Write the mean of the colours around the commonest; False if there are none."""
    counts = np.zeros(1 << 3 * (8 - _SHIFT), np.int32)
    for k in range(len(is_left)):
        if is_left[k]:
            counts[_step(chosen[0, k], chosen[1, k], chosen[2, k])] += 1
    most = counts.argmax()
    if counts[most] == 0:
        return False
    for channel in range(3):
        at = most >> (8 - _SHIFT) * (2 - channel) & (1 << 8 - _SHIFT) - 1
        centre[channel] = (at << _SHIFT) + (1 << _SHIFT - 1)
    # The step's middle is not the shape's colour: two means bring it there.
    for _ in range(2):
        near = _near(chosen, centre) & is_left
        count = np.count_nonzero(near)
        if count == 0:
            return False
        for channel in range(3):
            centre[channel] = _sum(chosen[channel], near) / count
    return True


@compiled
def _step(red: int, green: int, blue: int) -> int:
    bits = 8 - _SHIFT
    return (red >> _SHIFT << 2 * bits) + (green >> _SHIFT << bits) + (blue >> _SHIFT)


@compiled
def _near(pixels: Pixels, centre: NDArray[np.float64]) -> Mask:
    """Which pixels (3, n) are within NEAR levels of the colour; in bytes it is eight times as fast."""
    near = np.ones(pixels.shape[1], np.bool_)
    for channel in range(3):
        least = np.uint8(max(0.0, math.ceil(centre[channel] - NEAR)))
        span = np.uint8(min(255.0, math.floor(centre[channel] + NEAR)) - least)
        one = pixels[channel]
        for k in range(len(near)):
            near[k] &= np.uint8(one[k] - least) <= span
    return near


@compiled
def _sum(levels: NDArray[np.uint8], chosen: Mask) -> int:
    total = 0
    for k in range(len(levels)):
        total += levels[k] * chosen[k]
    return total
