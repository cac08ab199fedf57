"""Long lists of numbers as bytes, for the columns input_data and output_data."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_STORED = np.dtype("<i8")


def packed(values: Iterable[int] | Integers) -> bytes:
    """Return int64 numbers of any shape as bytes."""
    array = values if isinstance(values, np.ndarray) else np.fromiter(values, np.int64)
    return np.ascontiguousarray(array, _STORED).tobytes()


def unpacked(data: bytes | None, columns: int | None = None) -> Integers:
    """Return packed numbers, as rows of so many columns if told."""
    array = np.frombuffer(data or b"", _STORED).astype(np.int64)
    return array if columns is None else array.reshape(-1, columns)


def squeezed(values: Integers) -> bytes:
    """Return int64 numbers of any shape as few bytes: ids in about their order differ by little."""
    flat = np.ascontiguousarray(values, _STORED).reshape(-1)
    return zlib.compress(np.diff(flat, prepend=flat.dtype.type(0)).tobytes(), level=1)


def unsqueezed(data: bytes | None, columns: int | None = None) -> Integers:
    """Return squeezed numbers, as rows of so many columns if told."""
    array = np.cumsum(unpacked(zlib.decompress(data) if data else b""), dtype=np.int64)
    return array if columns is None else array.reshape(-1, columns)
