"""Exchange: whether changed pixels were replaced by their like, or had something laid over them.

Other words on a template, or a person who walked on: what one picture lost in one place, the other has in
another, so both have the same levels and colours there. A logo or a caption brings levels that the original
does not have there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 20  # px
OPPOSED = 0.3  # share of changes one way and of changes the other, at which both count in full

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What both pictures have in common on the changed pixels, though not in one place; 0 to 1."""

    levels: float = 0.0  # of the gray levels
    colours: float = 0.0
    opposed: float = 0.0  # lighter turned darker as darker turned lighter, and as often


def exchanged(
    first: Plane,
    second: Plane,
    colours: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    changed: Mask,
) -> Exchange:
    """Compare what (h, w) gray planes, equal in tone, and (h, w, 3) colours have on changed pixels."""
    if changed.sum() < FEWEST:
        return Exchange()
    a, b = first[changed], second[changed]
    lighter = a > b
    share = float(lighter.mean())
    both_ways = min(share, 1 - share) * 2
    opposed = 0.0
    if min(lighter.sum(), (~lighter).sum()) > FEWEST // 2:
        lost = _common(_levels(a[lighter]), _levels(b[~lighter]))
        gained = _common(_levels(a[~lighter]), _levels(b[lighter]))
        opposed = (lost + gained) / 2
    return Exchange(
        levels=_common(_levels(a), _levels(b)),
        colours=_common(_colours(colours[0][changed]), _colours(colours[1][changed])),
        opposed=opposed * min(1.0, both_ways / OPPOSED),
    )


def _levels(values: Plane) -> NDArray[np.float64]:
    """Histogram of 32 gray levels, a little smoothed: tones are equal to a few levels only."""
    counts = np.bincount(np.clip(values, 0, 255).astype(np.intp) >> 3, minlength=32)
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), "same")
    return np.asarray(smooth / max(1.0, float(smooth.sum())), np.float64)


def _colours(values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Histogram of 8 x 8 x 8 colours."""
    red, green, blue = (values[:, k].astype(np.intp) >> 5 for k in range(3))
    return np.bincount(red * 64 + green * 8 + blue, minlength=512) / len(values)


def _common(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.minimum(one, other).sum())
