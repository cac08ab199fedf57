"""One look at the notices for all who listen: however many streams, one query a tick.

Notices are numbered when they are written and seen when their transaction is committed, so a lower number may
come after a higher one: each look goes back some seconds, and what was told is not told again.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from api.events import PING_SECONDS, RETRY_MILLISECONDS
from storage import notices
from storage.db import Database
from storage.models import Notice
from storage.types import utc_now

TICK_SECONDS = 0.5
PAUSE_SECONDS = 2.0
# The longest that a transaction which tells of something takes, with room.
OVERLAP = timedelta(seconds=10)
# Who does not read fast enough is cut off, and comes back with the last id that it has seen.
MOST_WAITING = 1000
MOST_READ = 10_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Told:
    """A notice as it is streamed."""

    id: int
    type: str
    payload: str
    context_id: uuid.UUID | None
    created_at: datetime

    @classmethod
    def of(cls, notice: Notice) -> Self:
        """Return what is streamed of a notice."""
        return cls(notice.id, notice.type, notice.payload, notice.context_id, notice.created_at)


@dataclass(eq=False)
class Listener:
    """Somebody who listens to what is told of a context."""

    context_id: uuid.UUID
    queue: asyncio.Queue[Told] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    is_cut_off: bool = False

    def hear(self, told: Told) -> None:
        """Take a notice if it is of this context."""
        if told.context_id != self.context_id:
            return
        try:
            self.queue.put_nowait(told)
        except asyncio.QueueFull:
            self.is_cut_off = True


class NoticeWatcher:
    """Reads new notices in one thread of its own, never of the pool that the routes run in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[Listener] = set()
        self._loop: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, context_id: uuid.UUID) -> AsyncIterator[Listener]:
        """Listen to what is told from now on."""
        listener = Listener(context_id)
        self._listeners.add(listener)
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(utc_now()))
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    def missed(self, context_id: uuid.UUID, last_id: str | None) -> list[Told]:
        """Return what was told after a notice; nothing if the id is that of none."""
        if last_id is None or not re.fullmatch("[0-9]{1,18}", last_id):
            return []
        with self._database.reading() as session:
            return [Told.of(each) for each in notices.after(session, context_id, int(last_id), MOST_WAITING)]

    async def _run(self, begun_at: datetime) -> None:
        limiter = CapacityLimiter(1)
        looked_at, seen = begun_at, set[int]()
        while True:
            now = utc_now()
            try:
                found = await to_thread.run_sync(self._read, looked_at - OVERLAP, limiter=limiter)
            except Exception as error:
                log.warning("listeners.failed", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            for told in found:
                # What was there before anybody listened is nobody's.
                if told.id not in seen and told.created_at >= begun_at:
                    for listener in self._listeners:
                        listener.hear(told)
            # Each look reaches back into the one before, and no further.
            looked_at, seen = now, {told.id for told in found}
            await asyncio.sleep(TICK_SECONDS)

    def _read(self, after: datetime) -> list[Told]:
        with self._database.reading() as session:
            return [Told.of(each) for each in notices.since(session, None, after, limit=MOST_READ)]


class NoticeStream(StreamingResponse):
    """Tells what was missed since an id, if there is one, then what happens, until the client has gone."""

    media_type = "text/event-stream"

    def __init__(self, watcher: NoticeWatcher, context_id: uuid.UUID, last_id: str | None) -> None:
        # Proxies must not wait for more.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(_stream(watcher, context_id, last_id), headers=headers)


async def _stream(watcher: NoticeWatcher, context_id: uuid.UUID, last_id: str | None) -> AsyncIterator[bytes]:
    # Listening first: nothing gets lost between what was missed, or the first byte, and what comes.
    async with watcher.listening(context_id) as listener:
        yield format_sse_event(retry=RETRY_MILLISECONDS)
        missed = await to_thread.run_sync(watcher.missed, context_id, last_id)
        for told in missed:
            yield _event(told)
        told_already = {told.id for told in missed}
        while not listener.is_cut_off:
            try:
                told = await asyncio.wait_for(listener.queue.get(), PING_SECONDS)
            except TimeoutError:
                yield format_sse_event(comment="still here")
                continue
            if told.id not in told_already:
                yield _event(told)


def _event(told: Told) -> bytes:
    return format_sse_event(event=told.type, data_str=told.payload, id=str(told.id))
