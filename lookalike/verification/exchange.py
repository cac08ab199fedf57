"""Exchange: whether changed pixels were replaced by their like, or had something laid over them.

Other words on a template, or a person who walked on: what one picture lost in one place, the other has in
another, so both have the same levels and colours there. A logo or a caption brings levels that the original
does not have there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification import tones

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
    counts = _level_counts(first, second, changed)
    lighter, darker = counts[1], counts[0]
    lighter_count, darker_count = int(lighter[0].sum()), int(darker[0].sum())
    if lighter_count + darker_count < FEWEST:
        return Exchange()
    share = lighter_count / (lighter_count + darker_count)
    both_ways = min(share, 1 - share) * 2
    opposed = 0.0
    if min(lighter_count, darker_count) > FEWEST // 2:
        lost = _common(_smoothed(lighter[0]), _smoothed(darker[1]))
        gained = _common(_smoothed(darker[0]), _smoothed(lighter[1]))
        opposed = (lost + gained) / 2
    one, other = lighter + darker
    of_first, of_second = (tones.colours(side, changed, 5) for side in colours)
    return Exchange(
        levels=_common(_smoothed(one), _smoothed(other)),
        colours=_common(of_first / of_first.sum(), of_second / of_second.sum()),
        opposed=opposed * min(1.0, both_ways / OPPOSED),
    )


@compiled
def _level_counts(first: Plane, second: Plane, changed: Mask) -> NDArray[np.int64]:
    """Counts (2, 2, 32) of gray levels, where the first is lighter or not, of the first and of the second."""
    counts = np.zeros((2, 2, 32), np.int64)
    for y in range(changed.shape[0]):
        for x in range(changed.shape[1]):
            if changed[y, x]:
                a, b = first[y, x], second[y, x]
                lighter = 1 if a > b else 0
                counts[lighter, 0, int(min(max(a, 0), 255)) >> 3] += 1
                counts[lighter, 1, int(min(max(b, 0), 255)) >> 3] += 1
    return counts


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Histogram of 32 gray levels, a little smoothed: tones are equal to a few levels only."""
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), "same")
    return np.asarray(smooth / max(1.0, float(smooth.sum())), np.float64)


def _common(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.minimum(one, other).sum())
