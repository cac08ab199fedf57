"""The features of many images by columns: what a join reads lies together, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lookalike.features.coarse import coarse
from lookalike.features.record import FEATURES, HASH_BYTES, ORIENTATION_COUNT, REGION_COUNT, Flag, has_flag
from lookalike.local.record import Records

WHOLE = 0
TURNED = range(1, ORIENTATION_COUNT)
REGIONS = range(ORIENTATION_COUNT, ORIENTATION_COUNT + REGION_COUNT)
TRIMMED = ORIENTATION_COUNT + REGION_COUNT
HASH_COUNT = TRIMMED + 1

_COPIED = ("flags", "width", "height", "colour", "strips")
PLAIN = np.dtype([*((name, FEATURES[name]) for name in _COPIED), ("key_points", "u1")])

# One in so many rows: looked up one by one.
_FEW = 8

# What images are chosen by, as of any array.
Chosen = slice | NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Columns:
    """N images, numbered from 0: all that the arrays hold, or those at `rows` of them, in that order.

    hashes[i, k] are the 32 bytes of hash k (whole frame, turned, regions, trimmed) of row i, and
    coarse[i // m, k, i % m] is its coarse hash: m rows lie together, hash by hash, so that one hash of all
    images is read in long pieces and yet rows can be added to a file. The last piece may have room for more.
    """

    hashes: NDArray[np.uint8]
    coarse: NDArray[np.uint64]
    plain: NDArray[np.void]
    local: Records
    rows: NDArray[np.integer[Any]] | None = None

    @classmethod
    def of(cls, features: NDArray[np.void]) -> Self:
        """Return the columns of FEATURES records."""
        hashes = np.empty((len(features), HASH_COUNT, HASH_BYTES), np.uint8)
        hashes[:, :ORIENTATION_COUNT] = features["whole"]
        hashes[:, REGIONS.start : REGIONS.stop] = features["regions"]
        hashes[:, TRIMMED] = features["trimmed"]
        plain = np.empty(len(features), PLAIN)
        for name in _COPIED:
            plain[name] = features[name]
        plain["key_points"] = features["local"]["count"]
        in_one_piece = np.ascontiguousarray(coarse(hashes).T)[None]
        return cls(hashes, in_one_piece, plain, np.ascontiguousarray(features["local"]))

    def __len__(self) -> int:
        return len(self.plain) if self.rows is None else len(self.rows)

    def __getitem__(self, images: Chosen) -> Columns:
        """Return some images, in this order. Nothing is copied."""
        rows = np.arange(len(self), dtype=np.int32) if self.rows is None else self.rows
        return replace(self, rows=rows[images])

    def take(self, images: NDArray[np.integer[Any]]) -> Columns:
        """Return some images, copied."""
        return self[images].and_then(self[:0])

    def and_then(self, others: Columns) -> Columns:
        """Return these images and after them the others, copied."""
        one, other = self._rows(slice(None)), others._rows(slice(None))
        return Columns(
            np.concatenate([self.hashes[one], others.hashes[other]]),
            np.concatenate([self._coarse_at(one), others._coarse_at(other)]).T[None].copy(),
            np.concatenate([self.plain[one], others.plain[other]]),
            np.concatenate([self.local[one], others.local[other]]),
        )

    def hashes_of(self, kind: int, images: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return (n, 32): one of the hashes of some images."""
        return self.hashes[self._rows(images), kind]

    def coarse_of(self, kind: int, images: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
        """Return (n,): one of the coarse hashes of some images."""
        rows, size = images if self.rows is None else self.rows[images], self.coarse.shape[2]
        found: NDArray[np.uint64]
        if len(rows) * _FEW < len(self.plain):
            found = self.coarse[rows // size, kind, rows % size]
        else:
            # Of all rows first: those lie together, and to look for each would take longer than to copy them.
            found = self.coarse[:, kind].reshape(-1)[_as_slice(rows)]
        return found

    def plain_of(self, images: Chosen) -> NDArray[np.void]:
        """Return (n,) PLAIN of some images."""
        return self.plain[self._rows(images)]

    def local_of(self, images: Chosen) -> Records:
        """Return (n,) LOCAL of some images; of a slice not copied where they lie side by side."""
        return self.local[self._rows(images)]

    def has(self, flag: Flag, images: Chosen = slice(None)) -> NDArray[np.bool_]:
        """Return a mask of the images, or of some of them, that have the flag."""
        return has_flag(self.plain_of(images), flag)

    def _rows(self, images: Chosen) -> Chosen:
        rows = images if self.rows is None else self.rows[images]
        return _as_slice(rows) if isinstance(rows, np.ndarray) and isinstance(images, slice) else rows

    def _coarse_at(self, rows: Chosen) -> NDArray[np.uint64]:
        """Return (n, HASH_COUNT): all coarse hashes of some rows."""
        size, places = self.coarse.shape[2], np.arange(len(self.plain))[rows]
        found: NDArray[np.uint64] = self.coarse[places // size, :, places % size]
        return found


def _as_slice(rows: NDArray[np.integer[Any]]) -> Chosen:
    """Return rows that follow one another as a slice: those need not be copied."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
