"""Schedules under load: real workers, many schedules of one second, one worker killed on the way.

    python benchmarks/schedules.py [--workers N] [--schedules N] [--seconds N] [--database URL] [--json]

Each run is a job in a context without images, so that it ends at once. Afterwards each second from the
first due time to the last must have a run or be counted with one, none may have two, and each run must have a
job of its own. `--database postgresql` uses a server of its own, as the tests do.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from sqlalchemy import func, select

from storage import contexts, schedules
from storage.db import Database, clock
from storage.models import Job, ScheduleRun
from storage.settings import PREFIX

# The servers that the tests start.
sys.path.insert(0, str(Path(__file__).parent.parent))
from tests import servers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--schedules", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker_url = stack.enter_context(servers.broker())
        url = f"sqlite:///{folder / 'lookalike.db'}"
        if arguments.database == "postgresql":
            server = stack.enter_context(servers.postgresql())
            server.execute("CREATE DATABASE schedules")
            url = server.url_of("schedules")
        database = Database(url)
        database.migrate()
        with working(folder, url, broker_url, arguments.workers) as workers:
            ids = add(database, arguments.schedules)
            before = sum(map(cpu_seconds, workers))
            time.sleep(arguments.seconds / 2)
            spent = cpu_seconds(workers[0])
            os.killpg(workers[0].pid, signal.SIGKILL)
            time.sleep(arguments.seconds / 2)
            after = spent + sum(map(cpu_seconds, workers[1:]))
            pause(database, ids)
        result = {"database": arguments.database, "workers": arguments.workers, **checked(database, ids)}
        result["cpu_seconds"] = round(after - before, 2)
        database.dispose()
    print(json.dumps(result) if arguments.json else "\n".join(f"{k:20} {v}" for k, v in result.items()))
    return 1 if result["twice"] or result["lost"] or result["without_job"] else 0


@contextmanager
def working(folder: Path, url: str, broker_url: str, count: int) -> Iterator[list[psutil.Popen]]:
    """Run workers of one process each until the end."""
    environment = {
        **os.environ,
        f"{PREFIX}DATABASE_URL": url,
        f"{PREFIX}BROKER_URL": broker_url,
        f"{PREFIX}DATA_DIR": str(folder),
        f"{PREFIX}WORKER_PROCESSES": "1",
    }
    command = [sys.executable, "-m", "worker.process"]
    with (folder / "workers.log").open("ab") as log:
        workers = [
            psutil.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            for _ in range(count)
        ]
    try:
        while not all(ready(worker) for worker in workers):
            time.sleep(0.2)
        yield workers
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def ready(worker: psutil.Popen) -> bool:
    """Whether a worker has its child, and threads beside the main one."""
    return bool(worker.children()) and worker.num_threads() > 2


def cpu_seconds(worker: psutil.Popen) -> float:
    times = [each.cpu_times() for each in [worker, *worker.children()]]
    return sum(each.user + each.system for each in times)


def add(database: Database, count: int) -> list[uuid.UUID]:
    with database.transaction() as session:
        made = [
            schedules.create(
                session,
                contexts.create(session, name=f"context {number}").id,
                name="every second",
                interval_seconds=1,
                job={"kind": "extract_features"},
                moment=clock(session),
            )
            for number in range(count)
        ]
        return [schedule.id for schedule in made]


def pause(database: Database, ids: list[uuid.UUID]) -> None:
    with database.transaction() as session:
        for schedule_id in ids:
            schedules.update(session, None, schedule_id, clock(session), paused=True)


def checked(database: Database, ids: list[uuid.UUID]) -> dict[str, object]:
    """Count what was run, run twice, counted with another run, and lost."""
    twice = lost = coalesced = run_count = skipped = 0
    with database.reading() as session:
        for schedule_id in ids:
            rows = session.execute(
                select(ScheduleRun.fire_at, ScheduleRun.missed_count, ScheduleRun.state)
                .where(ScheduleRun.schedule_id == schedule_id)
                .order_by(ScheduleRun.fire_at)
            ).all()
            covered = [row.fire_at + n for row in rows for n in range(row.missed_count + 1)]
            twice += len(covered) - len(set(covered))
            lost += round(max(covered) - min(covered)) + 1 - len(set(covered))
            coalesced += sum(row.missed_count for row in rows)
            skipped += sum(row.state == schedules.SKIPPED for row in rows)
            run_count += len(rows)
        with_job = select(func.count(ScheduleRun.job_id.distinct()))
        job_count = session.scalar(select(func.count()).select_from(Job)) or 0
        without = run_count - skipped - (session.scalar(with_job) or 0)
    return {
        "schedules": len(ids),
        "runs": run_count,
        "jobs": job_count,
        "skipped": skipped,
        "coalesced": coalesced,
        "twice": twice,
        "lost": lost,
        "without_job": without,
    }


if __name__ == "__main__":
    sys.exit(main())
