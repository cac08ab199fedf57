"""The chunks of a PNG: checksums that Pillow skips, and pictures whose extras alone are broken."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from lookalike.errors import CorruptImage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What is needed for the first picture; the rest is text, colour profiles and further frames.
_ESSENTIAL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def is_png(data: bytes) -> bool:
    """Tell whether the bytes begin like a PNG."""
    return data.startswith(_SIGNATURE)


def check(data: bytes) -> None:
    """Raise CorruptImage if a chunk of picture data does not fit its checksum."""
    for kind, start, end in _chunks(data):
        if kind != b"IDAT" or end > len(data):
            continue  # the decoder tells whether what was cut off is missed
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise CorruptImage("The image is damaged: a checksum of its picture data is wrong.")


def without_extras(data: bytes) -> bytes:
    """Return the same PNG with only what its picture needs."""
    kept = [data[start:end] for kind, start, end in _chunks(data) if kind in _ESSENTIAL_CHUNKS]
    return b"".join([_SIGNATURE, *kept])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk up to the picture's end."""
    start = len(_SIGNATURE)
    while len(kind := data[start + 4 : start + 8]) == 4:
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end
