"""Frames: where one picture lies in another, if two of their hashes are near for good reason.

A hash is of a frame: the whole picture, the picture without its border, a region of it, or the picture
turned. Two near hashes say that one frame shows what the other does. Maps are (n, 2, 3), between pictures
whose sides are one; they are where registration starts, so a border need only be known to a few hundredths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import HASH_COUNT, REGIONS, TRIMMED, TURNED, WHOLE
from lookalike.features.regions import REGIONS as BOXES
from lookalike.local.record import Records
from lookalike.local.thumbnails import inner_boxes
from lookalike.verification.geometry import inverse, orientation

Maps = NDArray[np.float64]


def maps_between(
    first: Records, second: Records, columns: NDArray[np.integer[Any]], others: NDArray[np.integer[Any]]
) -> Maps:
    """Return the maps from pictures whose hashes of columns are near those of others, of the second pictures.

    Of the first picture it is the whole or the trimmed frame, of the second any.
    """
    one, other = _FRAMES[columns], _FRAMES[others]
    for maps, records, chosen in ((one, first, columns), (other, second, others)):
        trimmed = np.flatnonzero(chosen == TRIMMED)
        maps[trimmed] = _of_boxes(inner_boxes(records[trimmed]))
    return _composed(other, _inverse(one))


def frames_of(record: np.void) -> Maps:
    """Return the maps (HASH_COUNT, 2, 3) to one picture from all of its frames."""
    maps = _FRAMES.copy()
    maps[TRIMMED] = _of_boxes(inner_boxes(np.array([record])))[0]
    return maps


def stretches(maps: Maps, first: Records, second: Records) -> NDArray[np.float64]:
    """Return by how much maps stretch one side of pictures (n,) more than the other, as logarithms."""
    linear = maps[:, :, :2].copy()
    linear *= np.stack([second["width"], second["height"]], axis=1).astype(np.float64)[:, :, None]
    linear /= np.stack([first["width"], first["height"]], axis=1).astype(np.float64)[:, None, :]
    lengths = np.hypot(linear[:, 0], linear[:, 1])
    stretched: NDArray[np.float64] = np.abs(np.log(lengths[:, 0] / lengths[:, 1]))
    return stretched


def _of_boxes(boxes: NDArray[np.floating[Any]]) -> Maps:
    """Return the maps from frames to pictures; boxes (n, 4) are left, top, right, bottom."""
    maps = np.zeros((len(boxes), 2, 3))
    maps[:, [0, 1], [0, 1]] = boxes[:, 2:] - boxes[:, :2]
    maps[:, :, 2] = boxes[:, :2]
    return maps


def _composed(outer: Maps, inner: Maps) -> Maps:
    maps: Maps = outer[:, :, :2] @ inner
    maps[:, :, 2] += outer[:, :, 2]
    return maps


def _inverse(maps: Maps) -> Maps:
    """Undo maps of upright frames: those that only scale and shift."""
    scales, shifts = maps[:, [0, 1], [0, 1]], maps[:, :, 2]
    return _of_boxes(np.concatenate([-shifts / scales, (1 - shifts) / scales], axis=1))


_FRAMES = np.empty((HASH_COUNT, 2, 3))
_FRAMES[[WHOLE, TRIMMED]] = np.eye(2, 3)
# To the picture from how a viewer would show it.
_FRAMES[TURNED] = [inverse(orientation(k))[:2] for k in TURNED]
_FRAMES[REGIONS] = _of_boxes(np.array(BOXES))
