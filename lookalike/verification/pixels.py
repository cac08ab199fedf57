"""Pixel identity, proven by decoding both contents in full."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from lookalike.decoding import decode
from lookalike.errors import DecodingError


@dataclass(frozen=True, slots=True)
class PixelDigest:
    """Stands for all pixels of the upright picture: equal digests, equal pixels."""

    size: tuple[int, int]
    hexdigest: str


def digest(content: Callable[[], bytes]) -> PixelDigest | None:
    """Decode in full and digest; None where the bytes are gone or cannot be decoded any more."""
    try:
        picture = decode(content())
    except (DecodingError, OSError):
        return None
    pixels = picture.pixels
    return PixelDigest(
        (pixels.shape[1], pixels.shape[0]), hashlib.blake2b(pixels.tobytes(), digest_size=20).hexdigest()
    )
