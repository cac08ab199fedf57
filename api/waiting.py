"""Waiting for a job without holding a thread: `Prefer: wait=N` (RFC 7240)."""

from __future__ import annotations

import re
import time
import uuid
from typing import Annotated

from fastapi import Header, Request

from api.parts import Parts
from api.schemas.jobs import JobView
from lookalike.jobs import FINAL_STATES

MOST_WAIT_SECONDS = 300
# How soon it is noticed that a client has gone.
LOOK_SECONDS = 1.0

_WAIT = re.compile(r"""(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])""", re.IGNORECASE)

Prefer = Annotated[
    str | None,
    Header(
        description="`wait=N`: answer when the job has ended, or after N seconds (at most 300).",
        examples=["wait=30"],
    ),
]


def seconds(prefer: str | None) -> int:
    """Return how long a client would wait; what cannot be understood may be ignored, says the RFC."""
    found = _WAIT.search(prefer or "")
    return min(int(found[1]), MOST_WAIT_SECONDS) if found else 0


async def for_end(parts: Parts, request: Request, job_id: uuid.UUID, timeout: float) -> JobView | None:
    """Return the job when it has ended or the time is over; None if it was never seen, or nobody listens."""
    deadline = time.monotonic() + timeout
    async with parts.watcher.watching(job_id) as watch:
        while (left := deadline - time.monotonic()) > 0:
            changed = await watch.change(min(left, LOOK_SECONDS))
            if changed and (watch.job is None or watch.job.state in FINAL_STATES):
                break
            if await request.is_disconnected():
                break
        return watch.job
