"""Asking for a job and answering 202, at once or when it has ended."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api import waiting
from api.dependencies import TheParts
from api.once import Done
from api.parts import Parts
from api.schemas.jobs import JobView
from api.waiting import Prefer
from storage import contexts, jobs
from storage.db import Session
from worker import submission


def submit(
    session: Session,
    parts: Parts,
    *,
    client_id: str | None,
    context_id: uuid.UUID,
    kind: str,
    parameters: dict[str, Any] | None = None,
    image_rows: Sequence[int] | None = None,
) -> Done:
    """Add a job in this transaction; its messages leave after the commit."""
    contexts.get(session, context_id, client_id)
    job_id = submission.add(
        session,
        context_id=context_id,
        kind=kind,
        parameters=parameters,
        image_rows=image_rows,
        expiry_days=parts.settings.job_expiry_days,
    )
    location = {"Location": location_of(job_id)}
    return Done(202, view(session, job_id), location, lambda: parts.dispatcher.dispatch(job_id))


def view(session: Session, job_id: uuid.UUID) -> JobView:
    """Return what is shown of a job."""
    return JobView.of(jobs.get(session, job_id), jobs.stages(session, job_id))


def location_of(job_id: uuid.UUID) -> str:
    """Return the address of a job."""
    return f"/v1/jobs/{job_id}"


class Accepting:
    """Answers 202 with the job, after waiting for its end if the client prefers that."""

    def __init__(self, request: Request, parts: TheParts, prefer: Prefer = None) -> None:
        self._request, self._parts = request, parts
        self._seconds = waiting.seconds(prefer)

    async def answer(self, act: Callable[[], Response]) -> Response:
        """Act in a thread, then wait without one."""
        response = await run_in_threadpool(act)
        if not self._seconds:
            return response
        job_id = uuid.UUID(response.headers["location"].rpartition("/")[2])
        job = await waiting.for_end(self._parts, self._request, job_id, self._seconds)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        headers["Preference-Applied"] = f"wait={self._seconds}"
        content = response.body if job is None else job.model_dump_json().encode()
        return Response(content, response.status_code, headers=headers)


TheAccepting = Annotated[Accepting, Depends()]

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobView,
        "description": "The job, queued; with `Prefer: wait`, as it is when it ends or the time is over.",
        "headers": {"Location": {"description": "The job's address.", "schema": {"type": "string"}}},
    }
}
