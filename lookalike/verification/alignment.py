"""Alignments: the maps from one picture to another that are worth checking on pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.candidates import TURNED_RADII, WHOLE_RADII
from lookalike.verification.geometry import Matrix, inverse, orientation, scaling, shape
from lookalike.verification.keypoints import Keypoints, matches
from lookalike.verification.subject import Prepared

RANSAC_ERROR = 4.0  # px of a proxy
MIN_INLIERS = 5
NEGATIVE_BITS = 64
ALIKE_BITS = 80  # of 256
TOLD_BITS, CLEARLY = 96, 16  # of 256: what leaves more is turned by chance; bits fewer than upright
MAX_STRETCH = 1.7
FEW_INLIERS = 12  # below this the mirror image is tried too
PLAIN = 0.2  # share of the commonest tone: graphics have more
UNSTRETCHED = 0.9  # share of the key points that agree under a map without stretch, too

Places = NDArray[np.float32]  # (n, 2), px


def _no_places() -> Places:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A map from the second picture's proxy to the first's, and what speaks for it."""

    matrix: Matrix
    kind: str  # "keypoints" or "frame": whole frame on whole frame, turned as the hashes say
    matched: int = 0
    inliers: int = 0
    spread: float = 0.0  # share of the first's area that the inliers span (one sigma ellipse)
    # Of all matched key points, in the second and in the first.
    sources: Places = field(default_factory=_no_places, repr=False)
    targets: Places = field(default_factory=_no_places, repr=False)


def hash_distances(first: Any, second: Any) -> NDArray[np.int64]:
    """Bits (8,) between the first's whole hash and the second's under each EXIF orientation."""
    different = np.bitwise_xor(second["whole"], first["whole"][0])
    return np.asarray(np.bitwise_count(different).sum(axis=1), np.int64)


def is_negative(first: Prepared, second: Prepared) -> bool:
    """Whether the hashes say that one is the negative of the other: nearly all bits differ."""
    distances = hash_distances(first.record, second.record)
    return bool(distances.max() > 256 - NEGATIVE_BITS and distances.min() > NEGATIVE_BITS)


def looks_alike(first: Prepared, second: Prepared) -> bool:
    """Whether the hashes say that whole frame on whole frame is worth a look, whatever key points say."""
    distances = hash_distances(first.record, second.record)
    return int(distances.min()) < ALIKE_BITS or is_negative(first, second)


def are_near(first: Prepared, second: Prepared) -> bool:
    """Whether the hashes say that whole frames show one thing: there is no need of a glance at it first.

    That near, they are within the radii of candidates in all of their bits and in their coarse ones.
    """
    distances = hash_distances(first.record, second.record)
    return bool(distances[0] <= WHOLE_RADII[1] or distances.min() <= TURNED_RADII[1])


def frame_alignment(first: Prepared, second: Prepared) -> Alignment:
    """Whole frame on whole frame, turned or mirrored as the hashes agree (or, of a negative, differ) best."""
    distances = hash_distances(first.record, second.record)
    turned = orientation(_orientation(distances, is_negative=is_negative(first, second)))
    matrix = scaling(*first.size) @ turned @ inverse(scaling(*second.size))
    return Alignment(matrix, "frame")


def _orientation(distances: NDArray[np.int64], *, is_negative: bool) -> int:
    if is_negative:
        return int(np.argmax(distances))
    best = int(np.argmin(distances))
    if distances[best] < ALIKE_BITS:
        return best
    is_told = distances[best] < TOLD_BITS and distances[best] < distances[0] - CLEARLY
    return best if is_told else 0


def keypoint_alignment(first: Prepared, second: Prepared) -> Alignment | None:
    """The affine map most key points agree on; the mirror image is tried if few do."""
    direct = _agreed(first, second, second.keypoints)
    if direct is not None and direct.inliers >= FEW_INLIERS:
        return direct
    mirrored = mirrored_alignment(first, second)
    found = [alignment for alignment in (direct, mirrored) if alignment is not None]
    return max(found, key=lambda alignment: alignment.inliers, default=None)


def mirrored_alignment(first: Prepared, second: Prepared) -> Alignment | None:
    """The affine map that turns left and right over and most key points agree on."""
    return _agreed(first, second, second.mirrored_keypoints)


def _agreed(first: Prepared, second: Prepared, keypoints: Keypoints) -> Alignment | None:
    """The affine map from the second that most of these of its key points agree on."""
    pairs = matches(first.keypoints, keypoints)
    if len(pairs) < MIN_INLIERS:
        return None
    targets, sources = first.keypoints.places[pairs[:, 0]], keypoints.places[pairs[:, 1]]
    # OpenCV's RANSAC seeds its own generator with a constant: the same matches give the same map.
    affine, kept = cv2.estimateAffine2D(
        sources,
        targets,
        method=cv2.RANSAC,
        ransacReprojThreshold=RANSAC_ERROR,
        maxIters=1000,
        confidence=0.995,
    )
    if affine is None or int(kept.sum()) < MIN_INLIERS:
        return None
    matrix = np.vstack([affine, [0.0, 0.0, 1.0]])
    if not _is_plausible(matrix):
        return None
    is_kept = kept.ravel() > 0
    inliers = targets[is_kept]
    if min(first.plain, second.plain) < PLAIN:
        matrix = _without_stretch(sources[is_kept], inliers, matrix)
    spread = _spread(inliers, first.size)
    return Alignment(matrix, "keypoints", len(pairs), len(inliers), spread, sources, targets)


def _without_stretch(sources: Places, targets: Places, matrix: Matrix) -> Matrix:
    """The similarity that agrees with nearly all of the same key points, if there is one, or else `matrix`.

    Key points in one corner of a picture tell little of the other corners; what they tell least is how much
    it was stretched or slanted, and hardly any copy was. Graphics are left alone: two bar codes, and formulas
    in two typefaces, agree better without their stretch.
    """
    middle, other = sources.mean(axis=0), targets.mean(axis=0)
    x, y = (sources - middle).astype(np.float64).T
    u, v = (targets - other).astype(np.float64).T
    total = float((x * x + y * y).sum())
    if total == 0:
        return matrix
    cosine, sine = float((x * u + y * v).sum()) / total, float((x * v - y * u).sum()) / total
    linear = np.array([[cosine, -sine], [sine, cosine]])
    apart = linear @ np.stack([x, y]) - np.stack([u, v])
    is_near = np.hypot(*apart) < RANSAC_ERROR
    if np.count_nonzero(is_near) < UNSTRETCHED * len(sources):
        return matrix
    found: Matrix = np.eye(3)
    found[:2, :2] = linear
    found[:2, 2] = other - linear @ middle
    return found


def _is_plausible(matrix: Matrix) -> bool:
    """Whether a copy could look like that: moderate scale, little stretch."""
    found = shape(matrix)
    return 0.15 < found.scale < 7.0 and found.stretch < MAX_STRETCH


def _spread(places: NDArray[np.float32], size: tuple[int, int]) -> float:
    determinant = float(np.linalg.det(np.cov(places.T)))
    return math.sqrt(max(0.0, determinant)) / (size[0] * size[1])
