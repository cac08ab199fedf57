"""Changed regions: where the common part of two aligned pictures shows something else."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.overlap import Overlap

CELL = 8  # px of a cell's side on the grid
NOISE_FLOOR = 6.0  # gray levels of residual that are never a change
NOISE_FACTOR = 2.5  # times the typical residual of this pair
ONE_SIDED = 0.3  # of the other's variance: less is no structure of its own
SOLID = 0.65  # share of its box that a filled shape covers
MIN_COUNT = 20.0  # px of a cell that must be common

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Changes:
    """Shares of the common area, 0 to 1, and the boxes of the changed regions in it."""

    share: float = 0.0  # changed in structure
    first_only: float = 0.0  # changed where only the first has structure
    second_only: float = 0.0  # changed where only the second has structure
    plain: float = 0.0  # share of the commonest tone, of the picture that has less of it
    solid: float = 0.0  # share of the changes that lie in large filled shapes
    noise: float = 0.0  # typical residual in gray levels
    boxes: tuple[Box, ...] = ()  # left, top, right, bottom in the grid, 0 to 1

    @property
    def replaced(self) -> float:
        """Share where both pictures have something of their own, or each has what the other lacks."""
        added_or_removed = abs(self.first_only - self.second_only)
        return self.share - added_or_removed


@dataclass(frozen=True, slots=True)
class _Moments:
    """Means over windows of 3 x 3 cells (or single cells) of both planes."""

    count: Plane
    variance_first: Plane
    variance_second: Plane
    difference: Plane  # variance of the difference


def find(common: Overlap) -> Changes:
    """Find what differs in structure, whatever the tone: small shifts of a pixel are forgiven."""
    first, second = _matched(common)
    changed, fine, noise = _changed(first, [second], common.mask)
    if changed.any():
        # What seems changed may be no more than misplaced by a pixel.
        changed, fine, noise = _changed(first, _shifts(second), common.mask)
    inside = fine.count > MIN_COUNT
    changed &= inside
    total, regions = max(1, int(inside.sum())), _regions(changed)
    return Changes(
        share=float(changed.sum() / total),
        first_only=float((changed & (fine.variance_second < ONE_SIDED * fine.variance_first)).sum() / total),
        second_only=float((changed & (fine.variance_first < ONE_SIDED * fine.variance_second)).sum() / total),
        plain=min(_plain_share(common.first, common.mask), _plain_share(common.second, common.mask)),
        noise=noise,
        solid=_solid_share(regions, total),
        boxes=_boxes(regions, changed.shape),
    )


def _changed(first: Plane, shifts: list[Plane], mask: Mask) -> tuple[Mask, _Moments, float]:
    """Changed cells, the cells' moments and the typical residual, at the best shift of each cell."""
    weight = mask.astype(np.float32)
    share = np.maximum(_cells(weight), 1e-3)
    count, own = _cells(weight) * CELL * CELL, _variance(first, weight, share)
    moments = [
        _Moments(count, own, _variance(moved, weight, share), _variance(first - moved, weight, share))
        for moved in shifts
    ]
    fine, coarse = _best(moments), _best([_widened(one) for one in moments])
    valid = coarse.count > 4 * MIN_COUNT
    if valid.sum() < 6:
        return np.zeros_like(valid), fine, 0.0
    noise = float(np.percentile(np.sqrt(coarse.difference[valid]), 30))
    limit = max(NOISE_FLOOR, NOISE_FACTOR * noise)
    in_windows = _is_changed(coarse, valid, limit, 0.55)
    in_cells = _is_changed(fine, fine.count > MIN_COUNT, 1.6 * limit, 0.6)
    return in_windows | in_cells, fine, noise


def _matched(common: Overlap) -> tuple[Plane, Plane]:
    """Both in gray, the second with the first's gain and offset, both as sharp as the less sharp."""
    first = cv2.GaussianBlur(cv2.cvtColor(common.first, cv2.COLOR_RGB2GRAY), (0, 0), 0.8).astype(np.float32)
    second = cv2.GaussianBlur(cv2.cvtColor(common.second, cv2.COLOR_RGB2GRAY), (0, 0), 0.8).astype(np.float32)
    first, second = _equally_sharp(first, second)
    x, y = first[common.mask], second[common.mask]
    gain = min(max(float(x.std()) / (float(y.std()) + 1e-3), 0.4), 2.5)
    return first, np.asarray((second - y.mean()) * gain + x.mean(), np.float32)


def _equally_sharp(first: Plane, second: Plane) -> tuple[Plane, Plane]:
    """Blur the sharper one until its share of fine detail has come down to the other's."""
    sigma = 0.8
    for _ in range(3):
        ratio = _fineness(first) / max(_fineness(second), 1e-6)
        if abs(np.log(max(ratio, 1e-6))) < 0.12:
            break
        if ratio > 1:
            first = np.asarray(cv2.GaussianBlur(first, (0, 0), sigma), np.float32)
        else:
            second = np.asarray(cv2.GaussianBlur(second, (0, 0), sigma), np.float32)
    return first, second


def _fineness(plane: Plane) -> float:
    """Energy of differences between neighbours relative to the whole variance."""
    steps = plane[::2, 1:] - plane[::2, :-1]
    return float(np.sqrt((steps * steps).mean()) / (plane.std() + 1.0))


def _shifts(plane: Plane) -> list[Plane]:
    """The plane as it is and moved by a pixel to the four sides."""
    padded = np.pad(plane, 1, mode="edge")
    height, width = plane.shape
    places = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return [padded[y : y + height, x : x + width] for y, x in places]


def _cells(plane: Plane) -> Plane:
    """Means of CELL x CELL blocks; the grid is made of whole cells."""
    size = plane.shape[1] // CELL, plane.shape[0] // CELL
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _variance(plane: Plane, weight: Plane, share: Plane) -> Plane:
    """Variance of each cell, of the pixels that both pictures have."""
    weighted = plane * weight
    mean = _cells(weighted) / share
    return np.asarray(np.maximum(_cells(weighted * plane) / share - mean * mean, 0), np.float32)


def _widened(cells: _Moments) -> _Moments:
    """Windows of 3 x 3 cells: within-cell variances only, so that slow changes of tone do not count."""
    count = cv2.boxFilter(cells.count, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)

    def mean(plane: Plane) -> Plane:
        total = cv2.boxFilter(
            plane * cells.count, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(total / np.maximum(count, 1), np.float32)

    return _Moments(
        np.asarray(count, np.float32),
        mean(cells.variance_first),
        mean(cells.variance_second),
        mean(cells.difference),
    )


def _best(moments: list[_Moments]) -> _Moments:
    """Of the shifts, the one with the smallest difference, cell by cell."""
    if len(moments) == 1:
        return moments[0]
    best = np.argmin([one.difference for one in moments], axis=0)[None].astype(np.intp)

    def chosen(planes: list[Plane]) -> Plane:
        return np.asarray(np.take_along_axis(np.stack(planes), best, axis=0)[0], np.float32)

    return _Moments(
        moments[0].count,
        moments[0].variance_first,
        chosen([one.variance_second for one in moments]),
        chosen([one.difference for one in moments]),
    )


def _is_changed(moments: _Moments, valid: Mask, limit: float, share: float) -> Mask:
    total = moments.variance_first + moments.variance_second
    return valid & (moments.difference > limit * limit) & (moments.difference > share * total)


def _plain_share(pixels: NDArray[np.uint8], mask: Mask) -> float:
    """Share of the commonest gray level and its two neighbours: large in drawings, charts and screens."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[mask]
    counts = np.bincount(gray, minlength=256)
    return float(np.convolve(counts, np.ones(3), "same").max() / max(1, len(gray)))


def _regions(changed: Mask) -> list[list[int]]:
    """Left, top, width, height and area, in cells, of connected changed regions, largest first."""
    count, _, statistics, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=8)
    return sorted(statistics[1:count].tolist(), key=lambda one: (-one[4], one[1], one[0]))


def _solid_share(regions: list[list[int]], total: int) -> float:
    """Share of the changes that lie in large filled shapes: stickers and logos, not words or lines."""
    changed = sum(area for *_, area in regions)
    solid = sum(
        area for _, _, w, h, area in regions if area > SOLID * w * h and min(w, h) > 3 and area > total / 50
    )
    return solid / max(1, changed)


def _boxes(regions: list[list[int]], shape: tuple[int, int]) -> tuple[Box, ...]:
    """Boxes of the eight largest regions, as shares of the grid."""
    height, width = shape
    return tuple(
        (
            round(left / width, 3),
            round(top / height, 3),
            round((left + w) / width, 3),
            round((top + h) / height, 3),
        )
        for left, top, w, h, _ in regions[:8]
    )
