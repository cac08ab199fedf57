"""From a gray picture to its local features: find corners, leave out hubs, keep those that stand alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.local.descriptors import PATCH_RADIUS, blurred, describe, no_level
from lookalike.local.isolation import most_isolated_first
from lookalike.local.record import (
    ANGLES,
    KEYPOINT_COUNT,
    LOCAL,
    WORD_COUNT,
    packed_places,
)
from lookalike.local.thumbnails import thumbnail
from lookalike.local.vocabulary import (
    Cells,
    Vocabulary,
    is_hub,
    nearest_cells,
    nearest_words,
    shipped,
)

FRAME_SIDE = 320
LEAST_SAMPLED = 0.7
"""From here on a picture is shrunk by sampling between its pixels, below by averaging them."""
LEVEL_COUNT = 5
LEVEL_SCALE = 1.4
CORNER_COUNT = 400
"""Corners found, of which the best KEYPOINT_COUNT that stand alone and are no hubs are kept."""
CORNER_CONTRAST = 8
"""Gray levels by which a corner differs from the ring around it."""
BORDER = PATCH_RADIUS + 1

Gray = NDArray[np.uint8]
Corners = NDArray[np.float32]
"""(n, 5): x, y in the frame, degrees, response, level."""

_own = threading.local()


def extract_local(gray: Gray, vocabulary: Vocabulary | None = None) -> np.void:
    """Return the LOCAL record of a gray picture (h, w) uint8; its count is 0 if it has no corners."""
    vocabulary = vocabulary or shipped()
    frame = framed(gray)
    corners = found_corners(frame)
    record = np.zeros((), LOCAL)
    record["height"], record["width"] = frame.shape
    small = thumbnail(frame)
    record["thumbnail_height"], record["thumbnail_width"] = small.shape
    record["thumbnail"][: small.size] = small.ravel()
    if len(corners):
        chosen, descriptors, words = _chosen(frame, corners, vocabulary)
        count = record["count"] = len(chosen)
        kept = corners[chosen]
        record["places"][:count] = packed_places(
            kept[:, 0], kept[:, 1], kept[:, 2], kept[:, 4].astype(np.uint32)
        )
        record["descriptors"][:count] = descriptors.view(np.uint8)
        record["words"][:count] = words
    return cast(np.void, record[()])


def framed(gray: Gray) -> Gray:
    """Return the picture with its longer side at FRAME_SIDE; one that is a little smaller stays as it is."""
    height, width = gray.shape
    scale = FRAME_SIDE / max(height, width)
    if 1 <= scale <= 1.25:
        return gray
    size = max(8, round(width * scale)), max(8, round(height * scale))
    # A proxy is only a quarter larger: four pixels then stand for one, and averaging costs six times as much.
    return _resized(gray, size, cv2.INTER_AREA if scale < LEAST_SAMPLED else cv2.INTER_LINEAR)


def _resized(gray: Gray, size: tuple[int, int], interpolation: int) -> Gray:
    return np.asarray(cv2.resize(gray, size, interpolation=interpolation), np.uint8)


def found_corners(frame: Gray) -> Corners:
    """Return ORB's corners, at most CORNER_COUNT, in an order that depends on the picture only."""
    if min(frame.shape) <= 2 * BORDER:
        return np.zeros((0, 5), np.float32)
    points: Sequence[cv2.KeyPoint] = _detector().detect(frame, None)
    corners = np.empty((len(points), 5), np.float32)
    # Column by column: an array of tuples takes NumPy three times as long.
    corners[:, :2] = np.reshape(cv2.KeyPoint.convert(points), (-1, 2))
    corners[:, 2] = [point.angle for point in points]
    corners[:, 3] = [point.response for point in points]
    corners[:, 4] = [point.octave for point in points]
    # Strongest first, ties by place.
    return corners[np.lexsort((corners[:, 0], corners[:, 1], corners[:, 4], -corners[:, 3]))]


def _detector() -> cv2.ORB:
    """Return this thread's detector: OpenCV's objects are not made for sharing."""
    if not hasattr(_own, "detector"):
        _own.detector = cv2.ORB.create(
            nfeatures=CORNER_COUNT,
            scaleFactor=LEVEL_SCALE,
            nlevels=LEVEL_COUNT,
            edgeThreshold=BORDER,
            fastThreshold=CORNER_CONTRAST,
        )
    return _own.detector  # type: ignore[no-any-return]


def blurred_pyramid(frame: Gray, levels: NDArray[np.integer]) -> list[Gray]:
    """Return the LEVEL_COUNT levels of the frame, blurred; a stand-in for those that no corner is on."""
    height, width = frame.shape
    used = np.bincount(levels, minlength=LEVEL_COUNT) > 0
    pyramid = []
    level = frame
    for k in range(LEVEL_COUNT):
        if k and used[k:].any():
            size = round(width / LEVEL_SCALE**k), round(height / LEVEL_SCALE**k)
            level = _resized(level, size, cv2.INTER_LINEAR_EXACT)
        pyramid.append(blurred(level) if used[k] else no_level())
    return pyramid


def spots(corners: Corners) -> NDArray[np.int32]:
    """Return where corners lie on their levels: (n, 4) x, y, angle in steps, level."""
    level = corners[:, 4].astype(np.int32)
    scale = (LEVEL_SCALE**level)[:, None]
    places = np.rint(corners[:, :2] / scale).astype(np.int32)
    angle = np.rint(corners[:, 2] * (ANGLES / 360)).astype(np.int32) % ANGLES
    return np.column_stack([places, angle, level]).astype(np.int32)


def _chosen(
    frame: Gray, corners: Corners, vocabulary: Vocabulary
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint16]]:
    """Return indices of the corners kept, their descriptors (n, 4) and words (n, WORD_COUNT)."""
    where = spots(corners)
    pyramid = blurred_pyramid(frame, where[:, 3])
    chosen, descriptors, numbers = _choose(
        pyramid[0],
        pyramid[1],
        pyramid[2],
        pyramid[3],
        pyramid[4],
        where,
        most_isolated_first(corners),
        vocabulary.steps,
        vocabulary.centre_words,
        vocabulary.hub_cells,
        vocabulary.word_cells,
    )
    order = np.argsort(chosen, kind="stable")
    return chosen[order], np.ascontiguousarray(descriptors[order]), numbers[order]


@compiled
def _choose(
    level_0: Gray,
    level_1: Gray,
    level_2: Gray,
    level_3: Gray,
    level_4: Gray,
    where: NDArray[np.int32],
    order: NDArray[np.int64],
    steps: NDArray[np.int8],
    centres: NDArray[np.uint64],
    hubs: Cells,
    words: Cells,
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint16]]:
    """Take the first KEYPOINT_COUNT corners, in the order given, that are no hubs.

    Only those that are looked at are described.
    """
    pyramid = (level_0, level_1, level_2, level_3, level_4)
    near = np.empty(len(centres), np.int32)
    chosen = np.empty(KEYPOINT_COUNT, np.int32)
    descriptors = np.empty((KEYPOINT_COUNT, 4), np.uint64)
    numbers = np.empty((KEYPOINT_COUNT, WORD_COUNT), np.uint16)
    room = np.empty(max(np.diff(hubs.starts).max(), np.diff(words.starts).max()), np.uint64)
    descriptor = np.empty(4, np.uint64)
    count = 0
    for k in order:
        if count == KEYPOINT_COUNT:
            break
        describe(pyramid[where[k, 3]], where[k, 0], where[k, 1], steps[where[k, 2]], descriptor)
        tried = near[: nearest_cells(descriptor, centres, near)]
        if is_hub(descriptor, tried, hubs, room):
            continue
        nearest_words(descriptor, tried, words, room, numbers[count])
        chosen[count] = k
        descriptors[count] = descriptor
        count += 1
    return chosen[:count], descriptors[:count], numbers[:count]
