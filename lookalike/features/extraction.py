"""One image's bytes to its features and proxy, in one decode."""

from __future__ import annotations

import io
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from lookalike.decoding import Limits, Picture, decode
from lookalike.features.record import FEATURES, Flag


@dataclass(frozen=True)
class Extracted:
    """What extraction gives: the record, a JPEG proxy of about 120,000 pixels, and facts for listings."""

    record: np.void
    proxy: bytes
    format: str
    width: int
    height: int


def extract(data: bytes, limits: Limits = Limits()) -> Extracted:
    """Return features and proxy of an image; raise DecodingError if it cannot be decoded."""
    picture = decode(data, limits, shrink_to=120_000)
    proxy = _proxy(picture)
    record = np.zeros((), FEATURES)
    record["whole"] = [_hash(picture.image.transpose(t) if t is not None else picture.image) for t in _ORDER]
    record["trimmed"] = record["whole"][0]
    record["regions"] = record["whole"][0]
    record["contrast"] = np.asarray(picture.image.convert("L")).std()
    record["flags"] = Flag.FLAT if record["contrast"] < 2 else 0
    record["width"] = record["true_width"] = picture.width
    record["height"] = record["true_height"] = picture.height
    record["proxy_length"] = len(proxy)
    record["proxy_width"], record["proxy_height"] = Image.open(io.BytesIO(proxy)).size
    return Extracted(record[()], proxy, picture.format, picture.width, picture.height)


_T = Image.Transpose
# How EXIF orientations 1 to 8 are made of the upright picture.
_ORDER = [
    None,
    _T.FLIP_LEFT_RIGHT,
    _T.ROTATE_180,
    _T.FLIP_TOP_BOTTOM,
    _T.TRANSPOSE,
    _T.ROTATE_270,
    _T.TRANSVERSE,
    _T.ROTATE_90,
]


def _hash(image: Image.Image) -> np.ndarray:
    return np.packbits(imagehash.phash(image, hash_size=16).hash)


def _proxy(picture: Picture) -> bytes:
    image = picture.image.copy()
    scale = min(1.0, (120_000 / (image.width * image.height)) ** 0.5)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()
