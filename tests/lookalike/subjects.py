"""Drawn pictures as subjects of comparison."""

from __future__ import annotations

from PIL import Image

from lookalike.features.extraction import extract
from lookalike.verification.subject import Prepared, Subject, prepare
from tests.pictures import jpeg


def prepared(picture: bytes | Image.Image) -> Prepared:
    """Extract and prepare a file, or a picture as a fresh JPEG."""
    data = picture if isinstance(picture, bytes) else jpeg(picture)
    extracted = extract(data)
    return prepare(Subject(extracted.record, extracted.proxy, lambda: data, len(data)))
