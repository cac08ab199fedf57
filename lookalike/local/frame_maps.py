"""Maps between pictures whose sides are one, of transforms that key points tell between frames of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.local.record import Records

Maps = NDArray[np.float64]
Sizes = NDArray[np.float64]
"""(n, 2): width and height of the frames that key points lie in."""


def frame_sizes(records: Records) -> Sizes:
    """Return the sizes of LOCAL records (n,)."""
    return np.stack([records["width"], records["height"]], axis=1).astype(np.float64)


def maps_of(
    transforms: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
    turned: NDArray[np.bool_],
    sizes: Sizes,
    others: Sizes,
) -> Maps:
    """Return the maps (n, 2, 3) from the first pictures to the second, of transforms (n, 4) as recounted."""
    swapped = turned[:, None]
    maps = _between(transforms, mirrored, np.where(swapped, others, sizes), np.where(swapped, sizes, others))
    maps[turned] = _undone(maps[turned])
    return maps


def _between(
    transforms: NDArray[np.float64], mirrored: NDArray[np.bool_], sizes: Sizes, others: Sizes
) -> Maps:
    a, b, tx, ty = transforms.T
    width, height = sizes.T
    # Pixel centres lie at p + 0.5.
    across = np.stack([a * width, -b * height, tx + 0.5 * (1 - a + b)], axis=1) / others[:, :1]
    down = np.stack([b * width, a * height, ty + 0.5 * (1 - b - a)], axis=1) / others[:, 1:]
    maps = np.stack([across, down], axis=1)
    maps[mirrored, :, 2] += maps[mirrored, :, 0]
    maps[mirrored, :, 0] *= -1
    return maps


def _undone(maps: Maps) -> Maps:
    (a, b, x), (c, d, y) = maps.transpose(1, 2, 0)
    back: Maps = np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / (a * d - b * c)
    return back.transpose(2, 0, 1)
