"""Progress on a terminal's standard error; silence in a pipe."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

POLL_SECONDS = 0.1

T = TypeVar("T")

STAGES = {
    "import": "Listing files",
    "extract": "Looking at images",
    "join": "Comparing",
    "verify": "Checking pairs",
    "group": "Grouping",
}


class StageProgress(Protocol):
    """What is shown of a stage."""

    name: str
    state: str
    done: int
    total: int | None


class Bars:
    """One line for each stage of the work."""

    def __init__(self) -> None:
        """Draw only where somebody looks."""
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal clean."""
        self._progress.stop()

    def show(self, stages: Iterable[StageProgress]) -> None:
        """Show how far the stages are."""
        for stage in stages:
            if stage.state != "pending":
                self._show(stage.name, stage.done, stage.total)

    def _show(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(STAGES.get(name, name), total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)


def poll(look: Callable[[], T | None], patience_seconds: float = math.inf) -> T | None:
    """Look again and again until there is something, or patience ends."""
    deadline = time.monotonic() + patience_seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found
