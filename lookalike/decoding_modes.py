"""Every pixel mode of Pillow to plain RGB: alpha over a background, deep and float samples to 8 bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

# A picture whose visible part differs from white by less than this on average stands on black instead.
_LEAST_CONTRAST_WITH_WHITE = 48.0
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
# These formats define white as the largest sample; in others deep samples often fill a part of the range.
_FULL_RANGE_FORMATS = ("PNG", "PPM", "JPEG2000")


# Large pictures are converted in bands of about so many pixels: a whole one more would double the memory.
_BAND_PIXELS = 2_000_000


def to_rgb(image: Image.Image, file_format: str) -> tuple[Image.Image, bool]:
    """Return the picture in mode RGB, and whether any of it was transparent."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image, False
    if image.mode in _DEEP_MODES:
        black, white = _range(np.asarray(image), file_format)
        return _converted(image, lambda band: _levelled(band, black, white)), False
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _flattened(image)
    if image.mode == "LAB":
        return _converted(image, _from_lab), False
    return image.convert("RGB"), False


def _converted(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    rgb = Image.new("RGB", image.size)
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(image.height, top + rows)))
        rgb.paste(convert(band), (0, top))
    return rgb


def _flattened(image: Image.Image) -> tuple[Image.Image, bool]:
    sample = _sampled(image).convert("RGBA")
    background = _background(sample)
    least_alpha = 255

    def flatten(band: Image.Image) -> Image.Image:
        nonlocal least_alpha
        rgba = band.convert("RGBA")
        alpha = rgba.getchannel("A")
        least_alpha = min(least_alpha, int(np.asarray(alpha).min()))
        flat = Image.new("RGB", band.size, background)
        flat.paste(rgba.convert("RGB"), mask=alpha)
        return flat

    return _converted(image, flatten), least_alpha < 255


def _sampled(image: Image.Image) -> Image.Image:
    """Return every so many pixels of a picture: enough to tell light from dark."""
    step = max(1, round((image.width * image.height / _BAND_PIXELS) ** 0.5))
    size = (max(1, image.width // step), max(1, image.height // step))
    return image if step == 1 else image.resize(size, Image.Resampling.NEAREST)


def _background(rgba: Image.Image) -> str:
    """Return the colour that makes the visible part visible.

    White, as nearly every program does, unless the picture is itself so light that it would vanish.
    """
    weights = np.asarray(rgba.getchannel("A"), dtype=np.float64)
    contrast = 255.0 - np.asarray(rgba.convert("RGB").convert("L"), dtype=np.float64)
    total = weights.sum()
    if total == 0 or (contrast * weights).sum() / total >= _LEAST_CONTRAST_WITH_WHITE:
        return "white"
    return "black"


def _levelled(image: Image.Image, black: float, white: float) -> Image.Image:
    samples = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0, posinf=white, neginf=black)
    levels = (samples - black) * (255.0 / (white - black))
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)).convert("RGB")


def _range(samples: np.ndarray, file_format: str) -> tuple[float, float]:
    """Return the samples that stand for black and white.

    The narrowest customary range that holds all samples (float 0 to 1; 8, 12 or 16 bits), else their own.
    """
    if samples.dtype.kind == "f":
        samples = samples[np.isfinite(samples)]
    if samples.size == 0:
        return 0.0, 1.0
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
