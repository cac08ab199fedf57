"""Archives as sources: zip and tar, also compressed. Nothing is ever unpacked to a path.

A member's name is only an id. Links and devices are passed over, what is encrypted is told of, and what grows
beyond all measure is refused. A tar that is compressed as a whole can only be read from its beginning, so its
images are copied; of the others each image is read where it is.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast
from urllib.parse import quote, unquote

from lookalike.errors import InvalidSource, Unreadable
from storage.sync import FoundFile
from worker import remotes
from worker.folders import open_file
from worker.locations import Walked

SCHEME = "archive:"
_MEMBER = "!/"
ZIPS = (".zip", ".cbz")
TARS = (".tar", ".cbt")
COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.zst", ".tzst")
EXTENSIONS = (*ZIPS, *TARS, *COMPRESSED_TARS)
# Pictures are compressed already: what is so much larger inside was made to harm.
MOST_EXPANSION = 200
SMALL_BYTES = 256 * 1024**2
_ENCRYPTED = 0x1
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
)


class _Member(NamedTuple):
    name: str
    byte_count: int
    stamp: int
    detail: str | None
    # A zipfile.ZipInfo or a tarfile.TarInfo.
    entry: Any


class Archive:
    """The files in an archive at a path or a URL; image ids are the names of its members."""

    def __init__(self, source: str) -> None:
        """Raise InvalidSource if it is no archive that can be read."""
        self.name = repr(source)
        self._base = source
        self.is_sequential = source.lower().endswith(COMPRESSED_TARS)
        self._is_zip = source.lower().endswith(ZIPS)

    @property
    def prefixes(self) -> list[str]:
        """The archive itself, and the mark that its members' names follow."""
        return [_location(self._base, "")]

    def files(self, walked: Walked, check: Callable[[], None]) -> Iterator[FoundFile]:
        """List the members that are files. Raises InvalidSource for one that cannot be read, or is a bomb."""
        found: dict[str, FoundFile] = {}
        try:
            with _opened(self._base) as (file, byte_count):
                limit = max(SMALL_BYTES, MOST_EXPANSION * byte_count)
                total = 0
                for number, member in enumerate(self._members(file, byte_count, limit)):
                    if number % 1000 == 0:
                        check()
                    total += member.byte_count
                    if total > limit:
                        raise InvalidSource(_bomb(self.name))
                    if _is_passed_over(member.name):
                        continue
                    if member.detail is not None:
                        walked.unreadable.append((member.name, member.detail))
                        continue
                    # Of members with one name the last counts, as when it is unpacked.
                    found[member.name] = FoundFile(
                        member.name, _location(self._base, member.name), member.byte_count, member.stamp
                    )
        except _BROKEN as error:
            raise InvalidSource(f"The archive {self.name} cannot be read: {_told(error)}") from None
        yield from found.values()

    def opened(self, files: list[FoundFile]) -> Iterator[tuple[FoundFile, BinaryIO]]:
        """Open members in the order in which they lie; those that cannot be opened are left out."""
        wanted = {file.image_id: file for file in files}
        with _opened(self._base) as (file, byte_count), ExitStack() as stack:
            limit = max(SMALL_BYTES, MOST_EXPANSION * byte_count)
            if self._is_zip:
                archive = stack.enter_context(zipfile.ZipFile(file))
                for name in wanted:
                    try:
                        opened = archive.open(name)
                    except (*_BROKEN, KeyError, RuntimeError):
                        continue
                    with opened:
                        yield wanted[name], cast(BinaryIO, opened)
                return
            tar = stack.enter_context(self._tar(file, limit))
            for entry in tar:
                name = _plain(entry.name)
                if entry.isreg() and name in wanted and (extracted := tar.extractfile(entry)) is not None:
                    with extracted:
                        yield wanted[name], cast(BinaryIO, extracted)

    def _members(self, file: BinaryIO, byte_count: int, limit: int) -> Iterator[_Member]:
        if self._is_zip:
            with zipfile.ZipFile(file) as archive:
                yield from (_zipped(info) for info in archive.infolist() if not info.is_dir())
            return
        version = str((byte_count, _changed_at(self._base)))
        with self._tar(file, limit) as tar:
            for entry in tar:
                # Links could show what lies outside, devices are no files.
                if entry.isreg():
                    yield _tarred(entry, version)

    def _tar(self, file: BinaryIO, limit: int) -> tarfile.TarFile:
        if not self.is_sequential:
            return tarfile.open(fileobj=file, mode="r:")
        plain = cast(IO[bytes], _Limited(_decompressed(file), limit, self.name))
        return tarfile.open(fileobj=plain, mode="r|")


class _Limited:
    """Decompressed bytes, up to a limit."""

    def __init__(self, file: IO[bytes], limit: int, name: str) -> None:
        self._file, self._left, self._name = file, limit, name

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise InvalidSource(_bomb(self._name))
        return data


def is_archive(source: str) -> bool:
    """Tell whether a path or URL is called like an archive."""
    return source.lower().endswith(EXTENSIONS)


@contextmanager
def reading(location: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a member where it is, and say how many bytes it has. Raises Unreadable."""
    base, _, name = location.removeprefix(SCHEME).rpartition(_MEMBER)
    base, name = unquote(base), unquote(name)
    try:
        with ExitStack() as stack:
            if base.lower().endswith(ZIPS):
                file, byte_count = _zip_member(base, name, stack)
            else:
                file, byte_count = _tar_member(base, name, stack)
            yield file, byte_count
    except InvalidSource as error:
        raise Unreadable(error.detail) from None
    except KeyError:
        raise Unreadable(f"The archive {base!r} has no {name!r} any more.") from None
    except (*_BROKEN, RuntimeError) as error:
        raise Unreadable(f"It cannot be read from the archive {base!r}: {_told(error)}") from None


def _zip_member(base: str, name: str, stack: ExitStack) -> tuple[IO[bytes], int]:
    archive = _zip_of(base, _changed_at(base))
    return stack.enter_context(archive.open(name)), archive.getinfo(name).file_size


def _tar_member(base: str, name: str, stack: ExitStack) -> tuple[IO[bytes], int]:
    offset, byte_count = _places_of(base, _changed_at(base))[name]
    file, _ = stack.enter_context(_opened(base))
    file.seek(offset)
    return io.BytesIO(file.read(byte_count)), byte_count


# The listing of an archive is read once in each process, not once for each image; until it changes.
@lru_cache(maxsize=2)
def _zip_of(base: str, changed_at: object) -> zipfile.ZipFile:
    # Stays open as long as it is known.
    return zipfile.ZipFile(remotes.open_url(base)[0] if remotes.is_url(base) else base)


@lru_cache(maxsize=2)
def _places_of(base: str, changed_at: object) -> dict[str, tuple[int, int]]:
    with _opened(base) as (file, _), tarfile.open(fileobj=file, mode="r:") as tar:
        return {_plain(entry.name): (entry.offset_data, entry.size) for entry in tar if entry.isreg()}


@contextmanager
def _opened(base: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open an archive, and say how many bytes it has. Raises InvalidSource."""
    try:
        if remotes.is_url(base):
            file, byte_count = remotes.open_url(base)
        else:
            file, byte_count = cast(BinaryIO, open_file(base)), Path(base).stat().st_size
    except Unreadable as error:
        raise InvalidSource(f"The archive {base!r} cannot be opened. {error.detail}") from None
    with file:
        yield file, byte_count or 0


def _changed_at(base: str) -> object:
    """Return what is another when the archive is."""
    if remotes.is_url(base):
        fs, path = remotes.filesystem(base)
        return remotes.stamp_of(fs.info(path))
    status = Path(base).stat()
    return status.st_size, status.st_mtime_ns


def _decompressed(file: BinaryIO) -> IO[bytes]:
    import bz2
    import gzip
    import lzma

    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if head.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(file))
    if head.startswith(b"\xfd7zXZ"):
        return cast(IO[bytes], lzma.LZMAFile(file))
    raise tarfile.ReadError("it is not compressed as gzip, bzip2 or xz")


def _zipped(info: zipfile.ZipInfo) -> _Member:
    detail = "It is encrypted." if info.flag_bits & _ENCRYPTED else None
    if stat.S_ISLNK(info.external_attr >> 16):
        # As in folders: passed over.
        return _Member(".link", 0, 0, None, info)
    stamp = _stamp(info.CRC, info.file_size, info.date_time)
    return _Member(_plain(info.filename), info.file_size, stamp, detail, info)


def _tarred(entry: tarfile.TarInfo, version: str) -> _Member:
    detail = "It is stored with holes." if entry.issparse() else None
    # Times in a tar are whole seconds, and often all the same: with the archive, all its members are new.
    return _Member(_plain(entry.name), entry.size, _stamp(entry.mtime, entry.size, version), detail, entry)


def _stamp(*facts: object) -> int:
    return int.from_bytes(sha256(repr(facts).encode()).digest()[:8], "big", signed=True)


def _plain(name: str) -> str:
    while name.startswith("./"):
        name = name[2:]
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_passed_over(name: str) -> bool:
    """Hidden files, and the second halves of files that macOS puts into archives."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part not in (".", "..") for part in parts)


def _location(base: str, name: str) -> str:
    return f"{SCHEME}{quote(base, safe='/:')}{_MEMBER}{quote(name)}"


def _bomb(name: str) -> str:
    return f"The archive {name} would grow to more than {MOST_EXPANSION} times its size: it is not read."


def _told(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
