"""One look at the jobs table for all who wait: however many streams and long polls, one query a tick."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from anyio import CapacityLimiter, to_thread

from api.schemas.jobs import JobView
from storage import jobs
from storage.db import Database

TICK_SECONDS = 0.2
# After an error of the database.
PAUSE_SECONDS = 2.0

log = structlog.get_logger()


class Watch:
    """One job as one waiter sees it."""

    def __init__(self, seen: JobView | None) -> None:
        self.job = seen
        self._changed = asyncio.Event()

    def tell(self, job: JobView | None) -> None:
        """Take what the watcher saw; None means that the job is gone."""
        if job != self.job or job is None:
            self.job = job
            self._changed.set()

    async def change(self, timeout: float) -> bool:
        """Wait for the next change; false if there was none in time."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class JobWatcher:
    """Reads the watched jobs in one thread of its own, never of the pool that the routes run in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches: dict[uuid.UUID, set[Watch]] = defaultdict(set)
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiter_count(self) -> int:
        """How many wait just now."""
        return sum(map(len, self._watches.values()))

    @asynccontextmanager
    async def watching(self, job_id: uuid.UUID, seen: JobView | None = None) -> AsyncIterator[Watch]:
        """Watch a job while the context lasts; `seen` is how the waiter knows it already."""
        watch = Watch(seen)
        self._watches[job_id].add(watch)
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]
            if not self._watches and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    async def _run(self) -> None:
        limiter = CapacityLimiter(1)
        while True:
            wanted = list(self._watches)
            try:
                found = await to_thread.run_sync(self._read, wanted, limiter=limiter)
            except Exception as error:
                log.warning("watcher.failed", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            for job_id in wanted:
                for watch in self._watches.get(job_id, ()):
                    watch.tell(found.get(job_id))
            await asyncio.sleep(TICK_SECONDS)

    def _read(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobView]:
        with self._database.reading() as session:
            return {job.id: JobView.of(job, stages) for job, stages in jobs.with_stages(session, job_ids)}
