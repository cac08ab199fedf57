"""The record of what --organize meant to do and has done, so that a crash in the middle loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.organizing.plan import Placement, Way

NAME = "lookalike-journal.jsonl"


@dataclass
class Journal:
    """One JSON object a line: first the whole plan, then each file as it is done, then the end."""

    path: Path
    way: Way
    placements: Sequence[Placement]
    done: set[int] = field(default_factory=set)
    is_finished: bool = False

    def write_plan(self) -> None:
        """Write the plan and wait until it is on the disk: only then may a file be touched."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("x", encoding="ascii") as file:
            file.write(_line({"way": self.way, "file_count": len(self.placements)}))
            for placement in self.placements:
                file.write(_line(_as_json(placement)))
            file.flush()
            os.fsync(file.fileno())

    def append(self, entry: dict[str, Any]) -> None:
        """Add what has happened."""
        with self.path.open("a", encoding="ascii") as file:
            file.write(_line(entry))

    def end_line(self) -> None:
        """End the line that a crash may have cut, so that the next one begins at its beginning."""
        with self.path.open("a", encoding="ascii") as file:
            file.write("\n")

    def open_placements(self) -> Iterator[tuple[int, Placement]]:
        """Yield what is still to be done, with its number in the plan."""
        return ((n, p) for n, p in enumerate(self.placements) if n not in self.done)


def unfinished(directory: Path) -> Journal | None:
    """Return the journal of a run that stopped in the middle, if directory holds one."""
    path = directory / NAME
    try:
        entries = list(_entries(path))
    except FileNotFoundError:
        return None
    if not entries or len(entries) <= entries[0]["file_count"]:
        path.unlink()  # It stopped while writing the plan: no file was touched.
        return None
    journal = _read(path, entries)
    if journal.is_finished:
        return None
    journal.end_line()
    return journal


def _read(path: Path, entries: list[dict[str, Any]]) -> Journal:
    count = entries[0]["file_count"]
    placements = [Placement(Path(e["from"]), Path(e["to"]), e["bytes"]) for e in entries[1 : count + 1]]
    events = entries[count + 1 :]
    done = {event["done"] for event in events if "done" in event}
    return Journal(path, Way(entries[0]["way"]), placements, done, any("finished" in e for e in events))


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="ascii").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # The line that was being written when the power went.
            continue


def _as_json(placement: Placement) -> dict[str, Any]:
    source = os.fspath(placement.source.absolute())
    return {"from": source, "to": os.fspath(placement.target.absolute()), "bytes": placement.byte_count}


def _line(entry: dict[str, Any]) -> str:
    # ASCII, so that file names that are not text survive as escapes.
    return json.dumps(entry, ensure_ascii=True) + "\n"
