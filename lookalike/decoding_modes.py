"""Every pixel mode of Pillow to plain RGB: alpha over a background, deep and float samples to 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

# A picture whose visible part differs from white by less than this on average stands on black instead.
_LEAST_CONTRAST_WITH_WHITE = 48.0
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
# These formats define white as the largest sample; in others deep samples often fill a part of the range.
_FULL_RANGE_FORMATS = ("PNG", "PPM", "JPEG2000")


def to_rgb(image: Image.Image, file_format: str) -> tuple[Image.Image, bool]:
    """Return the picture in mode RGB, and whether any of it was transparent."""
    if image.mode in _DEEP_MODES:
        return _levelled(image, file_format).convert("RGB"), False
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _flattened(image.convert("RGBA"))
    if image.mode == "LAB":
        return _from_lab(image), False
    return (image if image.mode == "RGB" else image.convert("RGB")), False


def _flattened(image: Image.Image) -> tuple[Image.Image, bool]:
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB"), False
    background = Image.new("RGBA", image.size, _background(image, alpha))
    background.paste(image, mask=alpha)
    return background.convert("RGB"), True


def _background(image: Image.Image, alpha: Image.Image) -> str:
    """Return the colour that makes the visible part visible.

    White, as nearly every program does, unless the picture is itself so light that it would vanish.
    """
    small, weight = image.convert("RGB").convert("L"), alpha
    if image.width * image.height > 1_000_000:
        small, weight = small.reduce(4), weight.reduce(4)
    weights = np.asarray(weight, dtype=np.float64)
    contrast = 255.0 - np.asarray(small, dtype=np.float64)
    total = weights.sum()
    if total == 0 or (contrast * weights).sum() / total >= _LEAST_CONTRAST_WITH_WHITE:
        return "white"
    return "black"


def _levelled(image: Image.Image, file_format: str) -> Image.Image:
    samples = np.asarray(image)
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    black, white = _range(samples, file_format)
    levels = (samples.astype(np.float32) - black) * (255.0 / (white - black))
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def _range(samples: np.ndarray, file_format: str) -> tuple[float, float]:
    """Return the samples that stand for black and white.

    The narrowest customary range that holds all samples (float 0 to 1; 8, 12 or 16 bits), else their own.
    """
    low, high = float(samples.min()), float(samples.max())
    if file_format in _FULL_RANGE_FORMATS and samples.dtype.kind != "f":
        return 0.0, 65535.0
    customary = (1.0, 255.0, 65535.0) if samples.dtype.kind == "f" else (255.0, 4095.0, 65535.0)
    for white in customary:
        if low >= 0 and high <= white:
            return 0.0, white
    return (low, high) if high > low else (low, low + 1.0)


def _from_lab(image: Image.Image) -> Image.Image:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert converted is not None  # only None when asked to work in place
    return converted
