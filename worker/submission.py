"""Asking for a job, and for it to stop, wait, go on or be tried again: what the API and the command call."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from lookalike import jobs as life
from lookalike.errors import InvalidInput
from storage import contexts, jobs
from storage.db import Database, Session
from storage.models import Context, Job
from worker import pipeline
from worker.dispatch import Dispatcher
from worker.outbound import checked_url
from worker.stages import applying, extraction, importing
from worker.thresholds import checked_threshold

MODES = ("full", "incremental")

log = structlog.get_logger()


def submit(
    database: Database,
    dispatcher: Dispatcher,
    *,
    context_id: uuid.UUID,
    kind: str,
    parameters: dict[str, Any] | None = None,
    image_rows: Sequence[int] | None = None,
) -> uuid.UUID:
    """Add a job, plan its first stage, send it, and return its id.

    `image_rows` are the rows that an extract_features job is about; without them it is about all that lack
    features. Raises InvalidInput for parameters that make no sense, NotFound for an unknown context.
    """
    with database.transaction() as session:
        job_id = add(
            session,
            context_id=context_id,
            kind=kind,
            parameters=parameters,
            image_rows=image_rows,
            expiry_days=dispatcher.expiry_days,
        )
    dispatcher.dispatch(job_id)
    return job_id


def add(
    session: Session,
    *,
    context_id: uuid.UUID,
    kind: str,
    parameters: dict[str, Any] | None = None,
    image_rows: Sequence[int] | None = None,
    expiry_days: int = 30,
) -> uuid.UUID:
    """Add a job in the caller's transaction, who calls dispatcher.dispatch(job_id) after the commit."""
    context = contexts.get(session, context_id)
    asked = checked(kind, parameters or {}, context)
    stages = life.stages_of(kind, imports=bool(asked.keys() & {"source", "page"}))
    job = jobs.add(session, context_id=context_id, kind=kind, stages=stages, parameters=asked)
    log.info("job.submitted", job_id=str(job.id), context_id=str(context_id), kind=kind)
    if image_rows is not None and stages[0] == life.EXTRACT:
        pipeline.begin(session, job, 0, life.EXTRACT, extraction.plan_rows(image_rows))
    pipeline.advance(session, job.id, expiry_days)
    return job.id


def checked(kind: str, parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what a job of a context is to be given, with what it leaves out. Raises InvalidInput."""
    if kind not in life.KINDS:
        raise InvalidInput(f"There is no kind of job {kind!r}; there are {', '.join(life.KINDS)}.")
    asked = dict(parameters)
    if "source" in asked:
        asked["source"] = importing.checked_source(asked["source"])
    if "page" in asked:
        checked_url(asked["page"])
    if kind != life.EXTRACT_FEATURES:
        given = asked.get("similarity_threshold", context.similarity_threshold)
        asked["similarity_threshold"] = checked_threshold(given, context.match_floor)
    if kind == life.FIND_DUPLICATES:
        asked.setdefault("mode", "full")
        if asked["mode"] not in MODES:
            raise InvalidInput(f"The mode {asked['mode']!r} is not one of {', '.join(MODES)}.")
    return applying.checked_rule(asked) if kind == life.APPLY_RULE else asked


def cancel(database: Database, dispatcher: Dispatcher, job_id: uuid.UUID) -> Job:
    """Stop a job; what runs notices within a second. Raises Conflict if it has ended."""
    with database.transaction() as session:
        return jobs.cancel(session, job_id, expiry_days=dispatcher.expiry_days)


def pause(database: Database, dispatcher: Dispatcher, job_id: uuid.UUID) -> Job:
    """Hold a job until it is resumed. Raises Conflict if it is not queued or running."""
    with database.transaction() as session:
        return jobs.pause(session, job_id)


def resume(database: Database, dispatcher: Dispatcher, job_id: uuid.UUID) -> Job:
    """Let a paused job go on. Raises Conflict if it is not paused."""
    return _revived(database, dispatcher, job_id, jobs.resume)


def retry(database: Database, dispatcher: Dispatcher, job_id: uuid.UUID) -> Job:
    """Queue a failed or cancelled job again; what is done stays done. Raises Conflict if it is neither."""
    return _revived(database, dispatcher, job_id, jobs.retry)


def _revived(
    database: Database,
    dispatcher: Dispatcher,
    job_id: uuid.UUID,
    revive: Callable[[Session, uuid.UUID], Job],
) -> Job:
    with database.transaction() as session:
        revive(session, job_id)
        pipeline.advance(session, job_id, dispatcher.expiry_days)
        job = jobs.get(session, job_id)
    dispatcher.dispatch(job_id)
    return job
