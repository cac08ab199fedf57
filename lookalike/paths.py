"""Paths in a client's storage: names of rows, not of places on a disk, so that nothing climbs out."""

from __future__ import annotations

from lookalike.errors import InvalidInput

# As much as an index of PostgreSQL can hold beside the names of client and storage.
MOST_BYTES = 2048


class InvalidPath(InvalidInput):
    """A path in the storage is text without '.' and '..' segments."""

    code = "invalid_path"


def checked_path(path: str) -> str:
    """Return a path without slashes at its ends, empty for the root. Raises InvalidPath."""
    plain = path.strip("/")
    if "\0" in plain or len(plain.encode(errors="replace")) > MOST_BYTES or not _is_text(plain):
        raise InvalidPath(f"A path is text of at most {MOST_BYTES:,} bytes without NUL.")
    if plain and any(segment in ("", ".", "..") for segment in plain.split("/")):
        raise InvalidPath(f"The path {path!r} has an empty, '.' or '..' segment.")
    return plain


def joined(folder: str, path: str) -> str:
    """Return a path below a folder, each of which may be empty. Raises InvalidPath."""
    return "/".join(part for part in (checked_path(folder), checked_path(path)) if part)


def ancestors(path: str) -> list[str]:
    """Return the folders that a path lies in, the root left out."""
    segments = path.split("/")
    return ["/".join(segments[:count]) for count in range(1, len(segments))]


def name_of(path: str) -> str:
    """Return the last segment of a path."""
    return path.rpartition("/")[2]


def _is_text(value: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
