"""Motion: what moved between two shots of one scene, once they are laid on each other as well as may be.

An edit moves all of a picture as one: what an affine map leaves is noise, different from place to place. A
camera that moved sees near things shifted against far ones: the rest is small, but neighbours share it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.cells import Cells
from lookalike.verification.geometry import Matrix
from lookalike.verification.refinement import LEAST_CERTAIN, LEAST_COUNT, explained

LEAST_CORRELATION = 0.5
LARGEST_SHIFT = 4.0  # px
FEW, ENOUGH = 12, 100  # windows
APART = 3  # cells: windows that far apart share no pixel

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


def residual_motion(windows: Cells, affine: Matrix | None, changed: Mask) -> Motion:
    """Measure the shifts that the affine map leaves, away from what changed."""
    shift, certainty = windows.flow
    if affine is not None:
        shift = shift - explained(affine, shift.shape)
    length = np.hypot(shift[..., 0], shift[..., 1])
    near = cv2.dilate(changed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    seen = (certainty > LEAST_CERTAIN) & (windows.count > LEAST_COUNT) & ~near
    seen &= (windows.correlation > LEAST_CORRELATION) & (length < LARGEST_SHIFT)
    count = int(seen.sum())
    if count < FEW:
        return Motion(count)
    products = np.concatenate([_products(shift, seen), _products(shift.swapaxes(0, 1), seen.T)])
    shared = float(products.mean()) if len(products) > 3 else 0.0
    return Motion(
        count,
        max(0.0, shared) ** 0.5,
        float(np.percentile(length[seen], 90)),
        float(np.sqrt(np.median(windows.difference[seen]))),
    )


def _products(shift: NDArray[np.float32], seen: Mask) -> NDArray[np.float32]:
    """Scalar products of the shifts of windows APART rows apart."""
    both = seen[APART:] & seen[:-APART]
    products = (shift[APART:] * shift[:-APART]).sum(axis=-1)
    return np.asarray(products[both], np.float32)
