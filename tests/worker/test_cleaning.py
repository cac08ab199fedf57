from __future__ import annotations

import os
import uuid
from dataclasses import replace
from pathlib import Path

from lookalike import jobs as life
from storage import contexts, jobs
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from worker import snapshots
from worker.cleaning import Cleaning
from worker.tools import make_tools


def _job(database: Database) -> uuid.UUID:
    with database.transaction() as session:
        context = contexts.create(session, name="cleaned")
        job = jobs.add(
            session, context_id=context.id, kind=life.FIND_DUPLICATES, stages=[life.GROUP], parameters={}
        )
        return job.id


def test_a_worker_removes_jobs_whose_time_is_over_and_no_others(
    sqlite_database: Database, blobs: Blobs, settings: Settings, tmp_path: Path
) -> None:
    ended, running = _job(sqlite_database), _job(sqlite_database)
    with sqlite_database.transaction() as session:
        jobs.succeed(session, ended, expiry_days=-1)
    tools = replace(make_tools(settings, database=sqlite_database, blobs=blobs), cache_dir=tmp_path / "cache")
    tools.cache_dir.mkdir()
    with sqlite_database.reading() as session:
        context_id = jobs.get(session, running).context_id
    kept, gone = (snapshots.path_of(tools.cache_dir, each) for each in (context_id, uuid.uuid4()))
    for path in (kept, gone):
        path.mkdir()
        os.utime(path, (0, 0))
    Cleaning(tools).clean(sweeps=True)
    with sqlite_database.reading() as session:
        assert jobs.state_of(session, ended) is None
        assert jobs.state_of(session, running) == life.QUEUED
    assert kept.exists()
    assert not gone.exists()
