"""Which corners to keep: those that stand most alone, as mountaineers rank peaks by their isolation.

A corner's isolation is the distance to the nearest stronger one of its level. It depends on what is around
the corner and not on where the picture ends, so a crop of the picture keeps the same corners, with room for
more in between; the strongest corners of a fixed grid change with every crop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled

LEVEL_SHARE = 0.7
"""What a squared distance counts on the next coarser level: between the frame's pixels and the level's."""
FARTHEST = 1e9


@compiled
def most_isolated_first(corners: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the order of corners (n, 5), strongest first, by isolation, ties by strength.

    Of equally strong corners the later ones count as weaker. Many lie along the edge of a sticker or a
    letter: if they stood alone beside one another, they would take the places of all others.
    """
    squared = np.full(len(corners), FARTHEST)
    for k in range(len(corners)):
        x, y, level = corners[k, 0], corners[k, 1], corners[k, 4]
        for other in range(k):
            if corners[other, 4] == level:
                across, down = np.float64(corners[other, 0] - x), np.float64(corners[other, 1] - y)
                squared[k] = min(squared[k], across * across + down * down)
        squared[k] *= LEVEL_SHARE**level
    return np.argsort(-squared, kind="mergesort")
