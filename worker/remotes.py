"""What lies at a URL, as a source: anything that fsspec opens, such as a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec.registry import known_implementations

from lookalike.errors import InvalidSource, Unreadable
from storage.sync import FoundFile
from worker.locations import Walked

# What tells one version of an object from another, the best first; by the names of the drivers.
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "generation"),
    *("mtime", "LastModified", "last_modified", "updated", "created"),
)


class Remote:
    """All that lies below a URL; image ids are relative to it."""

    is_sequential = False

    def __init__(self, url: str) -> None:
        """Raise InvalidSource if the URL cannot be used; nothing is asked of it yet."""
        self.name = repr(url)
        self._fs, root = filesystem(url)
        self._root = root.rstrip("/")

    @property
    def prefixes(self) -> list[str]:
        """The URL with a slash at its end, as the driver writes it."""
        return [self._location(f"{self._root}/")]

    def files(self, walked: Walked, check: Callable[[], None]) -> Iterator[FoundFile]:
        """List the files, folder by folder. Raises InvalidSource if the first cannot be listed."""
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            check()
            try:
                entries = sorted(self._fs.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
            except Exception as error:  # each driver has errors of its own
                detail = _told(error)
                if folder == self._root:
                    raise InvalidSource(f"The source {self.name} cannot be listed: {detail}") from None
                walked.unreadable.append((self._image_id(folder), f"The folder cannot be listed: {detail}"))
                continue
            folders = []
            for entry in entries:
                path = str(entry["name"]).rstrip("/")
                # Some list the folder itself, and a page of links may lead anywhere.
                if path == folder or not path.startswith(f"{self._root}/") or _is_hidden(path):
                    continue
                if entry["type"] == "directory":
                    folders.append(path)
                elif entry["type"] == "file":
                    byte_count = int(entry.get("size") or 0)
                    yield FoundFile(self._image_id(path), self._location(path), byte_count, stamp_of(entry))
            waiting += reversed(folders)

    def opened(self, files: list[FoundFile]) -> Iterator[tuple[FoundFile, BinaryIO]]:
        """Open files one after another; those that cannot be opened are left out."""
        for file in files:
            try:
                opened = self._fs.open(self._fs._strip_protocol(file.location), "rb")
            except Exception:  # each driver has errors of its own; reading it for its features tells which
                continue
            with opened:
                yield file, opened

    def _image_id(self, path: str) -> str:
        return path.removeprefix(f"{self._root}/")

    def _location(self, path: str) -> str:
        return str(self._fs.unstrip_protocol(path))


def is_url(source: str) -> bool:
    """Tell whether a source or location is a URL rather than a path."""
    return "://" in source


def checked_url(url: str) -> str:
    """Return a URL that means what it says and whose driver is there. Raises InvalidSource."""
    if "::" in url:
        raise InvalidSource("A URL that chains others ('::') cannot be imported.")
    if urlsplit(url).username is not None:
        raise InvalidSource("Leave credentials out of the URL: the server has its own, in its environment.")
    if ".." in unquote(url).split("/"):
        raise InvalidSource(f"The URL {url!r} leads upwards ('..').")
    filesystem(url)
    return url


def filesystem(url: str) -> tuple[Any, str]:
    """Return the driver of a URL and the path on it. Raises InvalidSource that names a missing package."""
    protocol = urlsplit(url).scheme.lower()
    if protocol not in known_implementations:
        raise InvalidSource(f"There is no driver for {protocol}:// URLs.")
    try:
        # What has been listed before must not be listed from memory now.
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError:
        advice = known_implementations[protocol].get("err", f"the driver of {protocol}:// is not installed")
        raise InvalidSource(f"{protocol}:// URLs need a package that is not installed: {advice}") from None
    except Exception as error:  # each driver has errors of its own
        raise InvalidSource(f"The URL {url!r} cannot be used: {_told(error)}") from None
    return fs, str(path)


def open_url(location: str) -> tuple[BinaryIO, int | None]:
    """Open what lies at a URL, and say how many bytes it has, if it does. Raises Unreadable."""
    try:
        fs, path = filesystem(location)
        file = fs.open(path, "rb")
    except InvalidSource as error:
        raise Unreadable(error.detail) from None
    except Exception as error:  # each driver has errors of its own
        raise Unreadable(f"The file cannot be read: {_told(error)}") from None
    return file, getattr(file, "size", None)


def stamp_of(entry: dict[str, Any]) -> int | None:
    """Return a number that is another one when the object is: of its ETag, else of its time of change."""
    value = next((entry[name] for name in _VERSIONS if entry.get(name)), None)
    if value is None:
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1e6) * 1000
    if isinstance(value, int | float):
        return round(value * 1e9)
    return int.from_bytes(sha256(str(value).encode()).digest()[:8], "big", signed=True)


def _is_hidden(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _told(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        # Object stores have no empty folders, and tell no more than the name.
        return "there is nothing"
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
