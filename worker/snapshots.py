"""The features of a job's images as memory-mapped files beside the worker, built once on each machine.

One file a column, so that a shard of the join touches only what it reads: of a million images each hash is
32 MB, where the whole records are 4 GB.
"""

from __future__ import annotations

import fcntl
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import Columns
from lookalike.features.record import FEATURES
from storage import contents
from storage.db import Database

# Few enough that memory is used again, not asked of the system anew.
_ROWS_AT_A_TIME = 4_000
_LOCK_SECONDS = 0.05
_NAMES = ("hashes", "coarse", "plain", "local")
# A regrouping of an ended job may just be about to open what it has built.
KEPT_SECONDS = 600.0


def path_of(cache_dir: Path, job_id: uuid.UUID) -> Path:
    """Return where the features of a job are kept."""
    return cache_dir / f"features-{job_id}"


def features(
    path: Path, database: Database, content_ids: Callable[[], NDArray[np.int64]], check: Callable[[], None]
) -> Columns:
    """Return the features of the contents, read-only and mapped; the first who asks builds the files."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock"), check):
            if not path.exists():
                _build(path, database, content_ids(), check)
    return Columns(**{name: np.load(path / f"{name}.npy", mmap_mode="r") for name in _NAMES})


def remove_ended(cache_dir: Path, unfinished: Callable[[list[uuid.UUID]], Collection[uuid.UUID]]) -> int:
    """Delete the files of jobs that have ended, and return how many."""
    old = (
        path
        for path in cache_dir.glob("features-*")
        if not path.suffix and time.time() - path.stat().st_mtime > KEPT_SECONDS
    )
    found = {uuid.UUID(path.name.removeprefix("features-")): path for path in old}
    if not found:
        return 0
    wanted = unfinished(list(found))
    for job_id, path in found.items():
        if job_id not in wanted:
            # Who has it mapped keeps it until the end.
            remove(path)
    return len(found) - len(wanted)


def remove(path: Path) -> None:
    """Delete what is kept at a path."""
    shutil.rmtree(path, ignore_errors=True)
    path.with_suffix(".lock").unlink(missing_ok=True)


def _build(path: Path, database: Database, content_ids: NDArray[np.int64], check: Callable[[], None]) -> None:
    partial = path.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with ExitStack() as stack, database.reading() as session:
        columns = {name: _Column(stack, partial / f"{name}.npy", len(content_ids)) for name in _NAMES}
        for start in range(0, max(1, len(content_ids)), _ROWS_AT_A_TIME):
            check()
            ids = content_ids[start : start + _ROWS_AT_A_TIME]
            part = Columns.of(contents.load_features(session, ids) if len(ids) else np.empty(0, FEATURES))
            for name, column in columns.items():
                column.write(getattr(part, name), start)
    partial.replace(path)


class _Column:
    """A .npy file that is written in parts. Written, not mapped: what is mapped counts as memory taken."""

    def __init__(self, stack: ExitStack, path: Path, row_count: int) -> None:
        self._file: BinaryIO = stack.enter_context(path.open("wb"))
        self._row_count = row_count
        self._begins: int | None = None

    def write(self, part: NDArray[Any], start: int) -> None:
        """Write the rows from start on: of the last but one axis of hashes, the last axis of all others."""
        # By kind, then by row.
        kinds = part if part.ndim > 1 else part[None]
        if self._begins is None:
            shape = (self._row_count,) if part.ndim == 1 else (len(kinds), self._row_count, *part.shape[2:])
            about = {
                "descr": np.lib.format.dtype_to_descr(part.dtype),
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_1_0(self._file, about)
            self._begins = self._file.tell()
        row_bytes = kinds[0].nbytes // max(1, kinds.shape[1])
        for number, rows in enumerate(kinds):
            self._file.seek(self._begins + (number * self._row_count + start) * row_bytes)
            self._file.write(np.ascontiguousarray(rows).view(np.uint8).data)


@contextmanager
def _locked(path: Path, check: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check()
                time.sleep(_LOCK_SECONDS)
        yield
