"""The features of a context as memory-mapped files beside the worker, kept from job to job.

A folder has one file a column, so that a shard of the join touches only what it reads:

    hashes, coarse, plain, local    the columns of lookalike.columns, row by row (coarse in pieces of rows)
    contents                        which content each row is of: what is listed here is there in all others
    proof                           the hashes of the highest contents, by which a database is known again
    rows-JOB.npy                    the rows of one job's contents, in its order

Rows are only added. Features belong to bytes and to the version of the extractor, and the folder is named
after the version, so a row is never out of date; what has left the context is in no later job's rows. The
list of contents is written last: a process that is killed before it leaves rows that nobody counts, and the
next one writes over them. Whoever mapped the files before sees what he saw.

The folder is its own lock. Who uses it holds it shared, who deletes it needs it for himself, and the system
lets go of both when a process ends, however it ends. Who adds rows holds the file `growing` besides.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import HASH_COUNT, PLAIN, Columns
from lookalike.features.record import HASH_BYTES
from lookalike.local.record import LOCAL

Integers = NDArray[np.int64]
Check = Callable[[], None]

PROOF = np.dtype([("content", "<i8"), ("sha256", "u1", (32,))])
PIECE = 4096
"""Rows of which the coarse hashes lie together, hash by hash."""
_ROW_SHAPES: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
    "hashes": (np.dtype(np.uint8), (HASH_COUNT, HASH_BYTES)),
    "plain": (PLAIN, ()),
    "local": (LOCAL, ()),
}
_WORD = np.dtype("<u8")
_ID = np.dtype("<i8")
_LOCK_SECONDS = 0.05
_ASIDE = ".aside"


class FeatureFiles:
    """A folder in use. It stays this one even if another takes its place: files are opened inside it."""

    def __init__(self, path: Path, folder: int) -> None:
        self._path, self._folder = path, folder

    def contents(self) -> Integers:
        """Return the content of each row."""
        with suppress(FileNotFoundError), self._open("contents", os.O_RDONLY) as file:
            data = file.read()
            return np.frombuffer(data, _ID, len(data) // _ID.itemsize).astype(np.int64)
        return np.empty(0, np.int64)

    def columns(self) -> Columns:
        """Return all rows, mapped and read-only."""
        with suppress(FileNotFoundError), self._open("contents", os.O_RDONLY) as file:
            if count := os.fstat(file.fileno()).st_size // _ID.itemsize:
                columns = {
                    name: self._mapped(name, dtype, (count, *shape))
                    for name, (dtype, shape) in _ROW_SHAPES.items()
                }
                coarse = self._mapped("coarse", _WORD, (-(-count // PIECE), HASH_COUNT, PIECE))
                return Columns(coarse=coarse, **columns)
        return Columns(
            coarse=np.empty((0, HASH_COUNT, PIECE), np.uint64),
            **{name: np.empty((0, *shape), dtype) for name, (dtype, shape) in _ROW_SHAPES.items()},
        )

    def append(self, content_ids: Integers, parts: Iterator[Columns]) -> None:
        """Add a row for each content; the parts have them in this order. For who holds `growing`."""
        first = row = len(self.contents())
        with ExitStack() as stack:
            flags = os.O_RDWR | os.O_CREAT
            files = {name: stack.enter_context(self._open(name, flags)) for name in (*_ROW_SHAPES, "coarse")}
            for part in parts:
                for name, (dtype, shape) in _ROW_SHAPES.items():
                    files[name].seek(row * dtype.itemsize * int(np.prod(shape)))
                    files[name].write(np.ascontiguousarray(getattr(part, name)).view(np.uint8).data)
                _write_coarse(files["coarse"], part.coarse[0], row)
                row += len(part)
            for file in files.values():
                # A machine that loses its power must not list what never reached the disk.
                file.flush()
                os.fsync(file.fileno())
        with self._open("contents", os.O_WRONLY | os.O_CREAT) as file:
            file.seek(first * _ID.itemsize)
            file.write(content_ids.astype(_ID).tobytes())

    def rows(self, key: str) -> NDArray[np.int32] | None:
        """Return the rows that were saved under a key, None if there are none."""
        with suppress(FileNotFoundError), self._open(_rows_name(key), os.O_RDONLY) as file:
            os.utime(file.fileno())
            found: NDArray[np.int32] = np.load(file)
            return found
        return None

    def save_rows(self, key: str, rows: NDArray[np.int32]) -> None:
        """Save rows under a key."""
        self._replace(_rows_name(key), lambda file: np.save(file, rows))

    def are_read(self, seconds: float) -> bool:
        """Tell whether somebody has taken a list of rows up in the last seconds."""
        with os.scandir(self._folder) as found:
            lists = [file for file in found if file.name.startswith("rows-")]
            return any(time.time() - file.stat().st_mtime < seconds for file in lists)

    def proof(self) -> NDArray[np.void]:
        """Return PROOF of the highest contents."""
        with suppress(FileNotFoundError), self._open("proof", os.O_RDONLY) as file:
            found: NDArray[np.void] = np.frombuffer(file.read(), PROOF)
            return found
        return np.empty(0, PROOF)

    def save_proof(self, proof: NDArray[np.void]) -> None:
        """Put another proof in the place of the last."""
        self._replace("proof", lambda file: file.write(proof.tobytes()))

    @contextmanager
    def growing(self, check: Check) -> Iterator[None]:
        """Wait until nobody else adds rows, and let nobody do it meanwhile."""
        with self._open("growing", os.O_RDWR | os.O_CREAT) as file:
            _wait_for(file.fileno(), fcntl.LOCK_EX, check)
            yield

    def is_current(self) -> bool:
        """Tell whether this is the folder that others find now."""
        return _is_at(self._path, self._folder)

    def set_aside(self) -> None:
        """Let the next who comes begin with an empty folder; who uses this one may go on."""
        with suppress(FileNotFoundError):
            self._path.rename(self._path.with_name(f"{self._path.name}-{uuid.uuid4().hex[:8]}{_ASIDE}"))

    def _open(self, name: str, flags: int) -> IO[bytes]:
        mode = "rb" if flags == os.O_RDONLY else "r+b"
        return os.fdopen(os.open(name, flags, 0o666, dir_fd=self._folder), mode)

    def _mapped(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        with self._open(name, os.O_RDONLY) as file:
            return np.memmap(file, dtype, "r", shape=shape).view(np.ndarray)

    def _replace(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        partial = f"{name}.partial"
        with self._open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as file:
            write(file)
        os.replace(partial, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)


@contextmanager
def used(path: Path, check: Check) -> Iterator[FeatureFiles]:
    """Use the folder at a path, made now if there is none: nobody deletes it meanwhile."""
    while True:
        path.mkdir(parents=True, exist_ok=True)
        with _descriptor(path) as folder:
            if folder is not None:
                _wait_for(folder, fcntl.LOCK_SH, check)
                if _is_at(path, folder):
                    os.utime(folder)
                    yield FeatureFiles(path, folder)
                    return


def remove_unused(path: Path) -> bool:
    """Delete a folder unless somebody uses it; tell whether it is gone."""
    with _descriptor(path) as folder:
        if folder is None:
            return True
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if _is_at(path, folder):
            shutil.rmtree(path, ignore_errors=True)
        return True


def remove_rows(path: Path, kept_seconds: float) -> None:
    """Delete the lists of rows that nobody has used for so long; who wants one again makes it again."""
    for rows in path.glob(_rows_name("*")):
        with suppress(FileNotFoundError):
            if time.time() - rows.stat().st_mtime > kept_seconds:
                rows.unlink()


def is_aside(path: Path) -> bool:
    """Tell whether a folder was set aside."""
    return path.suffix == _ASIDE


def _rows_name(key: str) -> str:
    return f"rows-{key}.npy"


def _write_coarse(file: IO[bytes], coarse: NDArray[np.uint64], first: int) -> None:
    """Write coarse hashes (HASH_COUNT, n) of rows from first on, and make room for whole pieces."""
    end = first + coarse.shape[1]
    file.truncate(
        max(os.fstat(file.fileno()).st_size, -(-end // PIECE) * PIECE * HASH_COUNT * _WORD.itemsize)
    )
    for start in range(first - first % PIECE, end, PIECE):
        low, high = max(start, first), min(start + PIECE, end)
        for kind, words in enumerate(coarse[:, low - first : high - first]):
            file.seek(((start // PIECE * HASH_COUNT + kind) * PIECE + low - start) * _WORD.itemsize)
            file.write(words.astype(_WORD).tobytes())


@contextmanager
def _descriptor(path: Path) -> Iterator[int | None]:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _is_at(path: Path, folder: int) -> bool:
    """Tell whether a path still leads to the folder that was opened."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(folder))
    return False


def _wait_for(descriptor: int, kind: int, check: Check) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            check()
            time.sleep(_LOCK_SECONDS)
        else:
            return
