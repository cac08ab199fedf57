"""Maps between pictures whose sides are one, of transforms that key points tell between frames of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.likeness import undone
from lookalike.local.record import Records
from lookalike.local.sampling import Map

Maps = NDArray[np.float64]
Sizes = NDArray[np.float64]
"""(n, 2): width and height of the frames that key points lie in."""


def frame_sizes(records: Records) -> Sizes:
    """Return the sizes of LOCAL records (n,)."""
    return np.stack([records["width"], records["height"]], axis=1).astype(np.float64)


@compiled
def maps_of(
    transforms: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
    turned: NDArray[np.bool_],
    sizes: Sizes,
    others: Sizes,
) -> Maps:
    """Return the maps (n, 2, 3) from the first pictures to the second, of transforms (n, 4) as recounted."""
    maps = np.empty((len(transforms), 2, 3))
    for k in range(len(maps)):
        if turned[k]:
            _between(transforms[k], mirrored[k], others[k], sizes[k], maps[k])
            maps[k] = undone(maps[k])
        else:
            _between(transforms[k], mirrored[k], sizes[k], others[k], maps[k])
    return maps


@compiled
def _between(
    transform: NDArray[np.float64],
    is_mirrored: bool,
    size: NDArray[np.float64],
    other: NDArray[np.float64],
    out: Map,
) -> None:
    a, b, right, down = transform
    # Pixel centres lie at p + 0.5.
    out[0] = a * size[0] / other[0], -b * size[1] / other[0], (right + 0.5 * (1 - a + b)) / other[0]
    out[1] = b * size[0] / other[1], a * size[1] / other[1], (down + 0.5 * (1 - b - a)) / other[1]
    if is_mirrored:
        for row in range(2):
            out[row, 2] += out[row, 0]
            out[row, 0] *= -1
