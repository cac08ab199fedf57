"""Server-sent events of a job, fed by the one watcher."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from api.schemas.jobs import JobView
from api.watcher import JobWatcher
from lookalike.jobs import FINAL_STATES

# Proxies close what is silent for a minute.
PING_SECONDS = 15.0
# How soon a browser comes back when the connection broke.
RETRY_MILLISECONDS = 2000


class EventStream(StreamingResponse):
    """Tells a job at once and after each change, until it has ended or the client has gone."""

    END_ID = "end"
    media_type = "text/event-stream"

    def __init__(self, watcher: JobWatcher, job: JobView) -> None:
        # Proxies must not wait for more.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(_events(watcher, job), headers=headers)


async def _events(watcher: JobWatcher, job: JobView) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MILLISECONDS)
    yield _told(job)
    if job.state in FINAL_STATES:
        return
    async with watcher.watching(job.id, job) as watch:
        while True:
            if not await watch.change(PING_SECONDS):
                yield format_sse_event(comment="still here")
                continue
            if watch.job is None:
                return
            yield _told(watch.job)
            if watch.job.state in FINAL_STATES:
                return


def _told(job: JobView) -> bytes:
    is_end = job.state in FINAL_STATES
    return format_sse_event(
        event="end" if is_end else "job",
        data_str=job.model_dump_json(),
        id=EventStream.END_ID if is_end else None,
    )
