"""What every join returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows within the radius: `i`, `j` (int32), their `distance` in bits (int16), sorted by (i, j)."""

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    distance: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.i)

    def __getitem__(self, chosen: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Pairs:
        return Pairs(self.i[chosen], self.j[chosen], self.distance[chosen])


def make_pairs(i: NDArray[np.integer], j: NDArray[np.integer], distance: NDArray[np.integer]) -> Pairs:
    """Return the pairs sorted by (i, j), as narrow integers."""
    order = np.argsort(i.astype(np.int64) << 32 | j, kind="stable")
    return Pairs(
        i[order].astype(np.int32, copy=False),
        j[order].astype(np.int32, copy=False),
        distance[order].astype(np.int16, copy=False),
    )


def gathered(parts: Sequence[Pairs]) -> Pairs:
    """Return the pairs of all parts, sorted."""
    if not parts:
        parts = [Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int16))]
    return make_pairs(
        np.concatenate([part.i for part in parts]),
        np.concatenate([part.j for part in parts]),
        np.concatenate([part.distance for part in parts]),
    )
