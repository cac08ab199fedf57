"""Uploads as they stream in: hashed and put down piece by piece, never a whole file in memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lookalike.errors import ImageTooLarge, InvalidInput, LookalikeError
from storage.blobs import Blobs, Received

PIECE_BYTES = 1024 * 1024
SPOOL_BYTES = 4 * 1024 * 1024
MOST_FILES = 10_000
MOST_FIELD_BYTES = 16 * 1024
MOST_UPLOAD_BYTES = 8 * 1024**3
# What a refused client may still send before its answer: most only listen when they have sent all.
DRAINED_BYTES = 64 * 1024 * 1024


class BadForm(InvalidInput):
    """The body is not multipart/form-data as it should be."""

    code = "bad_form"


class UploadTooLarge(ImageTooLarge):
    """The upload is over the limit; send its files in several."""

    code = "upload_too_large"


@dataclass(frozen=True)
class ReceivedFile:
    """One file of an upload, its name as the client gave it."""

    field: str
    name: str
    received: Received


@dataclass
class Form:
    """The fields and files of an upload, in their order."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[ReceivedFile] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [value for field_name, value in self.fields if field_name == name]


@asynccontextmanager
async def form(
    request: Request, max_bytes: int, blobs: Blobs | None = None, *, all_are_files: bool = False
) -> AsyncIterator[Form]:
    """Receive multipart/form-data; its files can be read while the context lasts.

    With `all_are_files`, parts without a file name are files too, and an empty body is a form without parts.
    With `blobs`, files are put down where the store can take them over without another copy.
    Raises ImageTooLarge as soon as a file has more than max_bytes, BadForm.
    """
    with (
        tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool,
        blobs.incoming() if blobs else nullcontext() as folder,
    ):
        receiver = _FormReceiver(_boundary(request), spool, folder, max_bytes, all_are_files)
        try:
            await _received(request, receiver.write)
            yield receiver.finished()
        finally:
            receiver.close()


@asynccontextmanager
async def body(request: Request, max_bytes: int) -> AsyncIterator[Received]:
    """Receive a raw body as one file. Raises ImageTooLarge as soon as it has more than max_bytes."""
    if "expect" in request.headers and int(request.headers.get("content-length", 0)) > max_bytes:
        # The client waits for our word before it sends anything.
        raise _too_large("The body", max_bytes)
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        part = _FilePart("", "The body", spool, max_bytes)
        await _received(request, part.write)
        yield part.finished().received


async def _received(request: Request, write: Any) -> None:
    """Hand the body on in pieces of a megabyte, in a thread: hashing and disk must not hold up the others."""
    total, held, waiting = 0, 0, list[bytes]()
    stream = request.stream()
    try:
        async for chunk in stream:
            total += len(chunk)
            if total > MOST_UPLOAD_BYTES:
                raise UploadTooLarge(f"An upload has at most {MOST_UPLOAD_BYTES:,} bytes; send several.")
            waiting.append(chunk)
            held += len(chunk)
            if held >= PIECE_BYTES:
                await run_in_threadpool(write, b"".join(waiting))
                waiting, held = [], 0
        await run_in_threadpool(write, b"".join(waiting))
    except LookalikeError:
        await drain(stream)
        raise
    except FormParserError:
        raise BadForm("The body is not valid multipart/form-data.") from None


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read what a refused client still sends, up to a limit, or it may never see its answer."""
    count = 0
    try:
        async for chunk in stream:
            count += len(chunk)
            if count > DRAINED_BYTES:
                return
    except ClientDisconnect:
        return


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadForm("Send multipart/form-data with a boundary.")
    return options[b"boundary"]


class _FilePart:
    """A file that arrives: appended to the spool that all files of a request share, and hashed."""

    def __init__(
        self, field: str, name: str, spool: IO[bytes], max_bytes: int, path: Path | None = None
    ) -> None:
        self._field, self._name, self._path = field, name, path
        self._spool = path.open("wb") if path else spool
        self._start, self._count = self._spool.tell(), 0
        self._digest, self._max_bytes = sha256(), max_bytes

    def write(self, data: bytes | memoryview) -> None:
        self._count += len(data)
        if self._count > self._max_bytes:
            raise _too_large(self._name, self._max_bytes)
        self._digest.update(data)
        self._spool.write(data)

    def finished(self) -> ReceivedFile:
        self.close()
        section = _Section(self._path or self._spool, self._start, self._count)
        received = Received(self._digest.digest(), self._count, io.BufferedReader(section), self._path)
        return ReceivedFile(self._field, self._name, received)

    def close(self) -> None:
        # The spool belongs to the request.
        if self._path:
            self._spool.close()


class _FieldPart:
    """A field that arrives."""

    def __init__(self, name: str) -> None:
        self.name, self._data = name, bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self._data += data
        if len(self._data) > MOST_FIELD_BYTES:
            raise BadForm(f"The field {self.name!r} has more than {MOST_FIELD_BYTES:,} bytes.")

    def value(self) -> str:
        try:
            return self._data.decode()
        except UnicodeDecodeError:
            raise BadForm(f"The field {self.name!r} is not UTF-8.") from None


class _FormReceiver:
    """Puts the parts of a form together as the parser finds them."""

    def __init__(
        self,
        boundary: bytes,
        spool: IO[bytes],
        folder: Path | None,
        max_bytes: int,
        all_are_files: bool = False,
    ) -> None:
        self._form, self._spool, self._folder, self._max_bytes = Form(), spool, folder, max_bytes
        self._all_are_files = all_are_files
        self._part: _FilePart | _FieldPart | None = None
        self._disposition, self._header, self._value = b"", b"", b""
        self._is_complete, self._is_empty = False, True
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._add_header,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": lambda data, start, end: self._write(memoryview(data)[start:end]),
                    "on_part_end": self._close_part,
                    "on_end": self._complete,
                },
            )
        except FormParserError:
            raise BadForm("The boundary is too long.") from None

    def write(self, data: bytes) -> None:
        if data:
            self._is_empty = False
            self._parser.write(data)

    def close(self) -> None:
        """Close the file of a part that did not end."""
        if isinstance(self._part, _FilePart):
            self._part.close()

    def finished(self) -> Form:
        if not self._is_complete and not (self._all_are_files and self._is_empty):
            raise BadForm("The body ends before its last boundary.")
        return self._form

    def _begin(self) -> None:
        self._disposition = b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options and not self._all_are_files:
            raise BadForm("Each part has a Content-Disposition with a name.")
        if len(self._form.files) + len(self._form.fields) >= 2 * MOST_FILES:
            raise BadForm(f"An upload has at most {MOST_FILES:,} files; send several.")
        name = _text(options.get(b"name", b""))
        if b"filename" in options or self._all_are_files:
            path = self._folder / str(len(self._form.files)) if self._folder else None
            self._part = _FilePart(
                name, _text(options.get(b"filename", b"")), self._spool, self._max_bytes, path
            )
        else:
            self._part = _FieldPart(name)

    def _write(self, data: memoryview) -> None:
        assert self._part is not None
        self._part.write(data)

    def _close_part(self) -> None:
        if isinstance(self._part, _FilePart):
            self._form.files.append(self._part.finished())
        elif self._part is not None:
            self._form.fields.append((self._part.name, self._part.value()))
        self._part = None

    def _complete(self) -> None:
        self._is_complete = True


class _Section(io.RawIOBase):
    """A part of a file that can be read on its own; one given by its path is only open while it is read."""

    def __init__(self, file: IO[bytes] | Path, start: int, length: int) -> None:
        self._file, self._start, self._length, self._place = file, start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._length - self._place))
        opened = self._file.open("rb") if isinstance(self._file, Path) else nullcontext(self._file)
        with opened as file:
            file.seek(self._start + self._place)
            buffer[:count] = file.read(count)
        self._place += count
        return count


def _text(data: bytes) -> str:
    """Decode a name; bytes that are not text, and then '%' too, are percent-escaped."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        text = data.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
        return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)


def _too_large(name: str, max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"{name} has more than {max_bytes:,} bytes.")
