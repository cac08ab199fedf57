"""Identifiers: time-ordered UUIDs for rows, and the rule for image ids."""

from __future__ import annotations

import os
import time
import uuid
from urllib.parse import urlsplit

from lookalike.errors import InvalidImageId


def new_id() -> uuid.UUID:
    """Return a UUID version 7 (RFC 9562, 6.2, method 3): newer ids sort later, and none can be guessed."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    # In steps of a quarter of a microsecond: what one process makes in turn sorts in turn.
    fraction = nanoseconds * 4096 // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64
    value |= 0b10 << 62 | int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
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


def image_id_of_url(url: str) -> str:
    """Return the image id of a picture on the web: its URL, as far as an image id may look like one.

    One slash after the scheme instead of two (`url_of_image_id` puts it back), no fragment; segments that an
    image id cannot have are percent-encoded. Raises InvalidImageId.
    """
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    segments = f"{parts.netloc}{parts.path or ''}{query}".split("/")
    told = [segment if segment not in ("", ".", "..") else _ENCODED[segment] for segment in segments]
    return checked_image_id(f"{parts.scheme.lower()}:/{'/'.join(told)}")


def url_of_image_id(image_id: str) -> str:
    """Return the URL that an image id was made of; other ids as they are."""
    scheme, separator, rest = image_id.partition(":/")
    return f"{scheme}://{rest}" if separator and scheme in ("http", "https") else image_id


_ENCODED = {"": "%2F", ".": "%2E", "..": "%2E%2E"}
