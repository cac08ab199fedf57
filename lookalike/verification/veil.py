"""Veils: what was laid over a part of a picture and lets it be seen through, such as a faint logo.

Under it the picture is as it was, only with less contrast: where something else is shown now, the two would
not correlate there, and where only the light changed, all of the picture would have changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.verification.cells import Cells

TOUCHED = 6.0  # gray levels, root mean square of a cell
STRUCTURED = 25.0  # squared gray levels
SEEN = 0.8  # correlation
LEAST_COUNT = 20.0  # px of a cell
# Of 540 pictures with a logo of 24 to 63 % on a fifth of the area, 1 % let less be seen. Of 135 pairs of
# frames, nothing that moved there left more than 0.13 with another contrast.
SEEN_THROUGH, LESS_CONTRAST, LEAST_CONTRAST, EVEN = 0.35, 0.18, 1.4, 0.7  # share, logarithms
UNTOUCHED = 0.05  # logarithm
SMALLEST, LARGEST = 0.02, 0.5  # share of the cells


@dataclass(frozen=True, slots=True)
class Veil:
    """What is seen of the common part where it is not as it was; contrasts are logarithms."""

    touched: float = 0.0  # share of the cells that are not as they were, and have structure
    through: float = 0.0  # share of those that show the same structure
    contrast: float = 0.0  # of the second relative to the first there, typically
    unevenness: float = 0.0  # how much that differs from cell to cell
    elsewhere: float = 0.0  # contrast where all is as it was

    @property
    def is_laid_over(self) -> bool:
        """Whether a part, and no more than a part, is seen through something even."""
        is_part = SMALLEST < self.touched < LARGEST and abs(self.elsewhere) < UNTOUCHED
        is_paler = LESS_CONTRAST < abs(self.contrast) < LEAST_CONTRAST
        return is_part and is_paler and self.through > SEEN_THROUGH and self.unevenness < EVEN


def veiled(fine: Cells) -> Veil:
    """Look through what was laid over; `fine` are cells of two planes as they are, not equal in tone."""
    inside = fine.count > LEAST_COUNT
    first, second = fine.variance_first, fine.variance_second
    is_structured = inside & (np.maximum(first, second) > STRUCTURED)
    is_seen = is_structured & (fine.correlation > SEEN)
    apart = fine.difference + (fine.mean_first - fine.mean_second) ** 2
    is_touched = is_structured & (apart > TOUCHED**2)
    contrast = 0.5 * np.log((second + 1e-3) / (first + 1e-3))
    through, kept = contrast[is_touched & is_seen], contrast[is_seen & ~is_touched]
    if not len(through) or not len(kept):
        return Veil()
    return Veil(
        touched=float(is_touched.sum() / max(1, inside.sum())),
        through=float(len(through) / is_touched.sum()),
        contrast=float(np.median(through)),
        unevenness=float(through.std()),
        elsewhere=float(np.median(kept)),
    )
