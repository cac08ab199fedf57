"""Identifiers: time-ordered UUIDs for rows, and the rule for image ids."""

from __future__ import annotations

import os
import time
import uuid

from lookalike.errors import InvalidImageId


def new_id() -> uuid.UUID:
    """Return a UUID version 7 (RFC 9562): newer ids sort later, and 74 random bits cannot be guessed."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def checked_image_id(image_id: str) -> str:
    """Return image_id as given, or raise InvalidImageId.

    Any Unicode but NUL (PostgreSQL cannot store it) and lone surrogates; at most 1,024 characters.
    """
    if "\0" in image_id or len(image_id) > 1024 or any(0xD800 <= ord(c) <= 0xDFFF for c in image_id):
        raise InvalidImageId("An image id is text of at most 1,024 characters without NUL.")
    if any(segment in ("", ".", "..") for segment in image_id.split("/")):
        raise InvalidImageId(
            f"The image id {image_id!r} is not usable: it must not be empty, start or end with '/', "
            "or have an empty, '.' or '..' segment."
        )
    return image_id
