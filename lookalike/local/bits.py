"""Hamming distances of descriptors, as four machine words each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled, load, popcount


@compiled
def distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> int:
    """Return the bits in which two descriptors (4,) differ."""
    bits = popcount(a[0] ^ b[0]) + popcount(a[1] ^ b[1]) + popcount(a[2] ^ b[2]) + popcount(a[3] ^ b[3])
    return np.int64(bits)  # type: ignore[return-value]


@compiled
def distances_to(
    descriptor: NDArray[np.uint64],
    planes: NDArray[np.uint64],
    first: int,
    size: int,
    out: NDArray[np.integer[Any]],
) -> None:
    """Write the distances to planes[:, first:first + size] into out: whole vectors, no branches."""
    a, b, c, d = planes[0], planes[1], planes[2], planes[3]
    a0, b0, c0, d0 = descriptor[0], descriptor[1], descriptor[2], descriptor[3]
    for k in range(size):
        j = first + k
        out[k] = (popcount(load(a, j) ^ a0) + popcount(load(b, j) ^ b0)) + (
            popcount(load(c, j) ^ c0) + popcount(load(d, j) ^ d0)
        )
