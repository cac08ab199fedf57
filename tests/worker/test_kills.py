"""kill -9 in the middle of a job: the job ends with the groups of a job that was left in peace."""

from __future__ import annotations

import uuid
from pathlib import Path

import psutil
import pytest

from lookalike import jobs as life
from storage.settings import Settings
from tests.worker.installations import (
    Groups,
    Installation,
    draw,
    installed,
    kill_child,
    running_broker,
    short_folder,
    wait_for_children,
)
from tests.worker.odd_worker import SLOW
from tests.worker.stored import work_stored_twice
from worker.embedded import SOCKET

both = pytest.mark.parametrize("installation", ["sqlite", "postgresql"], indirect=True)


@both
def test_a_killed_child_is_made_up_for(installation: Installation, tmp_path: Path) -> None:
    worker = installation.start_worker()
    expected = draw(tmp_path / "a", 20, ending=SLOW)
    job_id = installation.find(installation.context(), tmp_path / "a")
    installation.begun(job_id)
    wait_for_children(worker)
    kill_child(worker)
    _check(installation, job_id, expected)


@both
def test_a_killed_worker_is_made_up_for_by_another(installation: Installation, tmp_path: Path) -> None:
    worker = installation.start_worker()
    expected = draw(tmp_path / "a", 20, ending=SLOW)
    job_id = installation.find(installation.context(), tmp_path / "a")
    installation.begun(job_id)
    children = worker.children()
    worker.kill()
    worker.wait()
    # Nobody works on without a parent.
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)
    installation.start_worker()
    _check(installation, job_id, expected)


def test_a_killed_broker_takes_no_job_with_it(sqlite_url: str, tmp_path: Path) -> None:
    expected = draw(tmp_path / "a", 20, ending=SLOW)
    with short_folder() as folder, running_broker(folder) as broker:
        url = f"redis+socket://{folder / SOCKET}"
        settings = Settings.load(data_dir=tmp_path / "data", database_url=sqlite_url, broker_url=url)
        with installed(settings, tmp_path) as installation:
            installation.start_worker()
            job_id = installation.find(installation.context(), tmp_path / "a")
            installation.begun(job_id)
            broker.kill()
            broker.wait()
            # A job can be submitted without a broker: it waits in the database.
            later = installation.submit(installation.context())
            with running_broker(folder):
                _check(installation, job_id, expected)
                assert installation.ended(later).state == life.SUCCEEDED


def _check(installation: Installation, job_id: uuid.UUID, expected: Groups) -> None:
    job = installation.ended(job_id)
    assert (job.state, job.error_detail) == (life.SUCCEEDED, None)
    assert installation.groups(job_id) == expected
    assert work_stored_twice(installation.database, job_id) == []
    assert all(stage.done == stage.total for stage in installation.stages(job_id).values())
