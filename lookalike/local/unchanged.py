"""How much of two pictures is the same, frame on frame: what was laid over one leaves the rest as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.likeness import between_pixels, image_of
from lookalike.local.record import Records
from lookalike.local.sampling import Image, laid
from lookalike.local.thumbnails import sizes

SAME = 6
"""Gray levels that a pixel of a thumbnail may differ: encoders and other sizes change it less."""


def unchanged_shares(first: Records, second: Records) -> NDArray[np.float64]:
    """Return the share (n,) of the pixels of two thumbnails that are the same; 1 where there is none."""
    out = np.ones(len(first))
    one, other = np.ascontiguousarray(first["thumbnail"]), np.ascontiguousarray(second["thumbnail"])
    _find_shares(sizes(first), sizes(second), one, other, out)
    return out


@compiled
def _find_shares(
    sizes: NDArray[np.int64],
    other_sizes: NDArray[np.int64],
    thumbnails: NDArray[np.uint8],
    others: NDArray[np.uint8],
    out: NDArray[np.float64],
) -> None:
    for k in range(len(out)):
        a, b = image_of(thumbnails[k], sizes[k]), image_of(others[k], other_sizes[k])
        if a.size > 0 and b.size > 0:
            # Of both, as it must not matter which is given first.
            out[k] = min(_share(a, b), _share(b, a))


@compiled
def _share(a: Image, b: Image) -> float:
    whole = np.eye(2, 3)
    other, count = laid(a.shape, b, between_pixels(whole, a, b))
    same = 0
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            same += abs(a[y, x] - other[y, x]) <= SAME
    return same / max(1, count)
