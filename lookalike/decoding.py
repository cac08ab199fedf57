"""Bytes to pixels, safely: any bytes give a Picture or a DecodingError, within limits."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageOps

from lookalike.errors import CorruptImage, EmptyFile, ImageTooLarge, NotAnImage


@dataclass(frozen=True)
class Limits:
    """What decoding one image may take."""

    max_bytes: int = 256 * 1024 * 1024
    max_pixels: int = 90_000_000
    max_frames: int = 100_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright RGB pixels and facts about the file they came from."""

    image: Image.Image
    width: int
    height: int
    format: str
    frame_count: int = 1
    has_alpha: bool = False
    orientation: int = 1

    @cached_property
    def pixels(self) -> np.ndarray:
        """Return (h, w, 3) uint8 RGB; smaller than (height, width) if shrinking was asked for."""
        return np.asarray(self.image)


def decode(data: bytes, limits: Limits = Limits(), *, shrink_to: int | None = None) -> Picture:
    """Decode the first frame of an image of any supported format; raise DecodingError for any other bytes.

    With shrink_to, JPEGs are decoded at a fraction of their size whose shorter side is at least shrink_to.
    """
    if not data:
        raise EmptyFile
    if len(data) > limits.max_bytes:
        raise ImageTooLarge
    try:
        image = Image.open(io.BytesIO(data))
        size = image.size
        if shrink_to is not None:
            image.draft(None, (shrink_to, shrink_to))
        image.load()
    except Image.UnidentifiedImageError:
        raise NotAnImage from None
    except Exception as error:
        raise CorruptImage(str(error)) from error
    orientation = image.getexif().get(0x0112, 1)
    upright = ImageOps.exif_transpose(image).convert("RGB")
    width, height = size if orientation < 5 else size[::-1]
    return Picture(upright, width, height, image.format or "", orientation=orientation)
