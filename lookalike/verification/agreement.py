"""Agreement: how well the common part of two pictures agrees, pixel by pixel and tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.verification.overlap import Overlap

TILE = 15  # px of a tile's side on the agreement grid
SMOOTH = 4.0  # variance below which a tile is noise, not structure
STRUCTURED = 9.0  # variance above which a tile counts as structured

BLOCK = 8  # px of a block's side for colours
RECOLOURED = 15.0  # CIELAB
SAME = 6  # levels of each channel
MONOCHROME = 3.0  # CIELAB

Plane = NDArray[np.float32]
Chroma = NDArray[np.complex64]


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


def measure(common: Overlap) -> Agreement:
    """Measure the agreement of the common part."""
    first, second = _gray(common.first), _gray(common.second)
    x, y = first[common.mask], second[common.mask]
    deviation_x, deviation_y = float(x.std()), float(y.std())
    covariance = float(((x - x.mean()) * (y - y.mean())).mean())
    whole = covariance / (deviation_x * deviation_y + 1e-3)
    gain = min(max(deviation_x / (deviation_y + 1e-3), 0.5), 2.0)
    offset = float(x.mean() - gain * y.mean())
    residuals = np.abs(gain * y + offset - x)
    tile, good, well, structured = _tiles(first, second, common.mask)
    shift, spread, recoloured = _colours(common)
    apart = cv2.absdiff(common.first, common.second)[common.mask]
    same = apart.max(axis=1) <= SAME
    return Agreement(
        whole=whole,
        tile=tile,
        good=good,
        well=well,
        structured=structured,
        difference=float(apart.mean()),
        same=float(same.mean()),
        same_spread=float(x[same].std()) if same.any() else 0.0,
        residual=float(residuals.mean()),
        changed=float((residuals > 30).mean()),
        gain=gain,
        offset=offset,
        colour_shift=shift,
        colour_spread=spread,
        recoloured=recoloured,
    )


def _gray(pixels: NDArray[np.uint8]) -> Plane:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), 1), np.float32)


def _tiles(first: Plane, second: Plane, mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Median correlation; shares of good, of very good, and of structured tiles."""
    weight = mask.astype(np.float32)
    count = np.maximum(_sum(weight), 1)
    x, y = first * weight, second * weight
    mean_x, mean_y = _sum(x) / count, _sum(y) / count
    variance_x = np.maximum(_sum(x * first) / count - mean_x * mean_x, 0)
    variance_y = np.maximum(_sum(y * second) / count - mean_y * mean_y, 0)
    covariance = _sum(x * second) / count - mean_x * mean_y
    # Noise is added to both alike: what is plain in both agrees, what is plain in one only does not.
    correlation = (covariance + SMOOTH) / np.sqrt((variance_x + SMOOTH) * (variance_y + SMOOTH))
    inside = (count > 100) & mask
    if not inside.any():
        return 0.0, 0.0, 0.0, 0.0
    structured = np.maximum(variance_x, variance_y)[inside] > STRUCTURED
    chosen = correlation[inside][structured] if structured.sum() > 50 else correlation[inside]
    good, well = float((chosen > 0.6).mean()), float((chosen > 0.9).mean())
    return float(np.median(chosen)), good, well, float(structured.mean())


def _sum(plane: Plane) -> Plane:
    return np.asarray(cv2.boxFilter(plane, -1, (TILE, TILE), normalize=False), np.float32)


def _colours(common: Overlap) -> tuple[float, float, float]:
    """Distance of the mean colours, upper quartile of the deviations from it, and share recoloured.

    Distances are in CIELAB, over blocks of 8 px.
    """
    size = common.mask.shape[1] // BLOCK, common.mask.shape[0] // BLOCK
    inside = cv2.resize(common.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.9
    if not inside.any():
        inside[:] = True
    first, second = _lab(common.first, size)[inside], _lab(common.second, size)[inside]
    difference = first - second
    shift = difference.mean(axis=0)
    deviation = np.linalg.norm(difference - shift, axis=1)
    recoloured = _recoloured(_chroma(first), _chroma(second))
    return float(np.linalg.norm(shift)), float(np.percentile(deviation, 75)), recoloured


def _chroma(lab: Plane) -> Chroma:
    """Both colour axes as one complex number: hue is its angle, saturation its length."""
    return np.asarray(lab[:, 1] + 1j * lab[:, 2], np.complex64)


def _recoloured(first: Chroma, second: Chroma) -> float:
    """Share of blocks whose colour no single change of hue, saturation and tint explains."""
    if _is_monochrome(first) or _is_monochrome(second):
        return 0.0
    unexplained = [
        float((_residuals(x, y) > RECOLOURED).mean()) for x, y in ((first, second), (second, first))
    ]
    return max(unexplained)


def _is_monochrome(chroma: Chroma) -> bool:
    """Whether all colours are shades of one: gray, sepia."""
    together = abs(complex((chroma * chroma).sum()))
    energy = float((np.abs(chroma) ** 2).sum())
    across = max(0.0, (energy - together) / 2 / len(chroma))
    return math.sqrt(across) < MONOCHROME


def _residuals(source: Chroma, target: Chroma) -> Plane:
    """What the best turn, stretch and shift of the colour plane leave, by reweighted least squares."""
    weights = np.ones(len(source), np.float32)
    residuals = np.abs(target)
    for _ in range(3):
        total = weights.sum()
        mean_x, mean_y = (weights * source).sum() / total, (weights * target).sum() / total
        x, y = source - mean_x, target - mean_y
        turn = (weights * y * x.conj()).sum() / ((weights * np.abs(x) ** 2).sum() + 1e-3)
        residuals = np.abs(y - turn * x)
        weights = 1 / (1 + (residuals / 8) ** 2)
    return np.asarray(residuals, np.float32)


def _lab(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Plane:
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
