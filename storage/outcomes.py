"""What is told of a job when it ends."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lookalike import jobs as life
from lookalike import notices as kinds
from storage import notices, schedules
from storage.models import Grouping, Job

_KIND_OF = {
    life.SUCCEEDED: kinds.JOB_SUCCEEDED,
    life.FAILED: kinds.JOB_FAILED,
    life.CANCELLED: kinds.JOB_CANCELLED,
}


def announce(session: Session, job_id: uuid.UUID) -> None:
    """Announce how a job has ended, and what its groups changed, in the transaction that ends it."""
    columns = (Job.context_id, Job.kind, Job.state, Job.parameters, Job.error_code, Job.error_detail)
    context_id, kind, state, parameters, code, detail = session.execute(
        select(*columns).where(Job.id == job_id)
    ).one()
    told: dict[str, Any] = {"job_id": str(job_id), "context_id": str(context_id), "kind": kind}
    if "schedule_id" in parameters:
        told["schedule_id"] = str(parameters["schedule_id"])
        schedules.settle(session, job_id, state)
    if code is not None:
        told["error"] = {"code": code, "detail": detail}
    ended = {**told, "state": state, "url": f"/v1/jobs/{job_id}"}
    notices.announce(session, _KIND_OF[state], ended, context_id=context_id)
    if state == life.SUCCEEDED:
        _announce_groups(session, job_id, context_id, told)


def _announce_groups(
    session: Session, job_id: uuid.UUID, context_id: uuid.UUID, told: dict[str, Any]
) -> None:
    run = session.scalars(select(Grouping).where(Grouping.job_id == job_id)).one_or_none()
    if run is None or not any(run.changes.values()):
        return
    counted = {
        "similarity_threshold": run.threshold_tenths / 10,
        "group_count": run.group_count,
        "changes": run.changes,
        "url": f"/v1/jobs/{job_id}/differences",
    }
    notices.announce(session, kinds.GROUPS_CHANGED, told | counted, context_id=context_id)
