"""The local features of one image as a fixed-size record, and the same picture seen in a mirror.

Descriptors are made so that mirroring a picture swaps the halves of each (see descriptors.py), and words
so that it swaps the halves of the vocabulary. So the mirrored record is a matter of moving bytes: nothing
is computed twice, and nothing is stored twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KEYPOINT_COUNT = 50
"""The most that an image has."""
WORD_COUNT = 4
"""Visual words a key point is looked up under, nearest first; it is listed under the first LISTED_WORDS."""
LISTED_WORDS = 2
DESCRIPTOR_BYTES = 32
ANGLES = 256
"""Steps of a full turn."""
THUMBNAIL_PIXELS = 900
"""The most that a thumbnail has: 30 x 30, or 34 x 25."""

Records = NDArray[np.void]
"""(N,) LOCAL."""

LOCAL = np.dtype(
    [
        # The frame in which the places lie: the picture shrunk to FRAME_SIDE pixels.
        ("width", "<u2"),
        ("height", "<u2"),
        ("count", "u1"),
        # Bits 0-9 and 10-19: x and y in half pixels; 20-27: angle; 28-30: level of the pyramid.
        ("places", "<u4", (KEYPOINT_COUNT,)),
        ("words", "<u2", (KEYPOINT_COUNT, WORD_COUNT)),
        ("descriptors", "u1", (KEYPOINT_COUNT, DESCRIPTOR_BYTES)),
        # The whole picture in few gray pixels, row by row, for the check before verification.
        ("thumbnail_width", "u1"),
        ("thumbnail_height", "u1"),
        ("thumbnail", "u1", (THUMBNAIL_PIXELS,)),
    ]
)


def packed_places(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    degrees: NDArray[np.floating],
    level: NDArray[np.integer],
) -> NDArray[np.uint32]:
    """Return places (n,) uint32 from pixels of the frame, degrees (clockwise, y points down) and levels."""
    half_x = np.clip(np.rint(x * 2), 0, 1023).astype(np.uint32)
    half_y = np.clip(np.rint(y * 2), 0, 1023).astype(np.uint32)
    angle = (np.rint(degrees * (ANGLES / 360)).astype(np.int64) % ANGLES).astype(np.uint32)
    places: NDArray[np.uint32] = half_x | half_y << 10 | angle << 20 | level.astype(np.uint32) << 28
    return places


def mirrored(records: Records, vocabulary_size: int) -> Records:
    """Return the records (N,) that the left-right mirrored pictures would have, but for the thumbnail."""
    turned = records.copy()
    places = records["places"]
    right = (records["width"].astype(np.uint32)[:, None] - 1) * 2
    x = np.minimum(right - np.minimum(places & 1023, right), 1023)
    angle = (ANGLES // 2 - (places >> 20 & 255).astype(np.int64)) % ANGLES
    used = np.arange(KEYPOINT_COUNT) < records["count"][:, None]
    turned["places"] = np.where(used, places & ~np.uint32(0x0FF003FF) | x | angle.astype(np.uint32) << 20, 0)
    turned["words"] = np.where(used[:, :, None], records["words"] ^ np.uint16(vocabulary_size // 2), 0)
    half = DESCRIPTOR_BYTES // 2
    turned["descriptors"] = np.roll(records["descriptors"], half, axis=2)
    return turned
