"""The blob store: bytes by key, in a folder or in anything that fsspec opens."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

import fsspec

from lookalike.errors import ImageTooLarge, Unreadable

PIECE_BYTES = 1024 * 1024
SPOOL_BYTES = 4 * 1024 * 1024
INCOMING = "incoming"


@dataclass(frozen=True)
class Received:
    """Bytes that have arrived but are not kept yet. `file` may be read from its start."""

    sha256: bytes
    byte_count: int
    file: IO[bytes]
    # Where they lie alone in a file of the store's own disk: to keep them is to move it.
    path: Path | None = None


class Blobs:
    """A blob store at a path or URL. Contents are found by the SHA-256 of their bytes."""

    def __init__(self, url: str) -> None:
        """Take a path or an fsspec URL; a local folder is made when first written to."""
        self._fs, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._fs, fsspec.implementations.local.LocalFileSystem)

    @contextmanager
    def receiving(
        self, data: bytes | BinaryIO | Iterable[bytes], max_bytes: int | None = None
    ) -> Iterator[Received]:
        """Take bytes in and hash them, in memory up to 4 MiB. Raises ImageTooLarge as soon as they are."""
        digest, count = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as file:
            for piece in _pieces(data):
                count += len(piece)
                if max_bytes is not None and count > max_bytes:
                    raise ImageTooLarge(f"The image has more than {max_bytes:,} bytes.")
                digest.update(piece)
                file.write(piece)
            file.seek(0)
            yield Received(digest.digest(), count, file)

    def keep(self, received: Received) -> None:
        """Store what has been received, unless it is there.

        Call it while the transaction holds the content (contents.ensure): else somebody who removes the
        same bytes could come between the look and the commit.
        """
        key = content_key(received.sha256)
        if self._exists(key):
            return
        if received.path is not None:
            final = Path(self._path(key))
            final.parent.mkdir(parents=True, exist_ok=True)
            received.path.replace(final)
            return
        received.file.seek(0)
        self._write(key, received.file)

    @contextmanager
    def incoming(self) -> Iterator[Path | None]:
        """Give a folder for what arrives, emptied at the end; None if the store is not a folder itself."""
        if not self._is_local:
            yield None
            return
        parent = Path(self._path(INCOMING))
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def put_content(self, data: bytes | BinaryIO | Iterable[bytes]) -> tuple[bytes, int]:
        """Store bytes at once and return (sha256, byte_count). Uploads go through uploads.store instead."""
        with self.receiving(data) as received:
            self.keep(received)
            return received.sha256, received.byte_count

    def open_content(self, sha256: bytes) -> BinaryIO:
        """Open stored bytes for reading. Raises Unreadable if they are gone."""
        return self._open(content_key(sha256))

    def read_content(self, sha256: bytes) -> bytes:
        """Return stored bytes. Raises Unreadable if they are gone."""
        with self.open_content(sha256) as file:
            return file.read()

    def has_content(self, sha256: bytes) -> bool:
        """Tell whether the bytes are stored."""
        return self._exists(content_key(sha256))

    def delete_content(self, sha256: bytes) -> None:
        """Delete stored bytes; nothing happens if there are none."""
        self.delete(content_key(sha256))

    def put_proxies(self, key: str, data: bytes) -> None:
        """Store the proxies of one block under a key from proxies_key()."""
        self._write(key, io.BytesIO(data))

    def read(self, key: str) -> bytes:
        """Return a whole blob. Raises Unreadable if it is gone."""
        with self._open(key) as file:
            return file.read()

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Return length bytes from offset on. Raises Unreadable if they are gone."""
        with self._open(key) as file:
            file.seek(offset)
            return file.read(length)

    def free_bytes(self) -> int | None:
        """Return how much room is left, None if the store does not tell."""
        if not self._is_local:
            return None
        root = Path(self._root)
        root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(root).free

    def delete(self, key: str) -> None:
        """Delete a blob; nothing happens if there is none."""
        try:
            self._fs.rm_file(self._path(key))
        except FileNotFoundError:
            return

    def keys(self, prefix: str, before: datetime) -> Iterator[str]:
        """List blobs below a prefix that were written before a time, half-written ones of the dead too."""
        for path, facts in self._fs.find(self._path(prefix), detail=True).items():
            written = facts.get("mtime") or facts.get("LastModified") or facts.get("created")
            if isinstance(written, int | float):
                written = datetime.fromtimestamp(written, UTC)
            if (written or self._fs.modified(path)) < before:
                yield path.removeprefix(f"{self._root}/")

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _exists(self, key: str) -> bool:
        return bool(self._fs.exists(self._path(key)))

    def _open(self, key: str) -> BinaryIO:
        try:
            file: BinaryIO = self._fs.open(self._path(key), "rb")
        except FileNotFoundError:
            raise Unreadable(f"The stored bytes {key!r} are gone.") from None
        return file

    def _write(self, key: str, source: IO[bytes]) -> None:
        path = self._path(key)
        if not self._is_local:
            # Object stores show an object only when it is complete.
            with self._fs.open(path, "wb") as target:
                _copy(source, target)
            return
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
        try:
            with partial.open("wb") as target:
                _copy(source, target)
            partial.rename(final)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def content_key(sha256: bytes) -> str:
    """Return the key of content-addressed bytes: content/ab/cd/abcd…"""
    name = sha256.hex()
    return f"content/{name[:2]}/{name[2:4]}/{name}"


def proxies_key() -> str:
    """Return a new key for the proxies of one block."""
    name = uuid.uuid4().hex
    return f"proxies/{name[:2]}/{name}"


def _pieces(data: bytes | BinaryIO | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, bytes | bytearray | memoryview):
        return [bytes(data)]
    if hasattr(data, "read"):
        return iter(lambda: data.read(PIECE_BYTES), b"")
    return data


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(PIECE_BYTES):
        target.write(piece)
