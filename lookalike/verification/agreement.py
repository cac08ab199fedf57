"""Agreement: how well the common part of two pictures agrees, pixel by pixel and tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.verification.colours import colour_difference
from lookalike.verification.overlap import Overlap
from lookalike.verification.tiles import correlated

SAME = 6  # levels of each channel
# Where much was laid over a picture, the rest agrees very well, or the whole does under a faint pattern.
# Of two pictures with one caption neither does (0.46 at least in 304 edits; 0.41 and 0.84 at most there).
AS_IT_WAS, ALL_IN_ALL = 0.43, 0.93  # share of very good tiles; correlation
FAR = 30.0  # gray levels, after gain and offset

Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures of one alignment; correlations from -1 to 1, shares from 0 to 1, differences in gray levels."""

    whole: float = 0.0  # correlation of all pixels
    tile: float = 0.0  # median correlation of structured tiles
    good: float = 0.0  # share of structured tiles that correlate above 0.6
    well: float = 0.0  # share of structured tiles that correlate above 0.9
    structured: float = 0.0  # share of tiles with structure in either picture
    difference: float = 255.0  # mean absolute difference as it is
    residual: float = 255.0  # mean absolute difference after gain and offset
    changed: float = 1.0  # share of pixels far off after gain and offset
    gain: float = 1.0
    offset: float = 0.0
    colour_shift: float = 100.0  # distance of the mean colours in CIELAB
    colour_spread: float = 0.0  # how much the colour shift differs from place to place
    same: float = 0.0  # share of pixels that are the same as they are, but for what encoders do
    same_spread: float = 0.0  # standard deviation of their gray levels
    recoloured: float = 0.0  # share of blocks whose colour no global change of colour explains
    negative: bool = False

    @property
    def is_as_it_was(self) -> bool:
        """Whether what can still be seen was left alone."""
        return self.well > AS_IT_WAS or self.whole > ALL_IN_ALL


def measure(common: Overlap) -> Agreement:
    """Measure the agreement of the common part."""
    first, second = _gray(common.first), _gray(common.second)
    sums = _sums(first, second, common.mask)
    deviation_x, deviation_y = math.sqrt(sums.variance_x), math.sqrt(sums.variance_y)
    gain = min(max(deviation_x / (deviation_y + 1e-3), 0.5), 2.0)
    offset = sums.mean_x - gain * sums.mean_y
    residual, changed = _residuals(first, second, common.mask, gain, offset)
    difference, same, same_spread = _differences(common.first, common.second, first, common.mask)
    tile, good, well, structured = correlated(first, second, common.mask)
    shift, spread, recoloured = colour_difference(common)
    return Agreement(
        whole=sums.covariance / (deviation_x * deviation_y + 1e-3),
        tile=tile,
        good=good,
        well=well,
        structured=structured,
        difference=difference,
        same=same,
        same_spread=same_spread,
        residual=residual,
        changed=changed,
        gain=gain,
        offset=offset,
        colour_shift=shift,
        colour_spread=spread,
        recoloured=recoloured,
    )


def _gray(pixels: NDArray[np.uint8]) -> Levels:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), 1), np.uint8)


class _Sums(NamedTuple):
    mean_x: float
    mean_y: float
    variance_x: float
    variance_y: float
    covariance: float


@compiled
def _sums(first: Levels, second: Levels, mask: Mask) -> _Sums:
    count = sum_x = sum_y = sum_xx = sum_yy = sum_xy = np.int64(0)
    for row in range(first.shape[0]):
        # A row's sums fit into 32 bits, of which a vector holds twice as many.
        n = x = y = xx = yy = xy = np.int32(0)
        for column in range(first.shape[1]):
            k = np.int32(mask[row, column])
            a, b = np.int32(first[row, column]) * k, np.int32(second[row, column]) * k
            n += k
            x += a
            y += b
            xx += a * a
            yy += b * b
            xy += a * b
        count, sum_x, sum_y = count + n, sum_x + x, sum_y + y
        sum_xx, sum_yy, sum_xy = sum_xx + xx, sum_yy + yy, sum_xy + xy
    mean_x, mean_y = sum_x / count, sum_y / count
    variance_x, variance_y = sum_xx / count - mean_x * mean_x, sum_yy / count - mean_y * mean_y
    return _Sums(mean_x, mean_y, max(variance_x, 0.0), max(variance_y, 0.0), sum_xy / count - mean_x * mean_y)


@compiled
def _residuals(first: Levels, second: Levels, mask: Mask, gain: float, offset: float) -> tuple[float, float]:
    """Mean absolute difference after gain and offset, and share of pixels far off."""
    changed = count = 0
    total = 0.0
    mapped = np.empty(256, np.float32)
    for level in range(256):
        mapped[level] = gain * level + offset
    for row in range(first.shape[0]):
        for column in range(first.shape[1]):
            if mask[row, column]:
                apart = abs(mapped[second[row, column]] - np.float32(first[row, column]))
                total += apart
                changed += apart > np.float32(FAR)
                count += 1
    return total / count, changed / count


@compiled
def _differences(
    first: NDArray[np.uint8], second: NDArray[np.uint8], gray: Levels, mask: Mask
) -> tuple[float, float, float]:
    """Mean absolute difference of colours; share of pixels that are the same, and spread of their levels."""
    total = count = same = levels = squares = np.int64(0)
    for row in range(gray.shape[0]):
        for column in range(gray.shape[1]):
            if mask[row, column]:
                a, b = first[row, column], second[row, column]
                red, green, blue = (
                    abs(np.int64(a[0]) - np.int64(b[0])),
                    abs(np.int64(a[1]) - np.int64(b[1])),
                    abs(np.int64(a[2]) - np.int64(b[2])),
                )
                total += red + green + blue
                count += 1
                if max(red, green, blue) <= SAME:
                    level = np.int64(gray[row, column])
                    same, levels, squares = same + 1, levels + level, squares + level * level
    spread = 0.0
    if same > 0:
        spread = math.sqrt(max(squares / same - (levels / same) ** 2, 0.0))
    return total / (3 * count), same / count, spread
