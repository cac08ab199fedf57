"""Key points: ORB corners with binary descriptors, and their matches between two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.matching import matched

KEYPOINT_COUNT = 500
DETECTED_COUNT = 900
GRID = 4  # x GRID parts of the picture
MOST_IN_PART = 60  # a caption must not take all


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Places (n, 2) float32 in px and descriptors (n, 32) uint8."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    corners: tuple[Any, ...] = field(default=(), repr=False)  # as OpenCV has them

    def __len__(self) -> int:
        return len(self.places)


@cache
def _detector() -> Any:
    # One thread: workers run one process per core, and more threads would change the order of key points.
    cv2.setNumThreads(1)
    return cv2.ORB.create(
        nfeatures=DETECTED_COUNT, scaleFactor=1.2, nlevels=8, fastThreshold=8, edgeThreshold=16, patchSize=31
    )


def detect(gray: NDArray[np.uint8]) -> Keypoints:
    """Find up to KEYPOINT_COUNT key points in a gray picture."""
    points, descriptors = _detector().detectAndCompute(gray, None)
    if descriptors is None:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    places = _places(points)
    chosen = _spread(places, np.array([point.response for point in points]), gray.shape)
    return Keypoints(places[chosen], descriptors[chosen], tuple(points[k] for k in chosen.tolist()))


def mirrored(gray: NDArray[np.uint8], keypoints: Keypoints) -> Keypoints:
    """What the key points look like in a mirror, at their places in the picture itself.

    A corner is one in the mirror image too, turned the other way: it need not be looked for again.
    """
    width = gray.shape[1]
    corners = [
        cv2.KeyPoint(width - 1 - x, y, one.size, (540 - one.angle) % 360, one.response, one.octave)
        for one, (x, y) in ((one, one.pt) for one in keypoints.corners)
    ]
    if not corners:
        return keypoints
    points, descriptors = _detector().compute(np.ascontiguousarray(gray[:, ::-1]), corners)
    places = _places(points)
    places[:, 0] = width - places[:, 0]
    return Keypoints(places, np.asarray(descriptors, np.uint8))


def _places(points: Sequence[Any]) -> NDArray[np.float32]:
    # OpenCV counts from the centre of the first pixel; here the corner of the picture is (0, 0).
    return np.asarray(cv2.KeyPoint.convert(points), np.float32).reshape(-1, 2) + np.float32(0.5)


def _spread(
    places: NDArray[np.float32], responses: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """The strongest KEYPOINT_COUNT, not more than MOST_IN_PART of them in a part of the picture."""
    parts = (places * GRID / (shape[1], shape[0])).astype(np.int64)
    part = parts[:, 1] * GRID + parts[:, 0]
    order = np.lexsort((-responses, part))
    starts = np.searchsorted(part[order], part[order])
    rank = np.arange(len(order)) - starts
    first = order[rank < MOST_IN_PART]
    return np.sort(first[np.argsort(-responses[first], kind="stable")][:KEYPOINT_COUNT])


def matches(first: Keypoints, second: Keypoints) -> NDArray[np.int64]:
    """Pairs (k, 2) of indices whose descriptors are near and clearly nearer than the next best."""
    if len(first) < 4 or len(second) < 4:
        return np.zeros((0, 2), np.int64)
    return matched(first.descriptors, second.descriptors)
