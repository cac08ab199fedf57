"""Recolouring: whether some colours of a graphic were exchanged while others stayed.

A change of tone is one rule for the whole picture: what had one colour has one colour still, and a clear
colour does not stay as it was where another is gone. Only what is nearly gray may come from several colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.colours import BLOCK, Lab, block_colours
from lookalike.verification.overlap import Overlap

FEWEST = 10  # blocks
# Distances in CIELAB.
CLEAR = 40.0  # from gray: sepia has paler ones
KEPT = 18.0  # to the other picture's colour
GONE = 40.0
PALE = 35.0  # from gray, of the clearest colours: a gray or sepia copy has lost them all
TONED = 45.0  # the same: less may come from several colours
STEP = 14.0  # of one colour's box
SPLIT = 30.0  # from most that have this colour
LEAST_SHARE = 0.03  # of the blocks, of one colour


@dataclass(frozen=True, slots=True)
class Recolouring:
    """Shares of the area, 0 to 1."""

    kept: float = 0.0  # clear colours that stayed
    gone: float = 0.0  # where a colour is another; 0 where one picture is gray or sepia
    split: float = 0.0  # of one colour in one picture, and not of the colour that most of it has in the other


def recoloured(common: Overlap) -> Recolouring:
    """Compare the colours of two pictures laid on each other, block by block."""
    size = common.mask.shape[1] // BLOCK, common.mask.shape[0] // BLOCK
    inside = cv2.resize(common.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.9
    if inside.sum() < FEWEST:
        return Recolouring()
    first, second = block_colours(common.first)[inside], block_colours(common.second)[inside]
    apart = np.linalg.norm(first - second, axis=1)
    clear = np.minimum(_chroma(first), _chroma(second)) > CLEAR
    return Recolouring(
        kept=float((clear & (apart < KEPT)).mean()),
        gone=0.0 if _is_pale(first) or _is_pale(second) else float((apart > GONE).mean()),
        split=max(_split(first, second), _split(second, first)),
    )


def _split(source: Lab, target: Lab) -> float:
    """The largest share that had one colour and not the same target colour as the most of it."""
    if np.percentile(_chroma(source), 95) < TONED:
        return 0.0
    boxes = np.round(source / STEP).astype(np.intp) @ np.array([10_000, 100, 1])
    shares = [0.0]
    for box in np.unique(boxes):
        colours = target[boxes == box]
        if len(colours) >= LEAST_SHARE * len(source):
            others = np.linalg.norm(colours - np.median(colours, axis=0), axis=1) > SPLIT
            shares.append(float(others.sum()) / len(source))
    return max(shares)


def _is_pale(lab: Lab) -> bool:
    return bool(np.percentile(_chroma(lab), 95) < PALE)


def _chroma(lab: Lab) -> NDArray[np.float32]:
    return np.asarray(np.hypot(lab[:, 1], lab[:, 2]), np.float32)
