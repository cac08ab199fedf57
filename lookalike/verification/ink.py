"""Ink: whether two graphics have the same strokes in the same places.

Drawings have sharp ink on plain ground. Encoders, other sizes and tones leave a cell of it as it was, but for
some percent of its variance; another word, typeface, bar or symbol does not. A map may be off by a pixel,
which to thin strokes is much: so each cell is judged where it fits best of five places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.cells import Cells

INK = 60.0  # squared gray levels: less variance is shade or noise
LEAST_COUNT = 20.0  # px of a cell that both pictures have
NOISE = 8.0  # squared gray levels that encoders leave on plain ground
# Shares of a cell's variance that the pictures do not have in common.
CHANGED = 0.4
SLIGHTLY_CHANGED = 0.1
ONE_SIDED = 0.3  # of the other's variance: less is no ink of its own
# Light on dark in one picture, dark on light in the other: of full contrast, or paler in one of them.
REVERSED, REVERSED_CORRELATION = 1.15, -0.15
# Words are short and thin; a caption is one long line, a sticker thick. Cells of 8 px, of a picture of 320.
THICKEST, LONGEST = 2, 8

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Words:
    """Changed cells, if all of them lie in short and thin runs and in some both pictures have ink; else 0."""

    changed: int = 0
    slightly_changed: int = 0


@dataclass(frozen=True, slots=True)
class Ink:
    """What the strokes of two graphics have in common; counts are of cells."""

    cells: int = 0  # with ink in either picture
    changed: int = 0  # with hardly anything in common
    misfit: float = 0.0  # of the others' variance, the share that is not in common
    typical_misfit: float = 0.0  # its median over those cells
    reversed: int = 0  # light on dark in one picture, dark on light in the other
    faintly_reversed: int = 0  # those, and where one of them is pale
    uncorrelated: int = 0  # those, and all that differ by more than contrast
    words: Words = Words()


def compared(placed: Sequence[Cells]) -> Ink:
    """Compare two graphics laid on each other, the second as it is and moved by a pixel each way."""
    fine = placed[0]
    first, second = fine.variance_first, fine.variance_second
    inked = (fine.count > LEAST_COUNT) & (np.maximum(first, second) > INK)
    if not inked.any():
        return Ink()
    left = np.minimum.reduce([one.difference for one in placed])
    misfit = np.asarray(left / np.maximum(first + second, 1), np.float32)
    correlation = np.maximum.reduce([_correlation(one) for one in placed])
    changed = inked & (misfit > CHANGED)
    kept = inked & ~changed
    both = np.minimum(first, second) >= ONE_SIDED * np.maximum(first, second)
    return Ink(
        cells=int(inked.sum()),
        changed=int(changed.sum()),
        misfit=float(left[kept].sum() / max(1.0, float((first + second)[kept].sum()))),
        typical_misfit=float(np.median(misfit[kept])) if kept.any() else 0.0,
        reversed=int((inked & (misfit > REVERSED)).sum()),
        faintly_reversed=int((inked & (correlation < REVERSED_CORRELATION)).sum()),
        uncorrelated=int((inked & (correlation < 1 - CHANGED)).sum()),
        words=Words(_in_words(changed, both), _in_words(inked & (misfit > SLIGHTLY_CHANGED), both)),
    )


def _correlation(cells: Cells) -> Plane:
    """Correlation of the cells; what is plain in one picture has none with anything."""
    first, second = cells.variance_first, cells.variance_second
    scale = np.sqrt((first + NOISE) * (second + NOISE))
    return np.asarray((first + second - cells.difference) / 2 / scale, np.float32)


def _in_words(changed: Mask, both: Mask) -> int:
    if not (changed & both).any():
        return 0
    count, _, statistics, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=8)
    sides = statistics[1:count, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    is_small = sides.min(axis=1).max() <= THICKEST and sides.max() <= LONGEST
    return int(changed.sum()) if is_small else 0
