from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from lookalike import jobs as life
from lookalike.errors import Conflict, Unavailable
from storage import contexts, jobs
from storage.db import Database
from storage.settings import Settings
from tests.worker.installations import draw, until
from tests.worker.stored import work_stored_twice
from worker import submission
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.embedded import MOST_PATH_BYTES, SOCKET, Embedded, private_folder

# A whole installation as a process of its own, to be killed: searches a folder and waits.
HOLDER = """
import sys, threading
from pathlib import Path
from storage.settings import Settings
from worker.embedded import Embedded
with Embedded(Settings.load(data_dir=Path(sys.argv[1]))) as embedded:
    print("up", flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(data_dir=tmp_path / "data", worker_processes=2)


def _held(data_dir: Path) -> psutil.Popen:
    holder = psutil.Popen([sys.executable, "-c", HOLDER, str(data_dir)], stdout=-1, start_new_session=True)
    with holder.stdout as told:
        assert told.readline() == b"up\n"
    return holder


def _submitted(embedded: Embedded, source: Path) -> tuple[Database, uuid.UUID]:
    settings = embedded.settings
    database = Database(settings.database_url)
    with database.transaction() as session:
        context_id = contexts.for_folder(session, str(source), name="pictures").id
    job_id = submission.submit(
        database,
        Dispatcher(database, make_app(embedded.broker_url, settings)),
        context_id=context_id,
        kind=life.FIND_DUPLICATES,
        parameters={"source": str(source)},
    )
    return database, job_id


def _state(database: Database, job_id: uuid.UUID) -> str | None:
    with database.reading() as session:
        return jobs.state_of(session, job_id)


def _has_succeeded(database: Database, job_id: uuid.UUID) -> bool:
    state = _state(database, job_id)
    assert state != life.FAILED
    return state == life.SUCCEEDED


def test_killing_everything_loses_nothing_and_leaves_no_process_behind(
    settings: Settings, tmp_path: Path
) -> None:
    draw(tmp_path / "a", 30)
    holder = _held(settings.data_dir)
    with Embedded(settings, attach=True) as attached:
        database, job_id = _submitted(attached, tmp_path / "a")
        until(lambda: _begun(database, job_id))
    tree = holder.children(recursive=True)
    # At once: the holder last, it must not have time to tidy up.
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert alive == []
    assert _state(database, job_id) == life.RUNNING
    with Embedded(settings):
        until(lambda: _has_succeeded(database, job_id))
    assert work_stored_twice(database, job_id) == []
    database.dispose()


def test_what_dies_alone_is_started_again(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path / "a", 30)
    # Servers of other tests are children of this process too.
    others = set(psutil.Process().children())
    with Embedded(settings) as embedded:
        database, job_id = _submitted(embedded, tmp_path / "a")
        until(lambda: _begun(database, job_id))
        for child in set(psutil.Process().children()) - others:
            child.kill()
        until(lambda: _has_succeeded(database, job_id))
        embedded.check()
    assert work_stored_twice(database, job_id) == []
    assert set(psutil.Process().children()) <= others
    database.dispose()


def test_a_data_directory_is_served_once(settings: Settings) -> None:
    with Embedded(settings), pytest.raises(Conflict, match=rf"process {os.getpid()}\) already serves"):
        Embedded(settings).start()


def test_who_is_attached_takes_over_when_the_holder_goes_away(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path / "a", 2)
    holder = _held(settings.data_dir)
    with Embedded(settings, attach=True) as attached:
        assert attached.is_attached
        broker_url = attached.broker_url
        holder.kill()
        holder.wait()
        until(lambda: not attached.is_attached)
        assert attached.broker_url == broker_url
        database, job_id = _submitted(attached, tmp_path / "a")
        until(lambda: _has_succeeded(database, job_id))
    database.dispose()


def test_a_long_temporary_folder_leaves_room_for_the_socket(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", None)
    folder = private_folder(settings.data_dir)
    assert len(os.fsencode(folder / SOCKET)) <= MOST_PATH_BYTES
    with Embedded(settings) as embedded:
        assert embedded.broker_url.endswith(SOCKET)
        assert (folder.stat().st_mode & 0o777) == 0o700


def test_a_socket_folder_of_somebody_else_is_not_used(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir()
    (tmp_path / "elsewhere").mkdir()
    trap = tmp_path / "trap"
    trap.symlink_to(tmp_path / "elsewhere")
    (settings.data_dir / "embedded.json").write_text(json.dumps({"pid": 1, "folder": str(trap)}))
    with pytest.raises(Unavailable, match="somebody else"):
        Embedded(settings).start()


def _begun(database: Database, job_id: uuid.UUID) -> bool:
    with database.reading() as session:
        return any(stage.shard_done for stage in jobs.stages(session, job_id) if stage.name == life.EXTRACT)
