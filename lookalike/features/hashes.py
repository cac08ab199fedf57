"""256-bit DCT hashes of a whole picture, bit-equal to imagehash.phash(hash_size=16)."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import fft

from lookalike.features.record import ORIENTATION_COUNT

SIDE = 64  # pixels a side that are transformed
KEPT = 16  # frequencies a side that make the hash
# Coefficients are sums of 4,096 terms up to 4 × 255: rounding is far below this, real differences far above.
_ROUNDING = 1e-6

_ODD_ROWS = np.where(np.arange(KEPT) % 2, -1.0, 1.0)[:, None]
_ODD_COLUMNS = _ODD_ROWS.T


def reduced(gray: Image.Image) -> np.ndarray:
    """Return the (64, 64) uint8 gray levels that imagehash hashes; `gray` is of mode L."""
    return np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def hash_of(levels: np.ndarray) -> np.ndarray:
    """Return the (32,) uint8 hash of (64, 64) gray levels."""
    first: np.ndarray = packed(_coefficients(levels)[None])[0]
    return first


def oriented_hashes(levels: np.ndarray) -> np.ndarray:
    """Return (8, 32) uint8: the hashes of (64, 64) gray levels under EXIF orientations 1 to 8.

    Mirroring negates the odd frequencies, and transposing transposes them: one transform serves all.
    """
    first = _coefficients(levels)
    coefficients = np.stack([_turned(first, k) for k in range(ORIENTATION_COUNT)])
    # In symmetric pictures coefficients tie and rounding decides the bits: there each is transformed anew.
    lower, upper = _middle(coefficients)
    for k in np.flatnonzero(upper - lower < _ROUNDING):
        coefficients[k] = _coefficients(turned_levels(levels, int(k)))
    return packed(coefficients)


def packed(coefficients: np.ndarray) -> np.ndarray:
    """Return (n, 32) uint8, a hash for each of (n, 16, 16) coefficients: which are above their median."""
    lower, upper = _middle(coefficients)
    medians = (lower + upper) / 2
    bits: np.ndarray = coefficients.reshape(len(coefficients), -1) > medians[:, None]
    return np.packbits(bits, axis=1)


def _middle(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two middle values of each (16, 16)."""
    half = KEPT * KEPT // 2
    ordered = np.partition(coefficients.reshape(len(coefficients), -1), (half - 1, half), axis=1)
    return ordered[:, half - 1], ordered[:, half]


def turned_levels(levels: np.ndarray, k: int) -> np.ndarray:
    """Return square gray levels as a viewer would show them under EXIF orientation k + 1."""
    turned = levels.T if k >= 4 else levels
    turned = turned[::-1] if k in (2, 3, 6, 7) else turned
    return turned[:, ::-1] if k in (1, 2, 5, 6) else turned


def _turned(coefficients: np.ndarray, k: int) -> np.ndarray:
    turned = coefficients.T if k >= 4 else coefficients
    turned = turned * _ODD_ROWS if k in (2, 3, 6, 7) else turned
    return turned * _ODD_COLUMNS if k in (1, 2, 5, 6) else turned


def _coefficients(levels: np.ndarray) -> np.ndarray:
    """Return the (16, 16) lowest frequencies, to the last bit as imagehash computes them."""
    columns: np.ndarray = fft.dct(np.ascontiguousarray(levels, dtype=np.float64), axis=0)[:KEPT]
    rows: np.ndarray = fft.dct(columns, axis=1)[:, :KEPT]
    return rows
