"""Gray levels, counted: how much of a picture is of one tone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled


@compiled
def most_of_one_tone(counts: NDArray[np.int64], spread: int) -> int:
    """Return the largest of the counts (256,) of a level and all that lie within `spread` of it."""
    near = 0
    for level in range(spread):
        near += counts[level]
    most = 0
    for level in range(256):
        if level + spread < 256:
            near += counts[level + spread]
        if level > spread:
            near -= counts[level - spread - 1]
        most = max(most, near)
    return most
