"""Hashes as machine words: bytes in, uint64 out, so that eight bytes are compared at once."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
Hashes = NDArray[np.uint8]
"""(rows, bits / 8) uint8."""
Words = NDArray[np.uint64]
"""(rows, bits / 64) uint64, the last word filled up with zero bits."""

Rows = NDArray[np.int32]
"""Numbers of rows."""


def to_words(hashes: Hashes) -> Words:
    """Return hashes (N, bytes) as words (N, ceil(bytes / 8)); no copy where the bytes already lie so."""
    if hashes.ndim != 2 or hashes.dtype != np.uint8 or hashes.shape[1] == 0:
        raise ValueError(f"hashes are (rows, bytes) uint8, not {hashes.shape} {hashes.dtype}")
    missing = -hashes.shape[1] % 8
    if missing:
        hashes = np.pad(hashes, ((0, 0), (0, missing)))
    return np.ascontiguousarray(hashes).view(np.uint64)


def read_only(array: NDArray[T]) -> NDArray[T]:
    """Return a C-ordered view that cannot be written: memory-mapped or not, one type for Numba to compile."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def distances(a: Words, b: Words) -> NDArray[np.int64]:
    """Return the Hamming distances of rows of a to rows of b, broadcast over all but the last axis."""
    bits: NDArray[np.int64] = np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)
    return bits
