"""Hashes of the four strips along a picture's sides: what is left beside a large logo.

A logo of a third of the area changes the hash of the whole frame, and may leave hardly a key point of a fine
texture, such as cloth. But unless it reaches from side to side it leaves a strip: beside one of 36 % of the
area, wherever it lies, a fifth of the width is free on one side, and a fifth of the height.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.features.hashes import KEPT, SIDE
from lookalike.features.waves import Grid, waves

WIDTH = 0.2
"""Of a strip on the left, right, top and bottom, as a fraction of the picture's."""
_ACROSS = 4
"""Frequencies across a strip, of KEPT along it."""
_LEAST_STRUCTURE = 0.15
"""Mean of the frequencies, in gray levels: with less the hash is made of noise."""
_MIDDLE = (KEPT * _ACROSS - 1) // 2

_ENDS = np.concatenate([waves(0.0, WIDTH, SIDE)[:_ACROSS], waves(1.0 - WIDTH, 1.0, SIDE)[:_ACROSS]])
_ALONG = waves(0.0, 1.0, SIDE).T
_WEIGHTS = np.uint64(1) << np.arange(KEPT * _ACROSS, dtype=np.uint64)


def strip_hashes(grid: Grid) -> NDArray[np.uint64]:
    """Return (4,): the hashes of the strips of a squashed picture; 0 where there is nothing to hash.

    A bit tells whether a frequency is above their median; the constant's bit is always set.
    """
    # Means of pixels: any better filter would let the logo reach into the strip.
    gray = cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    sides = np.stack([_ENDS @ gray.T, _ENDS @ gray]) @ _ALONG
    told = sides.reshape(4, -1)[:, 1:]
    bits = np.ones((4, KEPT * _ACROSS), np.uint64)
    bits[:, 1:] = told > np.partition(told, _MIDDLE, axis=1)[:, _MIDDLE, None]
    hashes: NDArray[np.uint64] = bits @ _WEIGHTS
    hashes[np.abs(told).mean(axis=1) < _LEAST_STRUCTURE] = 0
    return hashes
