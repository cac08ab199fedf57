"""Bytes to pixels, safely: any bytes at all give a Picture or a DecodingError, within limits."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import AvifImagePlugin, Image, UnidentifiedImageError, _imaging
from PIL.JpegImagePlugin import JpegImageFile

from lookalike import decoding_png as png
from lookalike import decoding_signatures as signatures
from lookalike.decoding_facts import Facts, read_facts
from lookalike.decoding_modes import to_rgb
from lookalike.errors import (
    CorruptImage,
    DecodingError,
    EmptyFile,
    ImageTooLarge,
    NotAnImage,
    UnsupportedImage,
)

# Left out: EPS (runs a program), and stubs that name a format but cannot decode it.
_REFUSED_FORMATS = frozenset({"EPS", "BUFR", "GRIB", "HDF5", "MPEG", "WMF", "JPEG"})
# Formats with hardly any signature come last, or they would claim the files of others.
_VAGUE_FORMATS = ("PCX", "DCX", "MSP", "XBM", "SPIDER", "IPTC", "PCD", "MCIDAS", "IMT", "PIXAR", "TGA")
_ANIMATED_FORMATS = frozenset({"GIF", "PNG", "WEBP", "AVIF", "FLI", "HEIF"})
# Bytes a pixel that decoding and extraction take at their peak, measured; dear formats get fewer pixels.
_PLAIN_COST = 8
_DECODER_COSTS = {"WEBP": 19, "JPEG2000": 20, "AVIF": 15, "HEIF": 11}
_JPEG_SCALES = (8, 4, 2)
# A JPEG that is read at a fraction of its size may be this much larger than the pixels it gives.
_DRAFT_ALLOWANCE = 4
# Pixels times scans that a progressive JPEG may cost, in units of max_pixels: real ones have about ten scans.
_SCAN_ALLOWANCE = 20
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_UNSUPPORTED_WORDS = (
    "unsupported",
    "not supported",
    "not available",
    "unimplemented",
    "not implemented",
    "unknown",
)


@dataclass(frozen=True)
class Limits:
    """What decoding one image may take."""

    max_bytes: int = 256 * 1024 * 1024
    # Of RGB decoded as a whole, as Pillow's own limit: extraction then stays under 1 GiB. Formats whose
    # decoders take more have less; a JPEG read at a fraction of its size may be four times as large.
    max_pixels: int = 89_478_485
    max_frames: int = 10_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright RGB pixels and facts about the file they came from."""

    image: Image.Image  # mode RGB, upright; smaller than width and height if shrinking was asked for
    width: int  # full size in pixels, as seen
    height: int
    format: str
    has_alpha: bool
    is_animated: bool
    facts: Facts

    @cached_property
    def pixels(self) -> np.ndarray:
        """Return (h, w, 3) uint8 RGB, read-only."""
        return np.asarray(self.image)


def decode(data: bytes, limits: Limits = Limits(), *, shrink_to: int | None = None) -> Picture:
    """Decode the first frame of an image of any supported format; raise DecodingError for all other bytes.

    With shrink_to, a JPEG is decoded at the least of 1/8, 1/4, 1/2 of its size that has so many pixels.
    """
    if not data:
        raise EmptyFile
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"The file has {len(data):,} bytes; the limit is {limits.max_bytes:,}.")
    _prepare()
    try:
        if png.is_png(data):
            return _decode_png(data, limits)
        return _decode(data, limits, shrink_to)
    except DecodingError:
        raise
    except MemoryError as error:
        raise ImageTooLarge("There is not enough memory to decode the image.") from error
    except Exception as error:
        raise _explained(error, data) from error


def _decode(data: bytes, limits: Limits, shrink_to: int | None) -> Picture:
    image = _open(data)
    size = image.size
    is_animated = _is_animated(image, limits)
    if isinstance(image, JpegImageFile):
        _shrink(image, data, limits, shrink_to)
    else:
        _check_pixels(
            size, limits.max_pixels * _PLAIN_COST // _DECODER_COSTS.get(image.format or "", _PLAIN_COST)
        )
    image.load()
    file_format = image.format or ""
    facts = read_facts(image, data)
    if file_format == "TIFF":
        size = image.size  # Pillow has turned it upright while loading
    rgb, has_alpha = to_rgb(image, file_format)
    del image  # as large as what was made of it
    if (turn := _UPRIGHT.get(facts.orientation)) is not None:
        rgb = rgb.transpose(turn)
        size = size if facts.orientation < 5 else size[::-1]
    return Picture(rgb, *size, file_format, has_alpha, is_animated, facts)


def _decode_png(data: bytes, limits: Limits) -> Picture:
    png.check(data)
    try:
        return _decode(data, limits, None)
    except (SyntaxError, ValueError, OSError):
        # Pillow stops at a broken text, colour profile or animation; the picture itself may be whole.
        bare = png.without_extras(data)
        if bare == data:
            raise
        return _decode(bare, limits, None)


def _open(data: bytes) -> Image.Image:
    if data.startswith(b"\xff\xd8\xff"):
        # Opened directly: a multi-picture JPEG (MPO) is then read as the photo it starts with.
        return JpegImageFile(io.BytesIO(data))
    if signatures.is_heif(data):
        _register_heif()
        return Image.open(io.BytesIO(data), formats=("HEIF", "AVIF"))
    return Image.open(io.BytesIO(data), formats=_formats())


def _is_animated(image: Image.Image, limits: Limits) -> bool:
    if image.format not in _ANIMATED_FORMATS or not getattr(image, "is_animated", False):
        return False
    # A GIF's frames are only known by walking through all of them, which nobody needs.
    frame_count = 2 if image.format == "GIF" else getattr(image, "n_frames", 1)
    if frame_count > limits.max_frames:
        raise ImageTooLarge(f"The image has {frame_count:,} frames; the limit is {limits.max_frames:,}.")
    return True


def _shrink(image: JpegImageFile, data: bytes, limits: Limits, shrink_to: int | None) -> None:
    """Set a JPEG to be decoded at the scale asked for, and check what that takes."""
    full = image.size
    for scale in _JPEG_SCALES if shrink_to is not None else ():
        if -(-full[0] // scale) * -(-full[1] // scale) >= (shrink_to or 0):
            image.draft(None, (full[0] // scale, full[1] // scale))
            break
    _check_pixels(image.size, limits.max_pixels)
    # Several scans are gathered in memory at full size before the first pixel is made.
    is_gathered = bool(image.info.get("progressive"))
    _check_pixels(full, limits.max_pixels * (1 if is_gathered else _DRAFT_ALLOWANCE))
    scan_count = data.count(b"\xff\xda") if is_gathered else 1
    if full[0] * full[1] * scan_count > limits.max_pixels * _SCAN_ALLOWANCE:
        raise ImageTooLarge(f"The JPEG is stored in {scan_count:,} passes of {full[0]} × {full[1]} pixels.")


def _check_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise CorruptImage(f"The image says that it is {width} × {height} pixels large.")
    if width * height > limit:
        raise ImageTooLarge(
            f"The image is {width:,} × {height:,} pixels large; the limit is {limit:,} pixels."
        )


def _explained(error: Exception, data: bytes) -> DecodingError:
    """Return the DecodingError that says to a user what a decoder's exception means."""
    signature = signatures.recognised(data)
    if isinstance(error, Image.DecompressionBombError):
        return ImageTooLarge(f"Decoding would take too much memory: {error}")
    if signature is not None and not signature.is_readable:
        return UnsupportedImage(f"{signature.name} is not supported: convert it to PNG, JPEG or WebP.")
    if isinstance(error, UnidentifiedImageError):
        if signature is None:
            return NotAnImage()
        error = _reason(signature.name, data) or error
    text = _text(error)
    if isinstance(error, NotImplementedError) or any(word in text.lower() for word in _UNSUPPORTED_WORDS):
        return UnsupportedImage(f"This variant of the format is not supported: {text}.")
    if signature is None and isinstance(error, UnidentifiedImageError | OSError) and "cannot load" in text:
        return NotAnImage()
    return CorruptImage(f"The image is damaged or cut short: {text}.")


def _text(error: Exception) -> str:
    """Return a decoder's message, or words for what is only its own confusion."""
    if isinstance(error, UnidentifiedImageError):
        return "its header is damaged"
    if not isinstance(error, OSError | SyntaxError | ValueError | RuntimeError):
        return "its structure makes no sense"
    return " ".join(str(error).split())[:200].rstrip(".") or "its structure makes no sense"


def _reason(file_format: str, data: bytes) -> Exception | None:
    """Return what the decoder of a format has against the bytes, which Image.open keeps to itself."""
    if file_format not in Image.OPEN:
        return None
    try:
        Image.OPEN[file_format][0](io.BytesIO(data), "")
    except Exception as error:  # any decoder's error: it is the answer
        return error
    return None


def _prepare() -> None:
    # Pillow warns about odd files; ours to judge, and no one's screen to fill. Kept short of other modules.
    warnings.filterwarnings("ignore", module=r"(PIL|pi_heif)\.")


@functools.cache
def _silence_libtiff() -> None:
    """Stop libtiff from printing to stderr, where its complaints about single files help nobody."""
    with contextlib.suppress(OSError, AttributeError):
        # The library that Pillow has loaded, found through Pillow's own module.
        libtiff = ctypes.CDLL(_imaging.__file__)
        libtiff.TIFFSetErrorHandler(None)
        libtiff.TIFFSetWarningHandler(None)


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    _silence_libtiff()
    # One image, one thread: the workers already fill the cores.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    known = [name for name in Image.ID if name not in _REFUSED_FORMATS]
    return (*(name for name in known if name not in _VAGUE_FORMATS), *_VAGUE_FORMATS)


@functools.cache
def _register_heif() -> None:
    import pi_heif  # loads libheif, which most collections never need

    pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)
