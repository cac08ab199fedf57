"""Features kept from job to job: right whoever adds, dies, removes or restores meanwhile."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update

from lookalike.columns import HASH_COUNT, Columns
from lookalike.features.record import FEATURES
from lookalike.version import EXTRACTOR_VERSION
from storage import contents, contexts
from storage.blobs import Blobs
from storage.db import Database
from storage.models import FeatureBlock
from storage.settings import Settings
from tests.racing import race
from worker import feature_files, snapshots
from worker.tools import Tools, make_tools

Integers = NDArray[np.int64]


@pytest.fixture
def tools(sqlite_database: Database, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    # A few rows reach over the edges of pieces and of what is written at a time.
    monkeypatch.setattr(feature_files, "PIECE", 4)
    monkeypatch.setattr(snapshots, "_ROWS_AT_A_TIME", 3)
    return make_tools(Settings.load(data_dir=tmp_path), database=sqlite_database, blobs=blobs)


@pytest.fixture
def context_id(tools: Tools) -> uuid.UUID:
    with tools.database.transaction() as session:
        return contexts.create(session, name="kept").id


def record(name: int) -> np.ndarray:
    """Features that no other name has, in every column."""
    random = np.random.default_rng(name)
    return np.frombuffer(random.bytes(FEATURES.itemsize), FEATURES)


def extracted(database: Database, names: Iterable[int]) -> Integers:
    """Store contents with features, and return their ids in the order of the names."""
    ids = []
    with database.transaction() as session:
        for name in names:
            content = contents.ensure(session, hashlib.sha256(f"{name}".encode()).digest(), 10)
            block = record(name), f"proxies/{name}", [content.id], ["JPEG"], EXTRACTOR_VERSION
            contents.store_block(session, *block)
            ids.append(content.id)
    return np.array(ids, np.int64)


@contextmanager
def reading(
    tools: Tools, context_id: uuid.UUID, wanted: Integers, key: str | None = None
) -> Iterator[Columns]:
    with snapshots.features(
        tools, context_id, key or uuid.uuid4().hex, lambda: wanted, lambda: None
    ) as features:
        yield features


def is_of(features: Columns, names: Iterable[int]) -> bool:
    expected = Columns.of(np.concatenate([np.empty(0, FEATURES), *map(record, names)]))
    images = np.arange(len(expected))
    return len(features) == len(expected) and all(
        (
            all(
                np.array_equal(features.hashes_of(k, images), expected.hashes_of(k, images))
                for k in range(HASH_COUNT)
            ),
            all(
                np.array_equal(features.coarse_of(k, images), expected.coarse_of(k, images))
                for k in range(HASH_COUNT)
            ),
            features.plain_of(images).tobytes() == expected.plain_of(images).tobytes(),
            features.local_of(images).tobytes() == expected.local_of(images).tobytes(),
        )
    )


def test_each_job_has_its_own_rows_whatever_came_and_went_before(tools: Tools, context_id: uuid.UUID) -> None:
    ids = extracted(tools.database, range(40))
    random = np.random.default_rng(0)
    for count in (0, 1, 7, 23, 5, 40, 0, 12):
        names = random.permutation(40)[:count]
        with reading(tools, context_id, ids[names]) as features:
            assert is_of(features, names)
            assert is_of(features[2:5], names[2:5])
            assert is_of(features.take(np.arange(count)[::-2]), names[::-2])
            assert is_of(features[1:].and_then(features[:1]), [*names[1:], *names[:1]])


def test_what_is_kept_is_not_read_again(tools: Tools, context_id: uuid.UUID) -> None:
    old, new = extracted(tools.database, range(10)), extracted(tools.database, range(10, 13))
    with reading(tools, context_id, old):
        pass
    with tools.database.transaction() as session:
        # Nobody could make anything of the old features any more.
        session.execute(update(FeatureBlock).where(FeatureBlock.id <= 10).values(data=b""))
    with reading(tools, context_id, np.concatenate([old[3:], new])) as features:
        assert is_of(features, range(3, 13))


def test_two_jobs_at_different_revisions_read_side_by_side(tools: Tools, context_id: uuid.UUID) -> None:
    ids = extracted(tools.database, range(12))
    with reading(tools, context_id, ids[:8], "earlier") as earlier:
        with reading(tools, context_id, ids[5:], "later") as later:
            assert is_of(later, range(5, 12))
        assert is_of(earlier, range(8))
    with reading(tools, context_id, ids[:8], "earlier") as earlier:
        assert is_of(earlier, range(8))


def _add(data_dir: Path, url: str, context_id: uuid.UUID, wanted: Integers, killed_at: int | None) -> None:
    """Read features in a process of its own, which kills itself when it has so often asked to go on."""
    feature_files.PIECE, snapshots._ROWS_AT_A_TIME = 4, 3
    tools = make_tools(Settings.load(data_dir=data_dir, database_url=url))
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with snapshots.features(tools, context_id, uuid.uuid4().hex, lambda: wanted, check):
        pass


def test_processes_add_at_once_and_one_that_is_killed_leaves_nothing_half_done(
    tools: Tools, context_id: uuid.UUID, tmp_path: Path
) -> None:
    ids = extracted(tools.database, range(30))
    with reading(tools, context_id, ids[:5]):
        pass
    spawned = multiprocessing.get_context("spawn")
    url = str(tools.database.url)
    adding = [
        spawned.Process(target=_add, args=(tmp_path, url, context_id, wanted, killed_at))
        for wanted, killed_at in ((ids[:20], 2), (ids[10:], None))
    ]
    for process in adding:
        process.start()
    for process in adding:
        process.join()
    assert [process.exitcode for process in adding] == [-signal.SIGKILL, 0]
    with reading(tools, context_id, ids) as features:
        assert is_of(features, range(30))


def test_who_dies_between_rows_and_list_is_written_over(tools: Tools, context_id: uuid.UUID) -> None:
    ids = extracted(tools.database, range(20))
    with reading(tools, context_id, ids[:6]):
        pass
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        snapshots.features(tools, context_id, "broken off", lambda: ids[:20], check),
    ):
        pass
    with reading(tools, context_id, ids[[7, 2, 19, 5, 11]]) as features:
        assert is_of(features, [7, 2, 19, 5, 11])


def test_threads_that_want_the_same_and_others_all_get_it(tools: Tools, context_id: uuid.UUID) -> None:
    ids = extracted(tools.database, range(25))

    def read(first: int) -> None:
        with reading(tools, context_id, ids[first:], f"from {first}") as features:
            assert is_of(features, range(first, 25))

    assert not race(read, [0, 0, 3, 3, 9, 14])


def test_a_database_restored_from_a_backup_is_told_from_the_one_the_files_are_of(
    tools: Tools, context_id: uuid.UUID, tmp_path: Path, sqlite_url: str
) -> None:
    extracted(tools.database, range(5))
    tools.database.dispose()
    backup = tmp_path / "backup"
    shutil.copyfile(tools.database.url.database or "", backup)
    later = extracted(tools.database, range(5, 9))
    with reading(tools, context_id, later) as features:
        assert is_of(features, range(5, 9))
    tools.database.dispose()
    for ending in ("-wal", "-shm"):
        Path(f"{tools.database.url.database}{ending}").unlink(missing_ok=True)
    shutil.copyfile(backup, tools.database.url.database or "")
    others = extracted(tools.database, range(105, 109))
    assert others.tolist() == later.tolist()
    with reading(tools, context_id, others) as features:
        assert is_of(features, range(105, 109))


def test_files_with_little_use_left_are_begun_anew(
    tools: Tools, context_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_MOST_UNWANTED", 2)
    ids = extracted(tools.database, range(20))
    path = snapshots.path_of(tools.cache_dir, context_id)
    with reading(tools, context_id, ids):
        # Not while another job may be reading them.
        with reading(tools, context_id, ids[:3]) as features:
            assert is_of(features, range(3))
        assert (path / "contents").stat().st_size == 20 * 8
    monkeypatch.setattr(snapshots, "KEPT_SECONDS", 0.0)
    with reading(tools, context_id, ids[1:4]) as features:
        assert is_of(features, range(1, 4))
    assert (path / "contents").stat().st_size == 3 * 8


def test_the_least_recently_used_go_first_and_what_is_in_use_stays(tools: Tools) -> None:
    ids = extracted(tools.database, range(6))
    with tools.database.transaction() as session:
        some = [contexts.create(session, name=f"{number}").id for number in range(4)]
    paths = [snapshots.path_of(tools.cache_dir, each) for each in some]
    for age, (each, path) in enumerate(zip(some, paths, strict=True)):
        with reading(tools, each, ids):
            pass
        os.utime(path, (0, time.time() - 1000 + age))
    one = sum(file.stat().st_blocks * 512 for file in paths[0].iterdir())
    with reading(tools, some[0], ids, "at work") as features:
        os.utime(paths[0], (0, 0))
        assert snapshots.trim(tools.cache_dir, 2 * one + one // 2) == 2
        assert [path.exists() for path in paths] == [True, False, False, True]
        assert snapshots.trim(tools.cache_dir, 0) == 1
        assert is_of(features, range(6))
    assert snapshots.trim(tools.cache_dir, 0) == 1
    with reading(tools, some[0], ids) as features:
        assert is_of(features, range(6))


def test_what_nobody_wants_any_more_is_cleaned_away(
    tools: Tools, context_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = extracted(tools.database, range(3))
    gone = uuid.uuid4()
    for each in (context_id, gone):
        with reading(tools, each, ids, "list"):
            pass
    kept = snapshots.path_of(tools.cache_dir, context_id)
    earlier = kept.with_name(f"features-{context_id}-{EXTRACTOR_VERSION - 1}")
    shutil.copytree(kept, earlier)

    def clean() -> int:
        with tools.database.reading() as session:
            return snapshots.remove_unwanted(
                tools.cache_dir, lambda found: contexts.existing(session, found), tools.cache_bytes
            )

    assert clean() == 0
    monkeypatch.setattr(snapshots, "KEPT_SECONDS", -1.0)
    assert clean() == 2
    assert [path.name for path in tools.cache_dir.iterdir()] == [kept.name]
    assert not list(kept.glob("rows-*"))
    with reading(tools, context_id, ids, "list") as features:
        assert is_of(features, range(3))


def test_a_full_disk_takes_what_nobody_uses_and_else_is_told(
    tools: Tools, context_id: uuid.UUID, tmp_path: Path
) -> None:
    ids = extracted(tools.database, range(200))
    other = snapshots.path_of(tools.cache_dir, uuid.uuid4())
    other.mkdir(parents=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FEATURES.itemsize * 100, before[1]))
    try:
        with (
            pytest.raises(OSError, match="no room for the features of 200 images"),
            reading(tools, context_id, ids),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not other.exists()
    with reading(tools, context_id, ids) as features:
        assert is_of(features, range(200))
