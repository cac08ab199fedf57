"""Schedules: what is to be done in a context by itself, at times."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response

from api import submitting
from api.dependencies import ClientId, Cursor, Limit, Reading, TheParts, Transaction
from api.once import Done, TheOnce, fingerprint
from api.problems import documented
from api.schemas.jobs import JobView
from api.schemas.schedules import NewSchedule, ScheduleChange, ScheduleRunView, ScheduleView
from api.schemas.values import PageView
from api.submitting import ACCEPTED, TheAccepting
from storage import contexts, schedules
from storage.db import Session, clock
from storage.models import Schedule
from worker.schedules import checked_job, run_now

router = APIRouter(
    prefix="/v1/contexts/{context_id}/schedules", tags=["schedules"], responses=documented(404, 422)
)


@router.post(
    "",
    status_code=201,
    responses={201: {"model": ScheduleView, "description": "The schedule."}, **documented(409, 415)},
)
def create_schedule(
    context_id: uuid.UUID, body: NewSchedule, parts: TheParts, client_id: ClientId, once: TheOnce
) -> Response:
    """Create a schedule: a job that is made by itself, by cron in a time zone or at an interval.

    Times that pass while no worker runs come to one run. If the job that it made before has not ended, a
    time is skipped, and its run says so. Where clocks go forward, a fixed time that is left out comes right
    after the gap; where they go back, it comes once.
    """

    def act(session: Session) -> Done:
        contexts.get(session, context_id, client_id)
        job = checked_job(session, context_id, body.job.given(), parts.settings)
        schedule = schedules.create(session, context_id, job=job, moment=clock(session), **body.values())
        location = f"/v1/contexts/{context_id}/schedules/{schedule.id}"
        return Done(201, ScheduleView.of(schedule, None), {"Location": location})

    return once.do(fingerprint(body), act)


@router.get("")
def list_schedules(
    context_id: uuid.UUID, session: Reading, client_id: ClientId, limit: Limit = 50, cursor: Cursor = None
) -> PageView[ScheduleView]:
    """List the schedules of a context, oldest first, each with its next time and its last run."""
    contexts.get(session, context_id, client_id)
    page = schedules.page(session, context_id, limit, cursor)
    last = schedules.last_runs(session, [schedule.id for schedule in page.items])
    return PageView.of(page.map(lambda schedule: ScheduleView.of(schedule, last.get(schedule.id))))


@router.get("/{schedule_id}")
def get_schedule(
    context_id: uuid.UUID, schedule_id: uuid.UUID, session: Reading, client_id: ClientId
) -> ScheduleView:
    """Show a schedule, its next time and its last run."""
    contexts.get(session, context_id, client_id)
    return _shown(session, schedules.get(session, context_id, schedule_id))


@router.patch("/{schedule_id}", responses=documented(415))
def change_schedule(
    context_id: uuid.UUID,
    schedule_id: uuid.UUID,
    body: ScheduleChange,
    parts: TheParts,
    session: Transaction,
    client_id: ClientId,
) -> ScheduleView:
    """Change a schedule, pause it or let it go on. What it missed while it was paused is not made up for."""
    contexts.get(session, context_id, client_id)
    changes = body.changes()
    if "job" in changes:
        checked_job(session, context_id, changes["job"], parts.settings)
    return _shown(session, schedules.update(session, context_id, schedule_id, clock(session), **changes))


@router.delete("/{schedule_id}", status_code=204)
def delete_schedule(
    context_id: uuid.UUID, schedule_id: uuid.UUID, session: Transaction, client_id: ClientId
) -> None:
    """Delete a schedule and the list of its runs. A job that it has made goes on."""
    contexts.get(session, context_id, client_id)
    schedules.delete(session, context_id, schedule_id)


@router.get("/{schedule_id}/runs")
def list_schedule_runs(
    context_id: uuid.UUID,
    schedule_id: uuid.UUID,
    session: Reading,
    client_id: ClientId,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageView[ScheduleRunView]:
    """List what became of a schedule's times, newest first: the last 1,000."""
    contexts.get(session, context_id, client_id)
    schedules.get(session, context_id, schedule_id)
    return PageView.of(schedules.runs(session, schedule_id, limit, cursor).map(ScheduleRunView.of))


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    response_model=JobView,
    responses={**ACCEPTED, **documented(409)},
)
async def run_schedule(
    context_id: uuid.UUID,
    schedule_id: uuid.UUID,
    parts: TheParts,
    client_id: ClientId,
    once: TheOnce,
    accepting: TheAccepting,
) -> Response:
    """Make a schedule's job now, whether it is due or paused or not. Its times stay as they are."""

    def act(session: Session) -> Done:
        contexts.get(session, context_id, client_id)
        job_id = run_now(session, context_id, schedule_id, clock(session), parts.settings)
        location = {"Location": submitting.location_of(job_id)}
        view = submitting.view(session, job_id)
        return Done(202, view, location, lambda: parts.dispatcher.dispatch(job_id))

    return await accepting.answer(lambda: once.do(b"", act))


def _shown(session: Session, schedule: Schedule) -> ScheduleView:
    return ScheduleView.of(schedule, schedules.last_runs(session, [schedule.id]).get(schedule.id))
