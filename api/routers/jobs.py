"""Jobs: asked for, looked at, waited for, stopped and tried again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api import submitting, waiting
from api.dependencies import ClientId, Cursor, Limit, Reading, TheParts
from api.events import EventStream
from api.once import TheOnce, fingerprint
from api.parts import Parts
from api.problems import documented
from api.schemas.images import ReturnedView
from api.schemas.jobs import JobErrorView, JobView, Kind, NewJob, State
from api.schemas.values import PageView
from api.submitting import ACCEPTED, TheAccepting
from api.waiting import Prefer
from lookalike.jobs import FINAL_STATES
from storage import contexts, job_errors, jobs, removals
from storage.db import Database
from storage.models import Job
from worker import submission
from worker.dispatch import Dispatcher

router = APIRouter(prefix="/v1", tags=["jobs"], responses=documented(404, 422))

Act = Callable[[Database, Dispatcher, uuid.UUID], Job]


@router.post(
    "/contexts/{context_id}/jobs",
    status_code=202,
    response_model=JobView,
    responses={**ACCEPTED, **documented(409, 415)},
)
async def submit_job(
    context_id: uuid.UUID,
    body: NewJob,
    parts: TheParts,
    client_id: ClientId,
    once: TheOnce,
    accepting: TheAccepting,
) -> Response:
    """Start a job on the images of a context: find duplicates, or just extract features.

    It reads the context as it is when its join begins. Follow it by polling, by its events, or with
    `Prefer: wait`.
    """
    return await accepting.answer(
        lambda: once.do(
            fingerprint(body),
            lambda session: submitting.submit(
                session,
                parts,
                client_id=client_id,
                context_id=context_id,
                kind=body.kind,
                parameters=body.parameters(),
            ),
        )
    )


@router.get("/jobs")
def list_jobs(
    session: Reading,
    client_id: ClientId,
    context_id: Annotated[uuid.UUID | None, Query(description="Only those of this context.")] = None,
    kind: Annotated[Kind | None, Query(description="Only those of this kind.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageView[JobView]:
    """List jobs, newest first."""
    if context_id is not None:
        contexts.get(session, context_id, client_id)
    page = jobs.page(
        session,
        client_id=client_id,
        context_id=context_id,
        kind=kind,
        state=state,
        limit=limit,
        cursor=cursor,
    )
    stages = {job.id: found for job, found in jobs.with_stages(session, [job.id for job in page.items])}
    return PageView.of(page.map(lambda job: JobView.of(job, stages[job.id])))


@router.get("/jobs/{job_id}")
async def get_job(
    job_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId, prefer: Prefer = None
) -> JobView:
    """Show a job: its state, progress by stage and counts. With `Prefer: wait`, when it has ended."""
    job = await run_in_threadpool(_shown, parts, job_id, client_id)
    seconds = waiting.seconds(prefer)
    if seconds and job.state not in FINAL_STATES:
        return await waiting.for_end(parts, request, job_id, seconds) or job
    return job


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "`event: job` with the job at each change, `event: end` when it has ended.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The job has ended and you know it: `Last-Event-ID` was of its end."},
    },
)
async def follow_job(job_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId) -> Response:
    """Follow a job as server-sent events, until it has ended."""
    job = await run_in_threadpool(_shown, parts, job_id, client_id)
    if job.state in FINAL_STATES and request.headers.get("last-event-id") == EventStream.END_ID:
        # Browsers come back when a stream ends, unless they are told that there is nothing more.
        return Response(status_code=204)
    return EventStream(parts.watcher, job)


@router.get("/jobs/{job_id}/errors")
def list_job_errors(
    job_id: uuid.UUID, session: Reading, client_id: ClientId, limit: Limit = 100, cursor: Cursor = None
) -> PageView[JobErrorView]:
    """List what went wrong with single images, by image id; the job went on without them."""
    jobs.get(session, job_id, client_id)
    return PageView.of(job_errors.page(session, job_id, limit=limit, cursor=cursor).map(JobErrorView.of))


@router.get("/jobs/{job_id}/returned")
def list_returned(
    job_id: uuid.UUID, session: Reading, client_id: ClientId, limit: Limit = 100, cursor: Cursor = None
) -> PageView[ReturnedView]:
    """List the images of a job whose bytes had been removed from the context before, by image id.

    Each with the image of its group that was kept then, if that is still there. Empty until a
    `find_duplicates` job has come to its join.
    """
    job = jobs.get(session, job_id, client_id)
    page = removals.page(session, job.context_id, job.revision or 0, limit, cursor)
    return PageView.of(page.map(ReturnedView.of))


@router.post("/jobs/{job_id}/cancel", responses=documented(409))
def cancel_job(job_id: uuid.UUID, parts: TheParts, client_id: ClientId) -> JobView:
    """Stop a job. What runs stops within a second, or when the image at hand is done."""
    return _changed(parts, job_id, client_id, submission.cancel)


@router.post("/jobs/{job_id}/retry", responses=documented(409))
def retry_job(job_id: uuid.UUID, parts: TheParts, client_id: ClientId) -> JobView:
    """Try a failed or cancelled job again; what is done stays done."""
    return _changed(parts, job_id, client_id, submission.retry)


@router.post("/jobs/{job_id}/pause", responses=documented(409))
def pause_job(job_id: uuid.UUID, parts: TheParts, client_id: ClientId) -> JobView:
    """Hold a queued or running job."""
    return _changed(parts, job_id, client_id, submission.pause)


@router.post("/jobs/{job_id}/resume", responses=documented(409))
def resume_job(job_id: uuid.UUID, parts: TheParts, client_id: ClientId) -> JobView:
    """Let a paused job go on."""
    return _changed(parts, job_id, client_id, submission.resume)


def _changed(parts: Parts, job_id: uuid.UUID, client_id: str | None, act: Act) -> JobView:
    _shown(parts, job_id, client_id)
    act(parts.database, parts.dispatcher, job_id)
    return _shown(parts, job_id, client_id)


def _shown(parts: Parts, job_id: uuid.UUID, client_id: str | None) -> JobView:
    with parts.database.reading() as session:
        return JobView.of(jobs.get(session, job_id, client_id), jobs.stages(session, job_id))
