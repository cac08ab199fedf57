"""The whole picture in few gray pixels: enough to tell whether two could be the same under a given map."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.record import THUMBNAIL_PIXELS, Records

SIDE_LEAST = 8
BORDER_SPREAD = 24
"""Levels within a line of a border; as a thumbnail is blurred, its innermost line is not counted."""


def thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (h, w) shrunk to at most THUMBNAIL_PIXELS and a little blurred."""
    height, width = gray.shape
    scale = math.sqrt(THUMBNAIL_PIXELS / (height * width))
    short = max(SIDE_LEAST, math.floor(min(height, width) * scale))
    long = min(THUMBNAIL_PIXELS // short, max(short, round(max(height, width) * scale)))
    size = (short, long) if width <= height else (long, short)
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0.7), np.uint8)


def sizes(records: Records) -> NDArray[np.int64]:
    """Return width and height (n, 2) of thumbnails."""
    return np.stack([records["thumbnail_width"], records["thumbnail_height"]], axis=1).astype(np.int64)


def inner_boxes(records: Records) -> NDArray[np.float64]:
    """Return left, top, right, bottom (n, 4) within the borders of thumbnails, as shares of their sides."""
    out = np.empty((len(records), 4))
    _find_boxes(np.ascontiguousarray(records["thumbnail"]), sizes(records), out)
    return out


@compiled
def _find_boxes(thumbnails: NDArray[np.uint8], sizes: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    for k in range(len(out)):
        width, height = sizes[k]
        image = thumbnails[k][: width * height].reshape((height, width))
        out[k, 0], out[k, 2] = _border_lines(image.T) / width, 1 - _border_lines(image[:, ::-1].T) / width
        out[k, 1], out[k, 3] = _border_lines(image) / height, 1 - _border_lines(image[::-1]) / height


@compiled
def _border_lines(image: NDArray[np.uint8]) -> int:
    """Return how many first rows are of one level, their own or nearly; at most half of them."""
    for row in range(image.shape[0] // 2):
        if image[row].max() - np.int64(image[row].min()) > BORDER_SPREAD:
            return row
    return 0
