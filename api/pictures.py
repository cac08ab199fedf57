"""Pictures as HTTP answers: kinds that browsers may show, names that are safe, nothing that runs."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from PIL import Image

from lookalike.decoding_signatures import recognised
from storage.blobs import Blobs
from storage.images import STORED
from storage.models import Image as ImageRow
from worker import sources
from worker.folders import open_file

PIECE_BYTES = 256 * 1024
_HEAD_BYTES = 1024
# What browsers show by themselves; the rest is offered as a download.
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
_OTHER_MEDIA_TYPES = {
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "JPEG2000": "image/jp2",
    "ICO": "image/x-icon",
}
_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


def original(request: Request, blobs: Blobs, image: ImageRow, max_bytes: int) -> Response:
    """Return the bytes of an image as they are."""
    file, tag = _opened(blobs, image, max_bytes)
    return _answer(request, file, tag, image.image_id)


def stored(request: Request, blobs: Blobs, sha256: bytes, name: str) -> Response:
    """Return stored bytes as a file of this name."""
    return _answer(request, blobs.open_content(sha256), f'"{sha256.hex()}"', name)


def _answer(request: Request, file: IO[bytes], tag: str, name: str) -> Response:
    headers = {**_SAFE, "ETag": tag, "Cache-Control": "private, no-cache"}
    if _is_known(request, tag):
        file.close()
        return Response(status_code=304, headers=headers)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    media_type, is_shown = _kind(head)
    headers["Content-Disposition"] = disposition(name, is_shown=is_shown)
    headers["Content-Length"] = str(file.seek(0, os.SEEK_END))
    file.seek(0)
    return StreamingResponse(_pieces(file), headers=headers, media_type=media_type)


def thumbnail(request: Request, proxy: bytes, tag: str, size: int) -> Response:
    """Return a proxy as JPEG, no side longer than size."""
    headers = {**_SAFE, "ETag": tag, "Cache-Control": "private, max-age=86400"}
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(_shrunk(proxy, size), headers=headers, media_type="image/jpeg")


def disposition(image_id: str, *, is_shown: bool) -> str:
    """Return a Content-Disposition with the last part of an image id, in ASCII and in full."""
    name = "".join(c if c.isprintable() else "_" for c in image_id.rpartition("/")[2])
    # Clients that read no more than this take it up to the first blank or quote.
    plain = "".join(c if c.isascii() and c not in "\"'\\% " else "_" for c in name)
    kind = "inline" if is_shown else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _opened(blobs: Blobs, image: ImageRow, max_bytes: int) -> tuple[IO[bytes], str]:
    if image.source == STORED and image.content is not None:
        sha256 = image.content.sha256
        return blobs.open_content(sha256), f'"{sha256.hex()}"'
    location = image.location or ""
    if not sources.is_file_here(location):
        data = sources.read(location, max_bytes)
        return io.BytesIO(data), f'"{hashlib.sha256(data).hexdigest()}"'
    file = open_file(location, follows_links=False)
    status = os.fstat(file.fileno())
    # The file may have changed since it was imported: its tag is its own.
    return file, f'"{status.st_size:x}-{status.st_mtime_ns:x}"'


def _kind(head: bytes) -> tuple[str, bool]:
    """Judge by the bytes, not by what anybody says of them: SVG and HTML must not be shown."""
    signature = recognised(head)
    name = signature.name if signature else ""
    if name in _MEDIA_TYPES:
        return _MEDIA_TYPES[name], True
    return _OTHER_MEDIA_TYPES.get(name, "application/octet-stream"), False


def _is_known(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in known.split(",")]


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _shrunk(proxy: bytes, size: int) -> bytes:
    with Image.open(io.BytesIO(proxy)) as picture:
        if max(picture.size) <= size:
            return proxy
        picture.draft("RGB", (size, size))
        picture.thumbnail((size, size))
        target = io.BytesIO()
        picture.convert("RGB").save(target, "JPEG", quality=85)
        return target.getvalue()
