"""Duplicates for somebody who waits: a job is reused, joined or submitted, whichever answers first."""

from __future__ import annotations

import uuid
from datetime import datetime

from lookalike import jobs as life
from lookalike.version import ENGINE_VERSION
from storage import contexts, images, jobs, shards
from storage.db import Database, Session
from storage.models import Job
from worker import submission
from worker.dispatch import Dispatcher
from worker.thresholds import checked_threshold


def ask(
    database: Database,
    dispatcher: Dispatcher,
    context_id: uuid.UUID,
    threshold: float,
    *,
    since: datetime | None = None,
) -> uuid.UUID:
    """Return a job that finds, or has found, the duplicates of a context as it is now.

    A job that works already is joined, whatever its threshold: groups at any other are made from its matches.
    With `since` only one that was submitted after that time. Raises NotFound, InvalidThreshold.
    """
    with database.transaction() as session:
        # Two who ask at the same time must not both submit.
        context = contexts.lock(session, context_id)
        checked_threshold(threshold, context.match_floor)
        if (job := _answering(session, context_id, since)) is not None:
            return job.id
        job_id = submission.add(
            session,
            context_id=context_id,
            kind=life.FIND_DUPLICATES,
            parameters={"similarity_threshold": threshold, "mode": "incremental"},
            expiry_days=dispatcher.expiry_days,
        )
    dispatcher.dispatch(job_id)
    return job_id


def is_current(session: Session, job: Job) -> bool:
    """Tell whether a job has found what one would find that is submitted now."""
    context = contexts.get(session, job.context_id)
    if job.state != life.SUCCEEDED or job.revision != context.revision:
        return False
    first = shards.first_of(session, job.id, life.JOIN)
    if first is None or first.input.get("engine_version") != ENGINE_VERSION:
        return False
    # Images that had no features yet when the job was planned are not in its groups.
    counts = images.counts(session, context.id)
    return counts[images.PENDING] == 0 and counts[images.READY] == job.counts.get("images")


def answers(session: Session, job_id: uuid.UUID, asked_at: datetime) -> bool:
    """Tell whether a job that has ended tells of the context as it was at a time, or later."""
    job = jobs.get(session, job_id)
    return job.state == life.SUCCEEDED and (job.created_at >= asked_at or is_current(session, job))


def _answering(session: Session, context_id: uuid.UUID, since: datetime | None) -> Job | None:
    for state in (life.RUNNING, life.QUEUED):
        page = jobs.page(session, context_id=context_id, kind=life.FIND_DUPLICATES, state=state, limit=1)
        for job in page.items:
            if since is None or job.created_at >= since:
                return job
    last = jobs.last_succeeded(session, context_id, life.FIND_DUPLICATES)
    return last if last is not None and is_current(session, last) else None
