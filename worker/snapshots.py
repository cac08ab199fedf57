"""The features of a job's images: rows of the files that are kept for its context (worker.feature_files).

The first shard of a job on a machine adds what is missing, from packed rows of SQL, and notes which rows are
the job's; all others map what is there.
"""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.columns import Columns
from lookalike.sorted_sets import holds, union
from lookalike.version import EXTRACTOR_VERSION
from storage import arrays, contents
from storage.db import Session
from worker import feature_files
from worker.feature_files import PROOF, Check, FeatureFiles
from worker.tools import Tools

Integers = NDArray[np.int64]

# For how long what nobody wants any more is kept, and a job's list of rows that nobody reads.
KEPT_SECONDS = 600.0
# Few enough that memory is used again, not asked of the system anew.
_ROWS_AT_A_TIME = 4_000
_PROVEN = 16
# Rows that no image has any more: beyond as many as are wanted, and these, the files are begun anew.
_MOST_UNWANTED = 10_000
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def path_of(cache_dir: Path, context_id: uuid.UUID) -> Path:
    """Return where the features of a context are kept."""
    return cache_dir / f"features-{context_id}-{EXTRACTOR_VERSION}"


@contextmanager
def features(
    tools: Tools, context_id: uuid.UUID, key: str, content_ids: Callable[[], Integers], check: Check
) -> Iterator[Columns]:
    """Give the features of contents of a context, in their order: read-only, mapped, and kept meanwhile.

    The same key means the same contents. `check` is called between the steps and may raise.
    """
    path = path_of(tools.cache_dir, context_id)
    with ExitStack() as stack:
        while True:
            files = stack.enter_context(feature_files.used(path, check))
            rows = files.rows(key)
            if rows is None:
                with files.growing(check):
                    # While we waited somebody may have done it, or begun anew.
                    rows = files.rows(key)
                    if rows is None and files.is_current():
                        rows = _rows(files, tools, key, content_ids(), check)
            if rows is not None:
                break
            stack.close()
        yield files.columns()[rows]


def trim(cache_dir: Path, most_bytes: int) -> int:
    """Delete files that nobody uses, least recently used first, until all take no more than most_bytes."""
    found = sorted((_used_at(path), path) for path in _folders(cache_dir))
    sizes = {path: _byte_count(path) for _, path in found}
    total, count = sum(sizes.values()), 0
    for _, path in found:
        if total <= most_bytes:
            break
        if feature_files.remove_unused(path):
            total -= sizes[path]
            count += 1
    return count


def remove_unwanted(
    cache_dir: Path, existing: Callable[[list[uuid.UUID]], Collection[uuid.UUID]], most_bytes: int
) -> int:
    """Delete the files of contexts that are gone and of other versions, and trim; return how many."""
    found = {path: _context_of(path) for path in _folders(cache_dir)}
    wanted = existing([context_id for context_id in found.values() if context_id is not None])
    count = 0
    for path, context_id in found.items():
        feature_files.remove_rows(path, KEPT_SECONDS)
        if context_id not in wanted and time.time() - _used_at(path) > KEPT_SECONDS:
            count += feature_files.remove_unused(path)
    return count + trim(cache_dir, most_bytes)


def _rows(
    files: FeatureFiles, tools: Tools, key: str, wanted: Integers, check: Check
) -> NDArray[np.int32] | None:
    """Return the rows of contents, added where they are missing; None if the files must be begun anew."""
    known = files.contents()
    with tools.database.reading() as session:
        is_sparse = len(known) > 2 * len(wanted) + _MOST_UNWANTED and not files.are_read(KEPT_SECONDS)
        if is_sparse or not _is_proven(session, files):
            files.set_aside()
            return None
        ordered = np.sort(known)
        missing = np.sort(wanted[~holds(ordered, wanted)])
        if len(missing):
            files.save_proof(_proof(session, union(files.proof()["content"], missing)))
            _append(files, tools, session, missing, check)
            known = np.concatenate([known, missing])
    order = np.argsort(known, kind="stable")
    rows = order[np.searchsorted(known[order], wanted)].astype(np.int32)
    files.save_rows(key, rows)
    return rows


def _append(files: FeatureFiles, tools: Tools, session: Session, missing: Integers, check: Check) -> None:
    def parts() -> Iterator[Columns]:
        for ids in arrays.parts(missing, _ROWS_AT_A_TIME):
            check()
            yield Columns.of(contents.load_features(session, ids))

    try:
        files.append(missing, parts())
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        trim(tools.cache_dir, 0)
        try:
            files.append(missing, parts())
        except OSError as again:
            told = f"There is no room for the features of {len(missing):,} images, about 4 KB each"
            raise OSError(again.errno, told, str(tools.cache_dir)) from again
    trim(tools.cache_dir, tools.cache_bytes)


def _is_proven(session: Session, files: FeatureFiles) -> bool:
    """Tell whether the files were made from this database as it is.

    One that was restored from a backup gives ids anew, to other bytes, in the order in which it gave them
    before; so the highest contents that were seen would be others or missing.
    """
    proof = files.proof()
    if not len(proof):
        return not len(files.contents())
    now = contents.sha256s(session, proof["content"])
    seen = {int(content): sha256.tobytes() for content, sha256 in proof}
    return bool(now) and all(seen[content] == sha256 for content, sha256 in now.items())


def _proof(session: Session, content_ids: Integers) -> NDArray[np.void]:
    now = contents.sha256s(session, content_ids[-_PROVEN:])
    proof = np.empty(len(now), PROOF)
    proof["content"] = list(now)
    proof["sha256"] = np.frombuffer(b"".join(now.values()), np.uint8).reshape(-1, 32)
    return proof


def _folders(cache_dir: Path) -> list[Path]:
    return [path for path in cache_dir.glob("features-*") if path.is_dir()]


def _context_of(path: Path) -> uuid.UUID | None:
    """Return whose features of this version are kept at a path; None if nobody wants what is there."""
    try:
        context_id = uuid.UUID(path.name.removeprefix("features-")[:36])
    except ValueError:
        return None
    return context_id if path == path_of(path.parent, context_id) else None


def _used_at(path: Path) -> float:
    """Return when a folder was last taken into use: 0 if it has just gone."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _byte_count(path: Path) -> int:
    """Return what a folder takes on the disk: 0 if it has just gone."""
    total = 0
    with suppress(FileNotFoundError):
        for file in path.iterdir():
            total += file.stat().st_blocks * 512
    return total
