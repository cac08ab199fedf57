"""Painting out: the main object of a photo, or a part of it, hidden under what surrounds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SIDE = 320  # px of the longer side, on which the object is looked for
_LEAST, _MOST = 0.08, 0.6  # share of the area that an object takes
_MOST_DETAIL_BESIDE = 0.35  # share of the detail that lies beside a main object
_FAINT = 16.0  # squared gradient in gray levels: noise is no detail
_NOISE = 2.0  # gray levels
WAYS = ("telea", "navier_stokes", "cloned", "blurred", "filled")


def main_object(pixels: Pixels) -> Mask | None:
    """Where the main object is, with a margin; None where a picture has no clear one.

    GrabCut from a box, then only what is large, with its holes filled.
    """
    scale = _SIDE / max(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    box = (round(0.06 * width), round(0.06 * height), round(0.88 * width), round(0.88 * height))
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(small[..., ::-1]),
        labels,
        box,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        5,
        cv2.GC_INIT_WITH_RECT,
    )
    found = _filled(((labels & 1) > 0).astype(np.uint8))
    share = float(found.mean())
    if not _LEAST <= share <= _MOST:
        return None
    margin = max(2, round(0.02 * _SIDE))
    found = cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1,) * 2))
    if _detail_beside(small, found) > _MOST_DETAIL_BESIDE:
        return None
    size = pixels.shape[1], pixels.shape[0]
    return np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_LINEAR) > 0, np.bool_)


def part_of(mask: Mask, rng: np.random.Generator) -> Mask:
    """The end of an object that 20 to 35 % of it are, cut off by a line in any direction."""
    ys, xs = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    part = np.zeros_like(mask)
    kept = along > np.quantile(along, 1 - rng.uniform(0.2, 0.35))
    part[ys[kept], xs[kept]] = True
    return part


def painted_out(pixels: Pixels, mask: Mask, way: str) -> Pixels:
    """The picture with what is masked hidden in one of WAYS; all other pixels stay as they are."""
    painters: dict[str, Callable[[Pixels, Mask], Pixels]] = {
        "telea": partial(_inpainted, method=cv2.INPAINT_TELEA),
        "navier_stokes": partial(_inpainted, method=cv2.INPAINT_NS),
        "cloned": _cloned,
        "blurred": _blurred,
        "filled": _of_one_colour,
    }
    return np.where(mask[..., None], painters[way](pixels, mask), pixels).astype(np.uint8)


def _inpainted(pixels: Pixels, mask: Mask, *, method: int) -> Pixels:
    return np.asarray(cv2.inpaint(pixels, mask.astype(np.uint8), 5, method), np.uint8)


def _cloned(pixels: Pixels, mask: Mask) -> Pixels:
    """Patches of the nearest surroundings, moved over the object, each from where least of it is."""
    out, left = pixels.copy(), mask.copy()
    height, width = mask.shape
    step = max(8, min(height, width) // 8)
    for _ in range(40):
        if not left.any():
            break
        best, gained = (0, 0), 0
        for dy in range(-height + step, height, step):
            for dx in range(-width + step, width, step):
                usable = left & np.roll(~left, (dy, dx), (0, 1)) & _inside(mask.shape, dy, dx)
                # The nearest of those that hide most.
                gain = int(usable.sum() / (1 + np.hypot(dy, dx) / max(height, width)))
                if gain > gained:
                    best, gained = (dy, dx), gain
        if not gained:
            break
        usable = left & np.roll(~left, best, (0, 1)) & _inside(mask.shape, *best)
        out[usable] = np.roll(out, best, (0, 1))[usable]
        left &= ~usable
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 3)[..., None]
    return np.asarray(soft * out + (1 - soft) * cv2.GaussianBlur(out, (0, 0), 2), np.uint8)


def _inside(shape: tuple[int, ...], dy: int, dx: int) -> Mask:
    rows, columns = np.arange(shape[0])[:, None] - dy, np.arange(shape[1])[None] - dx
    return np.asarray((rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1]), np.bool_)


def _blurred(pixels: Pixels, mask: Mask) -> Pixels:
    """The surroundings blurred until they reach everywhere."""
    known = (~mask).astype(np.float32)
    out, weight = np.zeros(pixels.shape, np.float64), np.zeros(mask.shape, np.float64)
    for sigma in (4, 12, 36, 108, 324):
        spread = cv2.GaussianBlur(known, (0, 0), sigma)
        colour = cv2.GaussianBlur(pixels * known[..., None], (0, 0), sigma)
        share = np.clip(spread / 0.2, 0, 1) * (1 - weight)
        out += share[..., None] * colour / np.maximum(spread, 1e-6)[..., None]
        weight += share
    return np.asarray(np.clip(out / np.maximum(weight, 1e-6)[..., None], 0, 255), np.uint8)


def _of_one_colour(pixels: Pixels, mask: Mask) -> Pixels:
    """The colour of the surroundings, with noise on it."""
    reach = max(9, min(mask.shape) // 10)
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > mask
    colour = np.median(pixels[ring if ring.any() else ~mask], axis=0)
    noise = np.random.default_rng(0).normal(0, _NOISE, mask.shape)
    return np.asarray(np.clip(colour + noise[..., None], 0, 255), np.uint8)


def _filled(found: Pixels) -> Pixels:
    """The largest piece and those a tenth as large, without holes."""
    opened = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(one) for one in outlines]
    large = [one for one, area in zip(outlines, areas, strict=True) if area > 0.1 * max(areas)]
    filled = np.zeros_like(found)
    cv2.drawContours(filled, large, -1, 1, cv2.FILLED)
    return filled


def _detail_beside(pixels: Pixels, found: Pixels) -> float:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gray = cv2.GaussianBlur(gray, (0, 0), 0.8)
    down, across = np.gradient(gray)
    detail = np.maximum(down**2 + across**2 - _FAINT, 0)
    return float(detail[found == 0].sum() / max(1.0, float(detail.sum())))
