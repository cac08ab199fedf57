"""Files where they are: walking folders, naming what is found, reading it again later."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import quote_from_bytes, unquote_to_bytes

from PIL import Image

from lookalike.decoding_signatures import recognised
from lookalike.errors import ImageTooLarge, InvalidSource, Unreadable

_HEAD_BYTES = 1024
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


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is, or claims to be, an image."""

    image_id: str
    location: str
    byte_count: int
    modified_ns: int


@dataclass(slots=True)
class Walked:
    """What a walk came upon beside images: (image id, detail) it could not read, and ids of other files."""

    unreadable: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def checked(source: object) -> str | list[str]:
    """Return a source with absolute paths; raise InvalidSource unless all of it is there."""
    if isinstance(source, str) and source:
        return _checked_path(source)
    if isinstance(source, list) and source and all(isinstance(path, str) and path for path in source):
        return [_checked_path(path) for path in source]
    raise InvalidSource("A source is a path, or a list of paths that is not empty.")


def root_of(source: str | list[str]) -> str:
    """Return the folder that image ids are relative to: the source, or the common parent of several."""
    paths = [source] if isinstance(source, str) else source
    common = os.path.commonpath(paths)
    return common if Path(common).is_dir() else str(Path(common).parent)


def walk(source: str | list[str], walked: Walked, check: Callable[[], None]) -> Iterator[Found]:
    """Find image files, sorted within each folder; `check` is called for each folder.

    Hidden files and folders are passed over, unless named in the source; symbolic links are not followed, as
    the copy that they would show is no copy. A file with the extension of an image, or with none, is taken at
    its word; others only if they begin like an image.
    """
    root = os.fsencode(root_of(source))
    waiting = [os.fsencode(path) for path in reversed([source] if isinstance(source, str) else source)]
    seen: set[bytes] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not os.path.isdir(path):  # noqa: PTH112 (bytes: a name need not be text)
            yield from _found(path, root, walked)
            continue
        check()
        folders, files = _listed(path, root, walked)
        waiting += reversed(folders)
        for file in files:
            if file not in seen:
                seen.add(file)
                yield from _found(file, root, walked)


def read(location: str, max_bytes: int) -> bytes:
    """Return a file's bytes. Raises Unreadable, ImageTooLarge."""
    path = path_of(location)
    try:
        # Not blocking: whatever has been put in the file's place since (a pipe) must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor, not a path)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("It is not a regular file any more.")
            if status.st_size > max_bytes:
                raise ImageTooLarge(f"The file has {status.st_size:,} bytes; the limit is {max_bytes:,}.")
            return file.read(max_bytes + 1)
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror or error}.") from None


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
        return _ESCAPED + quote_from_bytes(path)


def image_id_of(path: bytes, root: bytes) -> str:
    """Return the path relative to the root; bytes that are not text (then '%' too) are percent-escaped."""
    relative = os.path.relpath(path, root)
    try:
        return relative.decode()
    except UnicodeDecodeError:
        text = relative.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
        return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)


def _checked_path(path: str) -> str:
    absolute = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 (no links resolved)
    if not Path(absolute).exists():
        raise InvalidSource(f"There is no file or folder {path!r}.")
    return absolute


def _listed(folder: bytes, root: bytes, walked: Walked) -> tuple[list[bytes], list[bytes]]:
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(b".") or entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.path)
    except OSError as error:
        walked.unreadable.append(
            (image_id_of(folder, root), f"The folder cannot be read: {error.strerror or error}.")
        )
    return sorted(folders), sorted(files)


def _found(path: bytes, root: bytes, walked: Walked) -> Iterator[Found]:
    try:
        status = os.stat(path)  # noqa: PTH116 (bytes)
    except OSError as error:
        walked.unreadable.append((image_id_of(path, root), f"The file cannot be read: {error.strerror}."))
        return
    if not _claims_to_be_image(path):
        walked.others.append(image_id_of(path, root))
        return
    yield Found(image_id_of(path, root), location_of(path), status.st_size, status.st_mtime_ns)


def is_image_name(name: str) -> bool:
    """Tell whether a file's name is one of an image: by its extension, or it has none."""
    extension = PurePosixPath(name).suffix.lower()
    return not extension or extension in _extensions()


def _claims_to_be_image(path: bytes) -> bool:
    extension = os.path.splitext(path)[1].lower().decode("ascii", "replace")  # noqa: PTH122 (bytes)
    if not extension or extension in _extensions():
        return True
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (bytes)
            signature = recognised(file.read(_HEAD_BYTES))
    except OSError:
        return False
    return signature is not None and signature.name not in _NOT_PICTURES


@cache
def _extensions() -> frozenset[str]:
    return frozenset(Image.registered_extensions()) - _EXTENSIONS_OF_OTHERS | _MORE_EXTENSIONS
