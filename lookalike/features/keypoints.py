"""Key points of a picture as bytes to hand out: corners with binary descriptors, all of them that there are.

What joins and verification work with is fewer of them in a form of its own; this form is for other programs.
"""

from __future__ import annotations

import io
import threading

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

DESCRIPTOR_BITS = 256
# More than a proxy of 120,000 pixels has: photos have some hundreds or thousands, gravel 11,000.
MOST_KEY_POINTS = 20_000
CORNER_CONTRAST = 15  # gray levels

# Little-endian and packed, 64 bytes a key point.
KEY_POINT = np.dtype(
    [
        ("angle", "<f4"),  # degrees, clockwise
        ("class_id", "<i4"),  # -1: there are no classes
        ("octave", "<i4"),  # level of the pyramid, 0 the finest
        ("response", "<f4"),  # how strong a corner it is
        ("size", "<f4"),  # diameter in pixels of the picture
        ("x", "<f4"),  # pixels of the upright picture, from its left
        ("y", "<f4"),  # and from its top
        ("byte_count", "<i4"),  # of the descriptor
        ("descriptor", "u1", (DESCRIPTOR_BITS // 8,)),
    ]
)

_own = threading.local()


def key_points(proxy: bytes, width: int, height: int) -> NDArray[np.void]:
    """Return the (n,) KEY_POINT records of a picture of this size from its proxy, strongest first."""
    with Image.open(io.BytesIO(proxy)) as image:
        gray = np.asarray(image.convert("L"))
    points, descriptors = _detector().detectAndCompute(gray, None)
    found = np.zeros(len(points), KEY_POINT)
    if not len(points):
        return found
    right, down = width / gray.shape[1], height / gray.shape[0]
    rows = np.array([(*p.pt, p.size, p.angle, p.response, p.octave) for p in points], np.float64)
    found["x"], found["y"], found["size"] = rows[:, 0] * right, rows[:, 1] * down, rows[:, 2] * right
    found["angle"], found["response"], found["octave"] = rows[:, 3], rows[:, 4], rows[:, 5]
    found["class_id"], found["byte_count"] = -1, DESCRIPTOR_BITS // 8
    found["descriptor"] = descriptors
    return found[np.lexsort((found["x"], found["y"], -found["response"]))]


def _detector() -> cv2.ORB:
    """Return this thread's detector: OpenCV's objects are not made for sharing."""
    if not hasattr(_own, "detector"):
        _own.detector = cv2.ORB.create(nfeatures=MOST_KEY_POINTS, fastThreshold=CORNER_CONTRAST)
    return _own.detector  # type: ignore[no-any-return]
