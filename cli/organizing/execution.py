"""Carry a checked plan out, file by file. Nothing is ever written over, and no file is without a place."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.organizing.journal import Journal
from cli.organizing.plan import Placement, Way


@dataclass(frozen=True)
class Outcome:
    """How many files got to their new place, and what went wrong with the others."""

    done_count: int
    failures: list[str]


def carry_out(journal: Journal, advance: Callable[[], None] = lambda: None) -> Outcome:
    """Do what the journal's plan still asks for; a file that cannot be placed stays where it is."""
    done, failures = 0, []
    for number, placement in list(journal.open_placements()):
        try:
            place(placement, journal.way)
        except OSError as error:
            failures.append(f"{placement.source}: {error.strerror or error}")
            journal.append({"failed": number, "reason": failures[-1]})
        else:
            done += 1
            journal.append({"done": number})
        advance()
    journal.append({"finished": True, "failed": len(failures)})
    return Outcome(done, failures)


def place(placement: Placement, way: Way) -> None:
    """Copy, link or move one file. Doing it again after a crash ends in the same state."""
    if _is_there_already(placement):
        if way is Way.MOVE:
            _forget_source(placement)
        return
    placement.target.parent.mkdir(parents=True, exist_ok=True)
    if way is Way.LINK:
        os.link(placement.source.resolve(), placement.target)
    elif way is Way.MOVE and _same_file_system(placement):
        _rename(placement.source, placement.target)
    else:
        _copy(placement)
        if way is Way.MOVE:
            placement.source.unlink()


def _is_there_already(placement: Placement) -> bool:
    """Whether an earlier, interrupted run put the file there: a target appears only when it is complete."""
    if not os.path.lexists(placement.target):
        return False
    if placement.target.stat().st_size != placement.byte_count:
        raise FileExistsError(errno.EEXIST, f"{placement.target} exists and is another file")
    return True


def _forget_source(placement: Placement) -> None:
    if not placement.source.exists():
        return
    if not placement.source.samefile(placement.target) and not _same_bytes(placement):
        raise FileExistsError(errno.EEXIST, f"{placement.target} exists and is another file")
    placement.source.unlink()


def _same_bytes(placement: Placement) -> bool:
    with placement.source.open("rb") as source, placement.target.open("rb") as target:
        while chunk := source.read(1 << 20):
            if chunk != target.read(1 << 20):
                return False
        return not target.read(1)


def _same_file_system(placement: Placement) -> bool:
    return placement.source.stat().st_dev == placement.target.parent.stat().st_dev


def _copy(placement: Placement) -> None:
    """Copy beside the target, put it on the disk, then give it its name in one step."""
    part = placement.target.with_name(".lookalike.part")
    with placement.source.open("rb") as source, part.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    shutil.copystat(placement.source, part)
    _rename(part, placement.target)


def _rename(source: Path, target: Path) -> None:
    """Rename, but fail when the name is taken, where a plain rename would write over it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network shares know no hard links.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, f"{target} exists") from None
        source.rename(target)
    else:
        source.unlink()
