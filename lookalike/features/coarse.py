"""Coarse hashes: the 64 bits of the lowest frequencies of a hash, those that edits change least."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.features.hashes import KEPT
from lookalike.features.record import HASH_BYTES

COARSE_BITS = 64
# Of row r of the frequencies those whose column is in _COLUMNS[r]: row + column is at most 10. The constant
# (0, 0) tells nothing, and (10, 0) is one too many.
_COLUMNS = [range(1, 11), *(range(11 - row) for row in range(1, 10))]


def coarse(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return (...) uint64, the coarse hash of each of hashes (..., 32) uint8."""
    rows = np.ascontiguousarray(hashes).view(">u2").reshape(*hashes.shape[:-1], HASH_BYTES // 2)
    words = np.zeros(hashes.shape[:-1], np.uint64)
    for row, columns in enumerate(_COLUMNS):
        # A row of frequencies is 16 bits, its first column the highest.
        chosen = rows[..., row] >> (KEPT - columns.stop) & ((1 << len(columns)) - 1)
        words <<= np.uint64(len(columns))
        words |= chosen
    return words
