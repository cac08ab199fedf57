"""The features of a job's images as one memory-mapped file beside the worker, built once on each machine."""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.features.record import FEATURES
from storage import contents
from storage.db import Database

_ROWS_AT_A_TIME = 20_000
_LOCK_SECONDS = 0.05
# A regrouping of an ended job may just be about to open what it has built.
KEPT_SECONDS = 600.0


def path_of(cache_dir: Path, job_id: uuid.UUID) -> Path:
    """Return where the features of a job are kept."""
    return cache_dir / f"features-{job_id}.npy"


def features(
    path: Path, database: Database, content_ids: Callable[[], NDArray[np.int64]], check: Callable[[], None]
) -> NDArray[np.void]:
    """Return the FEATURES of the contents, read-only and mapped; the first who asks builds the file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock"), check):
            if not path.exists():
                _build(path, database, content_ids(), check)
    mapped: NDArray[np.void] = np.load(path, mmap_mode="r")
    return mapped


def remove_ended(cache_dir: Path, unfinished: Callable[[list[uuid.UUID]], Collection[uuid.UUID]]) -> int:
    """Delete the files of jobs that have ended, and return how many."""
    old = (
        path for path in cache_dir.glob("features-*.npy") if time.time() - path.stat().st_mtime > KEPT_SECONDS
    )
    found = {uuid.UUID(path.stem.removeprefix("features-")): path for path in old}
    if not found:
        return 0
    wanted = unfinished(list(found))
    for job_id, path in found.items():
        if job_id not in wanted:
            # Who has it mapped keeps it until the end.
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
    return len(found) - len(wanted)


def _build(path: Path, database: Database, content_ids: NDArray[np.int64], check: Callable[[], None]) -> None:
    partial = path.with_suffix(".partial")
    if not len(content_ids):
        with partial.open("wb") as file:
            np.save(file, np.empty(0, FEATURES))
        partial.replace(path)
        return
    built = np.lib.format.open_memmap(partial, "w+", FEATURES, (len(content_ids),))
    with database.reading() as session:
        for start in range(0, len(content_ids), _ROWS_AT_A_TIME):
            check()
            part = content_ids[start : start + _ROWS_AT_A_TIME]
            built[start : start + len(part)] = contents.load_features(session, part)
    built.flush()
    del built
    partial.replace(path)


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
