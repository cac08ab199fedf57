"""Changed regions: where the common part of two aligned pictures shows something else."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.quantiles import percentile
from lookalike.verification import tones
from lookalike.verification.cells import Cells
from lookalike.verification.colours import block_colours
from lookalike.verification.exchange import Exchange, exchanged
from lookalike.verification.overlap import Overlap
from lookalike.verification.planes import Matched
from lookalike.verification.shapes import foreign_share

NOISE_FLOOR = 6.0  # gray levels of residual that are never a change
NOISE_FACTOR = 2.5  # times the typical residual of this pair
CLEARLY_CHANGED = 25.0  # gray levels of a pixel, and NOISE_FACTOR_OF_PIXELS times the typical residual
NOISE_FACTOR_OF_PIXELS = 4.0
OTHER_COLOUR = 5.0  # CIELAB, of a cell's mean
ONE_SIDED = 0.3  # of the other's variance: less is no structure of its own
SOLID = 0.65  # share of its box that a filled shape covers
STICKER = 0.75  # share of the changes
COMPACT = 0.25  # of the common part's width and height
APART = 0.1  # the same
OTHER_WORDS = 0.65  # share of colours, and of gradients, that both have: captions in place of others, 0.7
LINE_HEIGHT, LINE_WIDTH, LINE_GAP = 0.17, 0.4, 0.02  # the same
MIN_COUNT = 20.0  # px of a cell that must be common
MIN_WINDOW_COUNT = 160.0
# Drawings, charts, screens, documents and flags: much of one tone. Of 300 photos and pictures 92 % have less.
PLAIN = 0.2

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
    balance: float = 0.0  # gradients in the changed regions: of the picture with less, relative to the other
    strokes: float = 0.0  # share of steep edges there, of the picture that has fewer
    drawn: float = 0.0  # share of three colours there, in the picture with more gradients: logos have few
    bold: float = 0.0  # share of three colours there that the picture has nowhere else, of the one with more
    flat: float = 0.0  # the same of pixels in even areas only: what is drawn is even, what is shot is not
    foreign: float = (
        0.0  # share of a few even colours that the picture hardly has elsewhere, of the one with more
    )
    exchange: Exchange = field(default_factory=Exchange)
    boxes: tuple[Box, ...] = ()  # left, top, right, bottom in the grid, 0 to 1

    @property
    def is_compact(self) -> bool:
        """Whether the largest region is an object rather than a line of writing or an edge."""
        if not self.boxes:
            return False
        left, top, right, bottom = self.boxes[0]
        return min(right - left, bottom - top) >= COMPACT

    @property
    def is_sticker(self) -> bool:
        """Whether nearly all that changed is one filled shape, or a few."""
        return self.solid > STICKER

    @property
    def is_scattered(self) -> bool:
        """Whether the regions lie apart both ways, as no line of writing does."""
        if not self.boxes:
            return False
        across = [(left + right) / 2 for left, _, right, _ in self.boxes]
        down = [(top + bottom) / 2 for _, top, _, bottom in self.boxes]
        return min(max(across) - min(across), max(down) - min(down)) >= APART

    @property
    def is_caption(self) -> bool:
        """Whether lines of writing came over a picture: other words in their place have the same colours."""
        has_new_colours = self.exchange.colours < OTHER_WORDS and self.balance < OTHER_WORDS
        return self.is_in_lines and has_new_colours

    @property
    def is_in_lines(self) -> bool:
        """Whether all that changed lies in low and wide bands, as captions do."""
        bands: list[Box] = []
        for left, top, right, bottom in sorted(self.boxes, key=lambda box: box[1]):
            if bands and top <= bands[-1][3] + LINE_GAP:
                before = bands.pop()
                left, top = min(left, before[0]), before[1]
                right, bottom = max(right, before[2]), max(bottom, before[3])
            bands.append((left, top, right, bottom))
        return bool(bands) and all(
            bottom - top <= LINE_HEIGHT and right - left >= LINE_WIDTH for left, top, right, bottom in bands
        )


def changed_cells(fine: Cells, windows: Cells) -> tuple[Mask, float]:
    """Which cells differ in structure, whatever the tone, and the typical residual in gray levels."""
    valid = windows.count > MIN_WINDOW_COUNT
    if valid.sum() < 6:
        return np.zeros_like(valid), 0.0
    noise = percentile(np.sqrt(windows.difference[valid]), 30)
    limit = max(NOISE_FLOOR, NOISE_FACTOR * noise)
    in_windows = valid & _differs(windows, limit, 0.55) & (windows.correlation < 0.6)
    inside = fine.count > MIN_COUNT
    return inside & (in_windows | _differs(fine, 1.6 * limit, 0.6)), noise


def recoloured_cells(common: Overlap, fine: Cells) -> Mask:
    """Which cells have another mean colour, where all that did not change has the same."""
    apart = np.linalg.norm(block_colours(common.first) - block_colours(common.second), axis=2)
    inside = fine.count > MIN_COUNT
    typical = percentile(apart[inside], 30) if inside.any() else 0.0
    return np.asarray(inside & (apart > max(OTHER_COLOUR, NOISE_FACTOR * typical)), np.bool_)


def describe(
    common: Overlap, planes: Matched, fine: Cells, changed: Mask, noise: float, plain: float
) -> Changes:
    """Say of the changed cells how much they are and what was done there."""
    if not changed.any():
        return Changes(plain=plain, noise=noise)
    total, regions = max(1, int((fine.count > MIN_COUNT).sum())), _regions(changed)
    a, b = fine.variance_first, fine.variance_second
    limit, sides = max(CLEARLY_CHANGED, NOISE_FACTOR_OF_PIXELS * noise), (common.first, common.second)
    pixels = tones.far_apart(planes.first, planes.second, changed, common.mask, limit)
    drawn_on = [_drawn_on(one, pixels, changed, common.mask) for one in sides]
    bold, flat, foreign = (max(both) for both in zip(*drawn_on, strict=True))
    area = max(1.0, float(fine.count[changed].sum()))
    strokes = [float(side[changed].sum()) / area for side in fine.steep]
    slopes = [float(side[changed].sum()) for side in fine.slope]
    return Changes(
        share=float(changed.sum() / total),
        first_only=float((changed & (b < ONE_SIDED * a)).sum() / total),
        second_only=float((changed & (a < ONE_SIDED * b)).sum() / total),
        plain=plain,
        solid=_solid_share(regions, total),
        noise=noise,
        balance=min(slopes) / max(*slopes, 1.0),
        strokes=min(strokes),
        drawn=tones.few_tones(sides[0] if slopes[0] > slopes[1] else sides[1], pixels),
        bold=bold,
        flat=flat,
        foreign=foreign,
        exchange=exchanged(planes.first, planes.second, sides, pixels),
        boxes=_boxes(regions, changed.shape),
    )


def _drawn_on(one: NDArray[np.uint8], pixels: Mask, changed: Mask, mask: Mask) -> tuple[float, float, float]:
    """Shares of what changed in colours that this picture has nowhere else: all, and in even areas; then
    of even areas, by whole cells."""
    is_even, total = tones.even(one), int(np.count_nonzero(pixels))

    def own(chosen: Mask, shift: int) -> float:
        outside = tones.elsewhere(one, changed, mask, shift)
        return tones.own_colours(tones.colours(one, chosen, shift), total, outside)

    return own(pixels, 4), own(pixels & is_even, 3), foreign_share(one, is_even, changed, mask)


def _differs(cells: Cells, limit: float, share: float) -> Mask:
    total = cells.variance_first + cells.variance_second
    return np.asarray((cells.difference > limit * limit) & (cells.difference > share * total), np.bool_)


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
