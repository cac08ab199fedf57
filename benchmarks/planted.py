"""Hashes with planted clusters: most rows are random, a tenth are copies with up to radius flipped bits."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_A_TIME = 200_000


def planted_hashes(count: int, bits: int, radius: int, seed: int = 1) -> NDArray[np.uint8]:
    """Return (count, bits / 8) uint8: clusters of 2 to 6 rows at scattered places among random rows."""
    random = np.random.default_rng(seed)
    hashes = np.frombuffer(random.bytes(count * bits // 8), np.uint8).reshape(count, -1).copy()
    places = random.permutation(count)[: count // 10]
    sizes = random.integers(2, 7, len(places) // 2 + 1)
    bases = places[np.repeat(np.cumsum(sizes) - sizes, sizes)[: len(places)]]
    for start in range(0, len(places), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        copies = bases[part] != places[part]
        hashes[places[part][copies]] = _flipped(hashes[bases[part][copies]], radius, random)
    return hashes


def _flipped(hashes: NDArray[np.uint8], radius: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Flip 0 to radius bits of each row (a bit drawn twice is flipped back)."""
    rows, bits = len(hashes), hashes.shape[1] * 8
    flips = random.integers(0, radius + 1, rows)
    made = hashes.copy()
    for turn in range(radius):
        bit = random.integers(0, bits, rows)
        bit_of_byte = (1 << (bit % 8)).astype(np.uint8)
        made[np.arange(rows), bit // 8] ^= np.where(flips > turn, bit_of_byte, 0).astype(np.uint8)
    return made


if __name__ == "__main__":
    np.save(sys.argv[1], planted_hashes(*map(int, sys.argv[2:])))
