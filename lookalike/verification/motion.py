"""Motion: what moved between two shots of one scene, once they are laid on each other as well as may be.

An edit moves all of a picture as one: what an affine map leaves is noise, different from place to place. A
camera that moved sees near things shifted against far ones: the rest is small, but neighbours share it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.quantiles import percentile
from lookalike.verification.cells import Cells
from lookalike.verification.geometry import Matrix
from lookalike.verification.refinement import LEAST_CERTAIN, LEAST_COUNT, unexplained

LEAST_CORRELATION = 0.5
LARGEST_SHIFT = 4.0  # px
LEAST_EVEN = 0.2  # stripes take each other's place when a picture is resized, as if they had moved
SAME_LIGHT = 2.0  # gray levels: letters that let a picture be seen through move its edges
FEW, ENOUGH = 12, 100  # windows
APART = 3  # cells: windows that far apart share no pixel

_AROUND = np.ones((5, 5), np.uint8)

Plane = NDArray[np.float32]
Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Motion:
    """Shifts in px of windows outside the changed regions, without what an affine map explains."""

    windows: int = 0  # where a shift could be told
    coherent: float = 0.0  # the part of the shifts that neighbours share
    large: float = 0.0  # 90th percentile
    residual: float = 0.0  # median residual in gray levels

    @property
    def is_told(self) -> bool:
        """Whether there are enough windows to go by."""
        return self.windows >= ENOUGH


def residual_motion(windows: Cells, affine: Matrix | None, changed: Mask, *, is_graphic: bool) -> Motion:
    """Measure the shifts that the affine map leaves, away from what changed."""
    shift, certainty, evenness = windows.flow
    if affine is not None:
        shift = unexplained(shift, affine)
    near = np.asarray(cv2.dilate(changed.astype(np.uint8), _AROUND), np.uint8)
    seen = _seen(shift, certainty, windows.count, windows.correlation, near)
    if np.count_nonzero(seen) < FEW:
        return Motion(int(np.count_nonzero(seen)))
    residual = math.sqrt(percentile(windows.difference[seen], 50))
    if not is_graphic:
        for trusted in (_is_as_light(windows), evenness > LEAST_EVEN):
            # Where there is little else, what is there must do.
            seen = seen & trusted if np.count_nonzero(seen & trusted) >= ENOUGH else seen
    shifts = shift[seen]
    large = percentile(np.hypot(shifts[:, 0], shifts[:, 1]), 90)
    return Motion(len(shifts), math.sqrt(max(0.0, _shared(shift, seen))), large, residual)


def _is_as_light(windows: Cells) -> Mask:
    """Where the second is as much lighter as it is elsewhere."""
    lighter = windows.mean_first - windows.mean_second
    return np.asarray(np.abs(lighter - np.float32(percentile(lighter.ravel(), 50))) < SAME_LIGHT, np.bool_)


@compiled
def _seen(shift: Plane, certainty: Plane, pixels: Plane, correlation: Plane, near: Levels) -> Mask:
    """Where a shift can be told that is one, away from what changed."""
    height, width = certainty.shape
    seen = np.zeros((height, width), np.bool_)
    for row in range(height):
        for column in range(width):
            x, y = shift[row, column, 0], shift[row, column, 1]
            if near[row, column] or np.sqrt(x * x + y * y) >= np.float32(LARGEST_SHIFT):
                continue
            if certainty[row, column] <= np.float32(LEAST_CERTAIN) or pixels[row, column] <= LEAST_COUNT:
                continue
            seen[row, column] = correlation[row, column] > np.float32(LEAST_CORRELATION)
    return seen


@compiled
def _shared(shift: Plane, seen: Mask) -> float:
    """Mean scalar product of the shifts of windows that lie APART, above each other or side by side."""
    total, count = 0.0, 0
    for row in range(seen.shape[0]):
        for column in range(seen.shape[1]):
            if not seen[row, column]:
                continue
            x, y = shift[row, column, 0], shift[row, column, 1]
            if row >= APART and seen[row - APART, column]:
                total += x * shift[row - APART, column, 0] + y * shift[row - APART, column, 1]
                count += 1
            if column >= APART and seen[row, column - APART]:
                total += x * shift[row, column - APART, 0] + y * shift[row, column - APART, 1]
                count += 1
    return total / count if count > 3 else 0.0
