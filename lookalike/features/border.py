"""The uniform border around a picture: bars of a film, frames, margins of a page."""

from __future__ import annotations

import numpy as np

# Levels that a border may differ by within itself: strong JPEG compression stays under it.
_TOLERANCE = 12
# Share of a line that must be of the border's level; the rest is dust and ringing.
_LEAST_SHARE = 0.98
# A side's border ends here at the latest, as a share of the picture.
_MOST_TRIMMED = 0.45
# What is left must be worth a hash, in pixels a side.
_LEAST_SIDE = 24

Box = tuple[int, int, int, int]


def inner_box(gray: np.ndarray) -> Box | None:
    """Return left, top, right, bottom inside the border of (h, w) uint8 gray levels, or None if it has none.

    Each side has a level of its own, so bars of two colours are trimmed as well.
    """
    height, width = gray.shape
    if min(height, width) <= _LEAST_SIDE:
        return None
    top, bottom = _border_lines(gray), _border_lines(gray[::-1])
    between = gray[top : height - bottom].T
    left, right = _border_lines(between), _border_lines(between[::-1])
    box = (left, top, width - right, height - bottom)
    if box == (0, 0, width, height) or min(box[2] - box[0], box[3] - box[1]) < _LEAST_SIDE:
        return None
    return box


def _border_lines(gray: np.ndarray) -> int:
    """Return how many first rows are border."""
    if not _is_border(gray[:1])[0]:
        return 0  # nearly every photo ends here
    is_border = _is_border(gray[: int(len(gray) * _MOST_TRIMMED)])
    return len(is_border) if is_border.all() else int(is_border.argmin())


def _is_border(rows: np.ndarray) -> np.ndarray:
    level = int(np.partition(rows[0], rows.shape[1] // 2)[rows.shape[1] // 2])
    near = np.abs(rows.astype(np.int16) - level) <= _TOLERANCE
    uniform: np.ndarray = near.mean(axis=1) >= _LEAST_SHARE
    return uniform
