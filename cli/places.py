"""The places named on the command line."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from lookalike.errors import InvalidInput


class Places:
    """What is searched, and what it is held against; the walk itself belongs to the import stage."""

    def __init__(self, paths: Sequence[Path], against: Path | None = None) -> None:
        """Raise InvalidInput if one of the places is not there or cannot be read."""
        self.searched = [_checked(path) for path in paths]
        self.reference = [_checked(against)] if against else []

    @property
    def source(self) -> list[str]:
        """The places as the source of an import, each once."""
        return sorted({os.fspath(path) for path in [*self.searched, *self.reference]})

    @property
    def key(self) -> str:
        """What this set of places is known by, so that a second search continues the first."""
        return hashlib.sha256(b"\0".join(map(os.fsencode, self.source))).hexdigest()

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join(self.source).encode("utf-8", "replace").decode()[:200]

    def is_searched(self, path: Path) -> bool:
        """Whether a file is of PATH and not of --against; where they overlap, the inner place decides."""
        return _depth(path, self.searched) >= _depth(path, self.reference)


def _checked(path: Path) -> Path:
    absolute = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 (links are kept, '..' is not)
    try:
        mode = absolute.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(absolute).close()
        elif not stat.S_ISREG(mode):
            raise InvalidInput(f"{path} is neither a folder nor a file.")
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"There is no folder or file {path}.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    return absolute


def _depth(path: Path, roots: Sequence[Path]) -> int:
    return max((len(root.parts) for root in roots if path.is_relative_to(root)), default=-1)
