"""A sketch of a picture: what a first look needs of its record and its proxy, put in order once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.features.coarse import coarse
from lookalike.features.record import Flag
from lookalike.frames import Maps, frames_of
from lookalike.index.words import to_words
from lookalike.local.frame_maps import Sizes, frame_sizes
from lookalike.local.likeness import plain_shares
from lookalike.local.record import LOCAL
from lookalike.local.recount import Points, points_of
from lookalike.local.sampling import Image

PIXELS = 7500
"""A sketch has a hundred pixels a side: words still differ in it, and encoders hardly do."""
SIDE_LEAST = 16


@dataclass(frozen=True, eq=False)
class Sketch:
    """Hashes as machine words, where their frames lie, key points, and two small gray pictures.

    Key points, and the size of the frame they lie in, are there twice: as seen, and to be mirrored.
    """

    hashes: NDArray[np.uint64]
    coarse: NDArray[np.uint64]
    frames: Maps
    frame_sizes: Sizes
    points: Points
    thumbnail: Image
    plain: float
    is_flat: bool
    _gray: Callable[[], NDArray[np.uint8]]

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to look at."""
        return self.thumbnail.size == 0

    @cached_property
    def pixels(self) -> Image:
        """The proxy at about PIXELS; hashes tell most pairs apart before anybody asks for it."""
        return _shrunk(self._gray())


def sketch(record: Any, gray: Callable[[], NDArray[np.uint8]]) -> Sketch:
    """Return the sketch of a FEATURES record and its proxy in gray, which is read when first asked for."""
    local = record["local"]
    both = np.array([local, local], LOCAL)
    hashes = np.concatenate([record["whole"], record["regions"], record["trimmed"][None]])
    width, height = int(local["thumbnail_width"]), int(local["thumbnail_height"])
    return Sketch(
        hashes=to_words(hashes),
        coarse=coarse(hashes),
        frames=frames_of(both[0]),
        frame_sizes=frame_sizes(both),
        points=points_of(both),
        thumbnail=local["thumbnail"][: width * height].reshape(height, width).astype(np.float32),
        plain=float(plain_shares(both[:1])[0]),
        is_flat=bool(record["flags"] & Flag.FLAT),
        _gray=gray,
    )


def _shrunk(gray: NDArray[np.uint8]) -> Image:
    scale = min(1.0, math.sqrt(PIXELS / gray.size))
    height, width = gray.shape
    size = max(SIDE_LEAST, round(width * scale)), max(SIDE_LEAST, round(height * scale))
    if size != (width, height):
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    return gray.astype(np.float32)
