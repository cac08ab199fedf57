"""Drawn pictures: as detailed as photographs, free of anybody's rights, the same on every machine."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ORIENTATION_TAG = 0x0112


def photo(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Draw a scene of (width, height) with shapes at every scale; other seeds are other scenes."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(_gradient(rng, size))
    _shapes(rng, picture, count=60)
    picture = picture.filter(ImageFilter.GaussianBlur(0.8))
    pixels = np.asarray(picture, np.float32) + _texture(rng, size) + rng.normal(0, 3, (size[1], size[0], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(
    picture: Image.Image, quality: int = 90, exif_orientation: int | None = None, **options: Any
) -> bytes:
    """Encode a picture as JPEG; the orientation is only a tag, the pixels stay as they are."""
    if exif_orientation is not None:
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = exif_orientation
        options["exif"] = exif
    return _encoded(picture.convert("RGB"), "JPEG", quality=quality, **options)


def png(picture: Image.Image, **options: Any) -> bytes:
    """Encode a picture as PNG, quickly."""
    return _encoded(picture, "PNG", **{"compress_level": 1, **options})


def webp(picture: Image.Image, quality: int = 85, **options: Any) -> bytes:
    """Encode a picture as WebP."""
    return _encoded(picture, "WEBP", quality=quality, **options)


def _encoded(picture: Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002 (Pillow's word)
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def _gradient(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    corners = rng.integers(20, 236, (2, 2, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC))


def _shapes(rng: np.random.Generator, picture: Image.Image, count: int) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for _ in range(count):
        x, y = rng.uniform(-0.1, 1.1, 2) * (width, height)
        # Few large shapes, many small ones.
        radius = min(width, height) * 0.35 * rng.uniform(0.05, 1) ** 2
        color = tuple(int(c) for c in rng.integers(0, 256, 3))
        points = [
            (x + radius * dx, y + radius * dy) for dx, dy in rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2))
        ]
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse((x - radius, y - radius * 0.7, x + radius, y + radius * 0.7), fill=color)
        elif kind == 1:
            draw.polygon(points, fill=color)
        else:
            draw.line(points, fill=color, width=max(1, int(radius / 12)))


def _texture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    texture = np.zeros((size[1], size[0], 1), np.float32)
    for cells, strength in ((6, 25.0), (24, 12.0), (96, 6.0)):
        grid = Image.fromarray(rng.normal(0, strength, (cells, cells)).astype(np.float32))
        texture[..., 0] += np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    return texture
