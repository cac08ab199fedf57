"""The files that a search looks at, and the ids they go by."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.report import ImageError
from lookalike.errors import InvalidImageId, InvalidInput
from lookalike.ids import checked_image_id


@dataclass(frozen=True)
class File:
    """One file found."""

    image_id: str
    path: Path
    byte_count: int
    modified_ns: int


@dataclass
class Folders:
    """The places named on the command line. Every regular file in them is tried, but hidden ones."""

    paths: Sequence[Path]
    against: Path | None = None
    # What could not even be listed; known once files() has run to its end.
    errors: list[ImageError] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Resolve what was named; raise InvalidInput if it is not there or cannot be read."""
        self._searched = [_resolved(path) for path in self.paths]
        self._reference = [_resolved(self.against)] if self.against else []
        roots = self._searched + self._reference
        self.roots = sorted({r for r in roots if not any(r.is_relative_to(o) and r != o for o in roots)})
        single = len(set(roots)) == 1 and roots[0].is_dir()
        self.parent = roots[0] if single else Path(os.path.commonpath([_folder(root) for root in roots]))

    @property
    def key(self) -> str:
        """What this set of places is known by, so that a second search continues the first."""
        named = [[os.fsencode(root).hex() for root in side] for side in (self.roots, [self.parent])]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join(image_id_of(root) for root in self.roots)

    def files(self) -> Iterator[File]:
        """Yield every file once, in the order of names."""
        seen: set[tuple[int, int]] = set()
        ids: set[str] = set()
        for root in self.roots:
            for path in _walk(root, self._unlisted):
                file = self._file(path, seen)
                if file and file.image_id not in ids:
                    # Only escaped ids can meet; a set of all would hold a million names.
                    if "%" in file.image_id:
                        ids.add(file.image_id)
                    yield file

    def is_searched(self, image_id: str) -> bool:
        """Whether an image is of PATH; where the places overlap, the inner one decides."""
        path = self.parent / image_id
        return _depth(path, self._searched) >= _depth(path, self._reference)

    def _file(self, path: Path, seen: set[tuple[int, int]]) -> File | None:
        relative = image_id_of(path.relative_to(self.parent))
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or self._is_known_elsewhere(path, status, seen):
                return None
            return File(checked_image_id(relative), path, status.st_size, status.st_mtime_ns)
        except InvalidImageId as error:
            self.errors.append(ImageError(relative, error.code, error.detail))
        except OSError as error:
            self.errors.append(ImageError(relative, "unreadable", error.strerror or str(error)))
        return None

    def _is_known_elsewhere(self, path: Path, status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
        """Whether this is another name of a file that is looked at anyway: it takes no room of its own."""
        if path.is_symlink():
            target = path.resolve()
            if any(target.is_relative_to(root) for root in self.roots):
                return True
        elif status.st_nlink == 1:
            return False
        identity = (status.st_dev, status.st_ino)
        known = identity in seen
        seen.add(identity)
        return known

    def _unlisted(self, error: OSError) -> None:
        path = Path(os.fsdecode(error.filename))
        relative = image_id_of(path.relative_to(self.parent)) if path != self.parent else "."
        self.errors.append(
            ImageError(relative, "unreadable", f"The folder cannot be read: {error.strerror}.")
        )


def image_id_of(path: Path) -> str:
    """Return a path as text: bytes that are no UTF-8 are percent-escaped."""
    raw = os.fsencode(path.as_posix())
    return raw.decode("utf-8", "surrogateescape").translate(_ESCAPES)


_ESCAPES = {0xDC00 + byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}


def _walk(root: Path, unlisted: Callable[[OSError], object]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for directory, folders, names in os.walk(root, onerror=unlisted):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))


def _resolved(path: Path) -> Path:
    try:
        resolved = path.expanduser().resolve(strict=True)
        status = resolved.stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(resolved).close()
        elif not stat.S_ISREG(status.st_mode):
            raise InvalidInput(f"{path} is neither a folder nor a file.")
    except FileNotFoundError:
        raise InvalidInput(f"There is no folder or file {path}.") from None
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{path} cannot be read: {reason}.") from None
    return resolved


def _folder(root: Path) -> Path:
    return root if root.is_dir() else root.parent


def _depth(path: Path, roots: Sequence[Path]) -> int:
    return max((len(root.parts) for root in roots if path.is_relative_to(root)), default=-1)
