"""What goes where, before the first file is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lookalike.errors import Conflict, InvalidInput, Unavailable


class Way(StrEnum):
    """How a file gets to its new place."""

    COPY = "copy"
    LINK = "link"
    MOVE = "move"


@dataclass(frozen=True)
class Member:
    """One image of a group: where it is, and how many bytes it had when it was looked at."""

    image_id: str
    path: Path
    byte_count: int


@dataclass(frozen=True)
class Placement:
    """One file and its new place."""

    source: Path
    target: Path
    byte_count: int


def planned(groups: Sequence[Sequence[Member]], directory: Path) -> list[Placement]:
    """Return a place for every member: originals under originals/, the others under copies/<group>/."""
    width = max(4, len(str(len(groups))))
    placements = []
    for number, members in enumerate(groups, start=1):
        for position, member in enumerate(members):
            part = "originals" if position == 0 else f"copies/{number:0{width}}"
            target = directory / part / member.image_id
            placements.append(Placement(member.path, target, member.byte_count))
    return placements


def check_directory(directory: Path) -> None:
    """Raise unless directory can take the files: it is new or empty, and can be written to."""
    if directory.exists() and not directory.is_dir():
        raise InvalidInput(f"{directory} is a file: --organize needs a folder, new or empty.")
    if directory.exists() and any(directory.iterdir()):
        raise Conflict(f"{directory} is not empty: choose a new or empty folder. Nothing was changed.")
    if not os.access(_existing_parent(directory), os.W_OK | os.X_OK):
        raise Unavailable(f"{directory} cannot be written to: choose another folder or change its rights.")


def check(placements: Sequence[Placement], directory: Path, way: Way) -> None:
    """Raise before anything is done if the plan cannot be carried out as a whole."""
    for placement in placements:
        _check_source(placement, way)
    targets = {placement.target for placement in placements}
    if len(targets) < len(placements):
        raise Conflict("Two files would get the same place. Nothing was changed.")
    device = _existing_parent(directory).stat().st_dev
    elsewhere = [p for p in placements if p.source.stat().st_dev != device]
    if way is Way.LINK and elsewhere:
        raise Conflict(
            f"{elsewhere[0].source} is on another file system than {directory}, where hard links cannot go: "
            "use --copy, or a folder on the same file system. Nothing was changed."
        )
    to_write = placements if way is Way.COPY else elsewhere if way is Way.MOVE else []
    _check_space(sum(p.byte_count for p in to_write), directory)


def _check_source(placement: Placement, way: Way) -> None:
    source = placement.source
    try:
        byte_count = source.stat().st_size
    except OSError as error:
        raise Conflict(f"{source} is not there any more ({error.strerror}). Nothing was changed.") from error
    if byte_count != placement.byte_count:
        raise Conflict(f"{source} has changed since it was looked at: search again. Nothing was changed.")
    if way is Way.MOVE and source.is_symlink():
        raise Conflict(f"{source} is a symbolic link, and moving it could break it: use --copy.")
    if way is Way.MOVE and not os.access(source.parent, os.W_OK | os.X_OK):
        raise Conflict(f"{source} cannot be moved: its folder is read-only. Use --copy. Nothing was changed.")


def _check_space(needed: int, directory: Path) -> None:
    free = shutil.disk_usage(_existing_parent(directory)).free
    if needed > free:
        raise Conflict(
            f"{directory} has room for {free:,} bytes and {needed:,} are needed: make room, choose another "
            "folder, or use --link, which needs none. Nothing was changed."
        )


def _existing_parent(directory: Path) -> Path:
    path = directory.absolute()
    while not path.exists():
        path = path.parent
    return path
