"""Key points: ORB corners with binary descriptors, and their matches between two pictures."""

from __future__ import annotations

from dataclasses import dataclass
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

    def __len__(self) -> int:
        return len(self.places)

    def mirrored(self, width: int) -> Keypoints:
        """The same descriptors at the mirrored places."""
        places = self.places.copy()
        places[:, 0] = width - places[:, 0]
        return Keypoints(places, self.descriptors)


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
    # OpenCV counts from the centre of the first pixel; here the corner of the picture is (0, 0).
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2) + np.float32(0.5)
    chosen = _spread(places, np.array([point.response for point in points]), gray.shape)
    return Keypoints(places[chosen], descriptors[chosen])


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
