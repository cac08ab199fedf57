"""Folders and files of this machine as a source. A listing opens nothing: names, sizes and times will do."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from lookalike.errors import InvalidSource, Unreadable
from storage.sync import FoundFile
from worker.locations import Walked, escaped, location_of, path_of, text_of


class Folders:
    """Some folders and files, with absolute paths; image ids are relative to the common parent of several."""

    is_sequential = False

    def __init__(self, paths: list[str]) -> None:
        """Raise InvalidSource if one of them is not there."""
        for path in paths:
            if not os.path.exists(path):  # noqa: PTH110 (as it was given)
                raise InvalidSource(f"There is no file or folder {path!r}.")
        self._paths = [os.fsencode(path) for path in paths]
        self._named = frozenset(self._paths)
        self._root = os.fsencode(root_of(paths))
        self.name = ", ".join(map(repr, paths[:3])) + (" …" if len(paths) > 3 else "")

    @property
    def prefixes(self) -> list[str]:
        """Each folder with a slash at its end, each file as it is; both as text and escaped."""
        found = []
        for path in self._paths:
            begin = path.rstrip(b"/") + b"/" if os.path.isdir(path) else path  # noqa: PTH112 (bytes)
            found += [location_of(begin), escaped(begin)]
        return found

    def files(self, walked: Walked, check: Callable[[], None]) -> Iterator[FoundFile]:
        """List files, sorted within each folder.

        Hidden ones are passed over, unless named in the source; symbolic links are not followed, as the copy
        that they would show is no copy.
        """
        waiting = self._paths[::-1]
        seen: set[bytes] = set()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            if not os.path.isdir(path):  # noqa: PTH112 (bytes: a name need not be text)
                yield from self._stated(path, walked)
                continue
            check()
            folders, files = self._listed(path, walked)
            waiting += sorted(folders, reverse=True)
            for entry in files:
                # Named in the source, and in a folder of it too.
                if entry.path in self._named:
                    if entry.path in seen:
                        continue
                    seen.add(entry.path)
                yield from self._found(entry, walked)

    def opened(self, files: list[FoundFile]) -> Iterator[tuple[FoundFile, BinaryIO]]:
        """Open files one after another; those that cannot be opened are left out."""
        for file in files:
            try:
                opened = open_file(file.location)
            except Unreadable:
                continue
            with opened:
                yield file, cast(BinaryIO, opened)

    def _listed(self, folder: bytes, walked: Walked) -> tuple[list[bytes], list[os.DirEntry[bytes]]]:
        folders, files = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(b"."):
                        continue
                    if entry.is_file(follow_symlinks=False):
                        files.append(entry)
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError as error:
            detail = f"The folder cannot be read: {error.strerror or error}."
            walked.unreadable.append((self._image_id(folder), detail))
        return folders, sorted(files, key=_name_of)

    def _found(self, entry: os.DirEntry[bytes], walked: Walked) -> Iterator[FoundFile]:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # Gone since the folder was read.
        except OSError as error:
            walked.unreadable.append((self._image_id(entry.path), _cannot_be_read(error)))
            return
        yield FoundFile(
            self._image_id(entry.path), location_of(entry.path), status.st_size, status.st_mtime_ns
        )

    def _stated(self, path: bytes, walked: Walked) -> Iterator[FoundFile]:
        try:
            status = os.stat(path)  # noqa: PTH116 (bytes)
        except OSError as error:
            walked.unreadable.append((self._image_id(path), _cannot_be_read(error)))
            return
        yield FoundFile(self._image_id(path), location_of(path), status.st_size, status.st_mtime_ns)

    def _image_id(self, path: bytes) -> str:
        return text_of(path[len(self._root.rstrip(b"/")) + 1 :] or b".")


def root_of(paths: list[str]) -> str:
    """Return the folder that image ids are relative to: the only path, or the common parent of several."""
    common = os.path.commonpath(paths)
    return common if Path(common).is_dir() else str(Path(common).parent)


def open_file(location: str, *, follows_links: bool = True) -> IO[bytes]:
    """Open a file of this machine for reading. Raises Unreadable."""
    try:
        # Not blocking: whatever has been put in the file's place since (a pipe) must not hold us up.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follows_links else os.O_NOFOLLOW)
        file = open(os.open(path_of(location), flags), "rb")  # noqa: PTH123, SIM115 (a descriptor)
    except OSError as error:
        raise Unreadable(_cannot_be_read(error)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unreadable("It is not a regular file any more.")
    return file


def _name_of(entry: os.DirEntry[bytes]) -> bytes:
    return entry.name


def _cannot_be_read(error: OSError) -> str:
    return f"The file cannot be read: {error.strerror or error}."
