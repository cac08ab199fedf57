"""Where images come from: folders and files, URLs, archives. What they list, and reading it again later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lookalike.errors import ImageTooLarge, InvalidSource, Unreadable
from worker import archives, remotes
from worker.archives import Archive
from worker.folders import Folders, open_file
from worker.locations import Source
from worker.remotes import Remote


def checked(source: object) -> str | list[str]:
    """Return a source with absolute paths; raise InvalidSource unless all of it is there."""
    if isinstance(source, str) and source:
        return remotes.checked_url(source) if remotes.is_url(source) else _checked_path(source)
    if isinstance(source, list) and source and all(isinstance(path, str) and path for path in source):
        return [_checked_path(path) for path in source]
    raise InvalidSource("A source is a path or a URL, or a list of paths that is not empty.")


def source_of(source: str | list[str]) -> Source:
    """Return a source to list and read. Raises InvalidSource if it is not there."""
    if isinstance(source, list):
        return Folders(source)
    if archives.is_archive(source) and not Path(source).is_dir():
        return Archive(source)
    return Remote(source) if remotes.is_url(source) else Folders([source])


def read(location: str, max_bytes: int) -> bytes:
    """Return the bytes at a location. Raises Unreadable, ImageTooLarge."""
    with opened(location) as (file, byte_count):
        if byte_count is not None and byte_count > max_bytes:
            raise ImageTooLarge(f"The file has {byte_count:,} bytes; the limit is {max_bytes:,}.")
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise Unreadable(f"The file cannot be read: {error.strerror or error}.") from None
    if len(data) > max_bytes:
        raise ImageTooLarge(f"The file has more than {max_bytes:,} bytes, which is the limit.")
    return data


@contextmanager
def opened(location: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open what lies at a location, and say how many bytes it has, if it does. Raises Unreadable."""
    if location.startswith(archives.SCHEME):
        with archives.reading(location) as found:
            yield found
    elif remotes.is_url(location):
        remote, byte_count = remotes.open_url(location)
        with remote:
            yield remote, byte_count
    else:
        with open_file(location) as file:
            yield file, os.fstat(file.fileno()).st_size


def is_file_here(location: str) -> bool:
    """Tell whether a location is a file of this machine."""
    return not location.startswith(archives.SCHEME) and not remotes.is_url(location)


def _checked_path(path: str) -> str:
    absolute = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 (no links resolved)
    if not Path(absolute).exists():
        raise InvalidSource(f"There is no file or folder {path!r}.")
    return absolute
