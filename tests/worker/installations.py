"""A whole installation for a test: database, broker, worker, and somebody who submits jobs."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import redis
from sqlalchemy import select

from lookalike import jobs as life
from storage import contexts, groups, job_errors, jobs
from storage.db import Database
from storage.models import Job, Shard, Stage
from storage.settings import PREFIX, Settings
from tests import pictures
from worker import submission
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.embedded import SOCKET, broker_command

Found = TypeVar("Found")
PATIENCE_SECONDS = 60.0

Groups = set[frozenset[str]]


def until(look: Callable[[], Found | None], seconds: float = PATIENCE_SECONDS) -> Found:
    """Look until there is something to return; fail when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {look}"
        time.sleep(0.05)
    return found


class Installation:
    """One database and one broker; workers are started and killed as the test wants."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.database = Database(settings.database_url)
        assert settings.broker_url
        self.dispatcher = Dispatcher(self.database, make_app(settings.broker_url, settings))
        self.workers: list[psutil.Popen] = []

    def start_worker(self, processes: int = 2) -> psutil.Popen:
        environment = {
            **os.environ,
            f"{PREFIX}DATABASE_URL": self.settings.database_url,
            f"{PREFIX}BROKER_URL": str(self.settings.broker_url),
            f"{PREFIX}DATA_DIR": str(self.settings.data_dir),
            f"{PREFIX}WORKER_PROCESSES": str(processes),
            f"{PREFIX}ALLOW_PRIVATE_ADDRESSES": str(self.settings.allow_private_addresses),
            f"{PREFIX}WEBHOOKS_OVER_HTTP": str(self.settings.webhooks_over_http),
        }
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.worker.odd_worker"]
            worker = psutil.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        self.database.dispose()

    def context(self) -> uuid.UUID:
        with self.database.transaction() as session:
            return contexts.create(session, name="pictures").id

    def submit(self, context_id: uuid.UUID, kind: str = life.FIND_DUPLICATES, **parameters: Any) -> uuid.UUID:
        return submission.submit(
            self.database, self.dispatcher, context_id=context_id, kind=kind, parameters=parameters
        )

    def find(self, context_id: uuid.UUID, source: Path, **parameters: Any) -> uuid.UUID:
        return self.submit(context_id, source=str(source), complete=True, **parameters)

    def job(self, job_id: uuid.UUID) -> Job:
        with self.database.reading() as session:
            return jobs.get(session, job_id)

    def stages(self, job_id: uuid.UUID) -> dict[str, Stage]:
        with self.database.reading() as session:
            return {stage.name: stage for stage in jobs.stages(session, job_id)}

    def ended(self, job_id: uuid.UUID, seconds: float = PATIENCE_SECONDS) -> Job:
        def look() -> Job | None:
            job = self.job(job_id)
            return job if job.state in life.FINAL_STATES else None

        return until(look, seconds)

    def begun(self, job_id: uuid.UUID, stage: str = life.EXTRACT, least: int = 1) -> None:
        """Wait until some shards of a stage are done."""
        until(lambda: self.stages(job_id)[stage].shard_done >= least)

    def at_work(self, job_id: uuid.UUID, stage: str = life.EXTRACT) -> None:
        """Wait until some process works on a shard of a stage."""

        def claimed() -> bool:
            with self.database.reading() as session:
                found = session.scalar(
                    select(Shard.id)
                    .join(Stage, (Stage.job_id == Shard.job_id) & (Stage.position == Shard.stage_position))
                    .where(Shard.job_id == job_id, Stage.name == stage, Shard.state == life.RUNNING)
                    .limit(1)
                )
            return found is not None

        until(claimed)

    def groups(self, job_id: uuid.UUID, threshold: float = 90.0) -> Groups:
        with self.database.reading() as session:
            found = groups.page(session, job_id, round(threshold * 10), 1000)
        return {frozenset(image.image_id for image in group.images) for group in found.items}

    def errors(self, job_id: uuid.UUID) -> dict[str, str]:
        with self.database.reading() as session:
            found = job_errors.page(session, job_id, limit=1000)
        return {error.image_id: error.code for error in found.items}


def draw(folder: Path, count: int, first: int = 0, ending: bytes = b"") -> Groups:
    """Write pictures and a recompressed copy of each; return the groups that are to be found."""
    folder.mkdir(parents=True, exist_ok=True)
    # Features belong to bytes and outlast a test: what follows its end makes a JPEG one that is new.
    ending = os.urandom(8) + ending
    expected = set()
    for number in range(first, first + count):
        one, copy = _drawn(number)
        (folder / f"{number:04d}.jpg").write_bytes(one + ending)
        (folder / f"{number:04d}-copy.jpg").write_bytes(copy + ending)
        expected.add(frozenset({f"{number:04d}.jpg", f"{number:04d}-copy.jpg"}))
    return expected


@functools.cache
def _drawn(number: int) -> tuple[bytes, bytes]:
    picture = pictures.photo(number, (192, 144))
    return pictures.jpeg(picture, 92), pictures.jpeg(picture, 70)


@contextmanager
def installed(settings: Settings, folder: Path) -> Iterator[Installation]:
    installation = Installation(settings, folder)
    try:
        yield installation
    finally:
        installation.stop()


def kill_child(worker: psutil.Popen) -> None:
    """Kill -9 one of the processes that work on shards."""
    children = [child for child in worker.children() if child.is_running()]
    children[0].send_signal(signal.SIGKILL)


def wait_for_children(worker: psutil.Popen) -> None:
    until(lambda: len(worker.children()) >= 2)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="lk", dir="/tmp") as folder:
        yield Path(folder)


@contextmanager
def running_broker(folder: Path) -> Iterator[psutil.Popen]:
    """A broker process on a socket in the folder, to be killed."""
    broker = psutil.Popen(broker_command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            with redis.Redis(unix_socket_path=str(folder / SOCKET)) as client:
                return bool(client.ping())
        except redis.exceptions.ConnectionError:
            return False

    try:
        until(answers)
        yield broker
    finally:
        if broker.is_running():
            broker.kill()
        broker.wait()
