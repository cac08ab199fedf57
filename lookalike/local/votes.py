"""Votes: which images are candidates by their local features, and how one maps onto the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike.local.geometry import inverted
from lookalike.local.record import Records
from lookalike.local.voting import Winners

VOTE = np.dtype(
    [
        ("i", "<i8"),
        ("j", "<i8"),
        # Whether picture i must be mirrored (left to right) before the transform applies.
        ("mirrored", "?"),
        # Key points that agree, VOTES_LEAST to VOTES_ENOUGH.
        ("votes", "u1"),
        # a, b, tx, ty: (x, y) of picture i's frame is (a x - b y + tx, b x + a y + ty) in picture j's.
        ("transform", "<f4", (4,)),
    ]
)
Votes = NDArray[np.void]
"""(n,) VOTE, i < j, unique and sorted by (i, j, mirrored)."""


def as_votes(
    found: Winners, probing: Records, listed: Records, first: int, first_listed: int, flipped: bool
) -> Votes:
    """Return what was found as VOTE with i < j; probing were mirrored if flipped."""
    votes = np.zeros(len(found.votes), VOTE)
    i, j = found.probing + first, found.listed + first_listed
    turned = i > j
    votes["i"], votes["j"] = np.minimum(i, j), np.maximum(i, j)
    votes["mirrored"], votes["votes"] = flipped, found.votes
    back = inverted(found.transforms[turned])
    if flipped:
        widths = (records["width"].astype(np.float64) for records in (probing, listed))
        probing_right, listed_right = (width - 1 for width in widths)
        back = _mirror_moved(back, listed_right[found.listed[turned]], probing_right[found.probing[turned]])
    votes["transform"] = found.transforms
    votes["transform"][turned] = back
    return votes


def _mirror_moved(
    transforms: NDArray[np.float64], right: NDArray[np.float64], other_right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return similarities with a mirror before them, given those with it after them.

    right and other_right are the last columns of the pictures mapped from and to.
    """
    a, b, tx, ty = transforms.T
    return np.stack([a, -b, other_right - a * right - tx, b * right + ty], axis=1)


def merged(parts: list[Votes]) -> Votes:
    """Return each (i, j, mirrored) once, with the most votes; of equally many, the part that came first."""
    votes = np.concatenate(parts) if parts else np.zeros(0, VOTE)
    order = np.lexsort((-votes["votes"].astype(np.int64), votes["mirrored"], votes["j"], votes["i"]))
    votes = votes[order]
    keys = votes[["i", "j", "mirrored"]]
    return votes[np.r_[True, keys[1:] != keys[:-1]]] if len(votes) else votes


def merged_in_parts(parts: Iterable[Votes], count: int) -> Iterator[Votes]:
    """Yield the votes of all parts, some `count` together, of which each (i, j, mirrored) is there once.

    Nearly all pairs are found both ways round, in two parts: so what is asked of them is asked once.
    """
    together: list[Votes] = []
    for part in parts:
        together.append(part)
        if sum(map(len, together)) >= count:
            yield merged(together)
            together = []
    if together:
        yield merged(together)
