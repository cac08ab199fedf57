"""The whole picture in few gray pixels: enough to tell whether two could be the same under a given map."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.local.record import THUMBNAIL_PIXELS

SIDE_LEAST = 8


def thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (h, w) shrunk to at most THUMBNAIL_PIXELS and a little blurred."""
    height, width = gray.shape
    scale = math.sqrt(THUMBNAIL_PIXELS / (height * width))
    short = max(SIDE_LEAST, math.floor(min(height, width) * scale))
    long = min(THUMBNAIL_PIXELS // short, max(short, round(max(height, width) * scale)))
    size = (short, long) if width <= height else (long, short)
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0.7), np.uint8)
