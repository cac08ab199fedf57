"""Facts about a file beside its pixels: orientation, JPEG quality, losslessness, metadata, time taken."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from PIL import ExifTags, Image

_LOSSLESS_FORMATS = frozenset(
    {"PNG", "BMP", "PPM", "TGA", "QOI", "PSD", "SGI", "PCX", "FITS", "SUN", "ICO", "DIB"}
)
_LOSSY_TIFF_COMPRESSIONS = frozenset({"jpeg", "tiff_jpeg", "webp"})
# Luminance table of the JPEG standard (Annex K), which libjpeg scales by its quality setting.
_STANDARD_TABLE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)


@dataclass(frozen=True)
class Facts:
    """What a file says about its picture."""

    orientation: int = 1  # as EXIF counts, 1 to 8
    jpeg_quality: int = 0  # 1 to 100; 0 for other formats
    is_lossless: bool = False
    metadata_count: int = 0
    taken_at: int = 0  # seconds since the epoch by the camera's clock; 0 if unknown


def read_facts(image: Image.Image, data: bytes) -> Facts:
    """Return the facts of an opened image; what is broken or missing counts as absent."""
    exif = _exif(image)
    details = _tags(exif, ExifTags.IFD.Exif)
    return Facts(
        orientation=_orientation(exif),
        jpeg_quality=_jpeg_quality(image),
        is_lossless=_is_lossless(image, data),
        metadata_count=_metadata_count(image, exif, details),
        taken_at=_taken_at(details),
    )


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:  # any parser's error: broken metadata must not cost the picture
        return Image.Exif()


def _tags(exif: Image.Exif, ifd: int) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(ifd)
    except Exception:  # as above
        return {}


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _scaled_tables() -> np.ndarray:
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None]
    tables: np.ndarray = np.clip((_STANDARD_TABLE * percent + 50) // 100, 1, 255)
    return tables


_TABLES = _scaled_tables()


def _jpeg_quality(image: Image.Image) -> int:
    """Return the libjpeg quality whose luminance table is nearest to the image's, 0 if it has none."""
    table = getattr(image, "quantization", {}).get(0)
    if table is None or len(table) != 64:
        return 0
    return int(np.abs(_TABLES - np.array(table)).sum(axis=1).argmin()) + 1


def _is_lossless(image: Image.Image, data: bytes) -> bool:
    if image.format == "WEBP":
        # The lossless bitstream's chunk follows the file header, or the extended header and a colour profile.
        return b"VP8L" in data[12:64] or (b"VP8X" in data[12:16] and b"VP8L" in data[:65536])
    if image.format == "TIFF":
        return image.info.get("compression") not in _LOSSY_TIFF_COMPRESSIONS
    return image.format in _LOSSLESS_FORMATS


def _metadata_count(image: Image.Image, exif: Image.Exif, details: Mapping[int, Any]) -> int:
    blocks = ("icc_profile", "xmp", "XML:com.adobe.xmp", "photoshop", "comment")
    count = len(exif) + len(details) + len(_tags(exif, ExifTags.IFD.GPSInfo))
    count += sum(1 for name in blocks if image.info.get(name))
    return min(count, 65535)


def _taken_at(details: Mapping[int, Any]) -> int:
    stamp = details.get(ExifTags.Base.DateTimeOriginal) or details.get(ExifTags.Base.DateTimeDigitized)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        # Cameras rarely tell their time zone, so all clocks are read as UTC: comparable among copies.
        return int(datetime.strptime(str(stamp)[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
    return 0
