"""Where files are, as text, and what is an image by its name or its first bytes: the same for all sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO, Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes

from PIL import Image

from lookalike.decoding_signatures import recognised
from storage.sync import FoundFile

HEAD_BYTES = 1024
_ESCAPED = "file:"
# Formats that are images to their users, whether or not we can read them.
_MORE_EXTENSIONS = {
    *(
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".jxl",
        ".jxr",
        ".wdp",
        ".hdp",
        ".hdr",
        ".exr",
        ".ff",
        ".pam",
        ".p7",
    ),
    *(".xcf", ".svg", ".fpx", ".bpg", ".flif", ".mng", ".jng", ".pic", ".wal", ".cel", ".lut"),
    *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"),
}
_EXTENSIONS_OF_OTHERS = {".pdf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib", ".bufr", ".ps", ".pxr"}
_NOT_PICTURES = {"PDF", "MPEG video", "MP4 video", "WebM video", "AVI video", "HDF5", "GRIB", "BUFR"}


@dataclass(slots=True)
class Walked:
    """What a walk came upon beside images: (image id, detail) it could not read, and ids of other files."""

    unreadable: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class Source(Protocol):
    """Where images come from: it lists files, by what the listing itself says of them, and opens some."""

    @property
    def name(self) -> str:
        """What people know it by."""

    @property
    def prefixes(self) -> list[str]:
        """What the locations of all that comes from it begin with."""

    @property
    def is_sequential(self) -> bool:
        """Whether it can only be read from its beginning to its end: then its files are copied."""

    def files(self, walked: Walked, check: Callable[[], None]) -> Iterator[FoundFile]:
        """List all files, images or not; `check` is called now and then and may raise."""

    def opened(self, files: list[FoundFile]) -> Iterator[tuple[FoundFile, BinaryIO]]:
        """Open files in turn, perhaps in another order; those that cannot be opened are left out."""


def path_of(location: str) -> bytes:
    """Return the path of a location as the file system spells it."""
    if location.startswith(_ESCAPED):
        return unquote_to_bytes(location.removeprefix(_ESCAPED))
    return os.fsencode(location)


def location_of(path: bytes) -> str:
    """Return a path as text; one that is not text is percent-escaped and marked as such."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return escaped(path)


def escaped(path: bytes) -> str:
    """Return a path percent-escaped and marked as such."""
    return _ESCAPED + quote_from_bytes(path)


def text_of(name: bytes) -> str:
    """Return a name as text; bytes that are not text (then '%' too) are percent-escaped."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        text = name.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
        return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)


def is_named_like_image(image_id: str) -> bool:
    """Tell whether a file has the extension of an image, or none: it is taken at its word."""
    extension = os.path.splitext(image_id)[1].lower()  # noqa: PTH122 (no path of this machine)
    return not extension or extension in _extensions()


def begins_like_image(head: bytes) -> bool:
    """Tell whether a file's first bytes are those of an image."""
    signature = recognised(head)
    return signature is not None and signature.name not in _NOT_PICTURES


@cache
def _extensions() -> frozenset[str]:
    return frozenset(Image.registered_extensions()) - _EXTENSIONS_OF_OTHERS | _MORE_EXTENSIONS
