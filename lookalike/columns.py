"""The features of many images by columns: what a join reads lies together, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass
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

PLAIN = np.dtype(
    [*((name, FEATURES[name]) for name in ("flags", "width", "height", "colour")), ("key_points", "u1")]
)


@dataclass(frozen=True, eq=False)
class Columns:
    """N images. hashes[k] are (N, 32): of the whole frame, turned, regions, trimmed; coarse too."""

    hashes: NDArray[np.uint8]
    coarse: NDArray[np.uint64]
    plain: NDArray[np.void]
    local: Records

    @classmethod
    def of(cls, features: NDArray[np.void]) -> Self:
        """Return the columns of FEATURES records."""
        hashes = np.empty((HASH_COUNT, len(features), HASH_BYTES), np.uint8)
        hashes[:ORIENTATION_COUNT] = features["whole"].transpose(1, 0, 2)
        hashes[REGIONS.start : REGIONS.stop] = features["regions"].transpose(1, 0, 2)
        hashes[TRIMMED] = features["trimmed"]
        plain = np.empty(len(features), PLAIN)
        for name in ("flags", "width", "height", "colour"):
            plain[name] = features[name]
        plain["key_points"] = features["local"]["count"]
        return cls(hashes, coarse(hashes), plain, np.ascontiguousarray(features["local"]))

    def __len__(self) -> int:
        return len(self.plain)

    def __getitem__(self, rows: slice) -> Columns:
        return Columns(self.hashes[:, rows], self.coarse[:, rows], self.plain[rows], self.local[rows])

    def take(self, rows: NDArray[np.integer[Any]]) -> Columns:
        """Return some images, copied."""
        return Columns(self.hashes[:, rows], self.coarse[:, rows], self.plain[rows], self.local[rows])

    def and_then(self, others: Columns) -> Columns:
        """Return these images and after them the others."""
        return Columns(
            np.concatenate([self.hashes, others.hashes], axis=1),
            np.concatenate([self.coarse, others.coarse], axis=1),
            np.concatenate([self.plain, others.plain]),
            np.concatenate([self.local, others.local]),
        )

    def has(self, flag: Flag) -> NDArray[np.bool_]:
        """Return a mask of the images that have the flag."""
        return has_flag(self.plain, flag)
