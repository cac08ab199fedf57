"""Space for the pairs that a kernel finds before it hands them over: this bounds the memory of any join."""

from __future__ import annotations

import numpy as np

from lookalike.index.pairs import Pairs

PER_STEP = 8 * 2048
"""Most pairs that a kernel can find between two looks at the space left."""
CAPACITY = 1 << 19


class Found:
    """Arrays that a kernel fills; `take` copies what is there, and the space is used again."""

    def __init__(self) -> None:
        self.i = np.empty(CAPACITY, np.int32)
        self.j = np.empty(CAPACITY, np.int32)
        self.distance = np.empty(CAPACITY, np.int16)

    def take(self, count: int) -> Pairs:
        """Return the first `count` pairs, in the order in which they were found."""
        return Pairs(self.i[:count].copy(), self.j[:count].copy(), self.distance[:count].copy())
