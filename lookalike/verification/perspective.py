"""Perspective: a picture that was taken or warped at a slant is straightened before its pixels are compared.

All other maps here are affine. What a slant leaves after the best of them looks like things that have moved.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np

from lookalike.verification.alignment import Alignment, Places
from lookalike.verification.geometry import Matrix, between_centres, corners, inverse
from lookalike.verification.subject import Prepared

LEAST_INLIERS = 40
# How far the slant moves a corner, as a share of the diagonal: less is a step to the side between two shots.
LEAST_SLANT, LARGEST_SLANT = 0.012, 0.2
# Key points that lie right under a map, and how many more of them there must be than under the affine one.
RIGHT, MORE_RIGHT = 1.5, 1.25  # px of a proxy


@dataclasses.dataclass(frozen=True, slots=True)
class Straightened:
    """The second picture without its slant, and the affine map that is left from it to the first's proxy."""

    second: Prepared
    alignment: Alignment
    slant: float


def straightened(first: Prepared, second: Prepared, alignment: Alignment) -> Straightened | None:
    """Take the slant out of the second picture; None where key points do not speak for one."""
    if alignment.inliers < LEAST_INLIERS or alignment.kind != "keypoints":
        return None
    sources, targets = alignment.sources, alignment.targets
    if (found := _projective(sources, targets)) is None:
        return None
    right, before = (_right_count(matrix, sources, targets) for matrix in (found, alignment.matrix))
    if right < max(LEAST_INLIERS, MORE_RIGHT * before):
        return None
    affine = _affine_at_centre(found, second.size)
    slanting = inverse(affine) @ found
    slant = _slant(slanting, second.size)
    if not LEAST_SLANT < slant < LARGEST_SLANT:
        return None
    pixels = cv2.warpPerspective(
        second.pixels,
        between_centres(slanting),
        second.size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    left = dataclasses.replace(alignment, matrix=affine, inliers=right)
    return Straightened(Prepared(second.subject, np.asarray(pixels, np.uint8)), left, slant)


def _projective(sources: Places, targets: Places) -> Matrix | None:
    # Declared as never None, and it is where all points lie on a line.
    found: Any = cv2.findHomography(sources, targets, cv2.RANSAC, 2 * RIGHT, maxIters=1000)[0]
    return None if found is None else np.asarray(found, np.float64)


def _right_count(matrix: Matrix, sources: Places, targets: Places) -> int:
    moved = cv2.perspectiveTransform(sources[None], matrix)[0]
    return int((np.hypot(*(moved - targets).T) < RIGHT).sum())


def _affine_at_centre(matrix: Matrix, size: tuple[int, int]) -> Matrix:
    """The affine map that a projective one is at the centre of a picture of `size`."""
    centre = np.array([size[0] / 2, size[1] / 2, 1.0])
    x, y, w = matrix @ centre
    place = np.array([x / w, y / w])
    linear = (matrix[:2, :2] - np.outer(place, matrix[2, :2])) / w
    affine = np.eye(3)
    affine[:2, :2] = linear
    affine[:2, 2] = place - linear @ centre[:2]
    return affine


def _slant(matrix: Matrix, size: tuple[int, int]) -> float:
    """How far the corner that moves the most is moved, as a share of the diagonal."""
    plain = corners(np.eye(3), size)
    moved = cv2.perspectiveTransform(plain[None].astype(np.float32), matrix)[0]
    return float(np.hypot(*(moved - plain).T).max() / np.hypot(*size))
