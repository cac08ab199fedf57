"""Schedules: rules that make jobs at times, and what became of each of their times.

A due time is taken by whoever moves the schedule on to its next one, in the transaction that makes the job
and the run. So it is taken once, however many look, and a worker that dies before the commit takes nothing.
Several are taken in one transaction: what is locked for one worker is passed over by the others.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, func, select
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_table
from sqlalchemy.orm import Session

from lookalike import jobs as life
from lookalike import notices as notices_of
from lookalike.errors import InvalidInput, NotFound
from lookalike.ids import new_id
from lookalike.timetable import Timetable, timetable
from storage import notices
from storage.inserts import insert_ignoring
from storage.models import Job, Schedule, ScheduleRun
from storage.pages import Page, checked_limit, decode_cursor, page_of, uuid_of
from storage.types import utc_now

SKIPPED = "skipped"
RUN_STATES = (life.RUNNING, life.SUCCEEDED, life.FAILED, life.CANCELLED, SKIPPED)
# Runs that are kept of each schedule.
KEPT_RUNS = 1000
TIMING = {"cron", "interval_seconds", "timezone", "window_from", "window_until"}
CHANGEABLE = TIMING | {"name", "job", "paused"}

_UNSYNCHRONIZED = {"synchronize_session": False}
_FRESH = {"populate_existing": True}


@dataclass(frozen=True)
class Run:
    """A run of a schedule, and the state of its job as it is now."""

    row: ScheduleRun
    job_state: str | None

    @property
    def state(self) -> str:
        """running while its job has not ended, also if that was retried; else how it ended."""
        is_unfinished = self.job_state is not None and self.job_state not in life.FINAL_STATES
        return life.RUNNING if is_unfinished else self.row.state


def create(
    session: Session,
    context_id: uuid.UUID,
    *,
    name: str,
    job: dict[str, Any],
    moment: float,
    cron: str | None = None,
    interval_seconds: int | None = None,
    timezone: str = "UTC",
    window: tuple[str, str] | None = None,
    paused: bool = False,
) -> Schedule:
    """Make a schedule that is due from a moment on. Raises InvalidSchedule, InvalidInput."""
    schedule = Schedule(
        id=new_id(),
        context_id=context_id,
        name=_checked_name(name),
        cron=cron,
        interval_seconds=interval_seconds,
        timezone=timezone,
        window_from=window[0] if window else None,
        window_until=window[1] if window else None,
        job=job,
        paused=paused,
        missed_count=0,
    )
    _begin_anew(schedule, moment)
    session.add(schedule)
    session.flush()
    return schedule


def get(session: Session, context_id: uuid.UUID | None, schedule_id: uuid.UUID) -> Schedule:
    """Return a schedule of a context, or of any if that is None. Raises NotFound."""
    query = select(Schedule).where(Schedule.id == schedule_id)
    schedule = session.scalars(query, execution_options=_FRESH).one_or_none()
    if schedule is None or context_id not in (None, schedule.context_id):
        raise NotFound(f"There is no schedule {schedule_id}" + (" in this context." if context_id else "."))
    return schedule


def lock(session: Session, context_id: uuid.UUID | None, schedule_id: uuid.UUID) -> Schedule:
    """Return a schedule that nobody else can take or change until this transaction ends. Raises NotFound."""
    get(session, context_id, schedule_id)
    query = select(Schedule).where(Schedule.id == schedule_id).with_for_update()
    return session.scalars(query, execution_options=_FRESH).one()


def page(
    session: Session, context_id: uuid.UUID | None, limit: int, cursor: str | None = None
) -> Page[Schedule]:
    """List the schedules of a context, or of all if that is None, oldest first."""
    query = select(Schedule).order_by(Schedule.id)
    if context_id is not None:
        query = query.where(Schedule.context_id == context_id)
    if cursor is not None:
        query = query.where(Schedule.id > uuid_of(decode_cursor(cursor)[0]))
    found = session.scalars(query.limit(checked_limit(limit) + 1)).all()
    return page_of(found, limit, key=lambda schedule: [str(schedule.id)])


def update(
    session: Session, context_id: uuid.UUID | None, schedule_id: uuid.UUID, moment: float, **values: Any
) -> Schedule:
    """Change some of CHANGEABLE; with other times, or no longer paused, it begins anew at the moment.

    Raises NotFound, InvalidSchedule, InvalidInput.
    """
    if unknown := values.keys() - CHANGEABLE:
        raise InvalidInput(f"A schedule has no {', '.join(sorted(unknown))} to change.")
    schedule = lock(session, context_id, schedule_id)
    begins_anew = bool(values.keys() & TIMING) or (schedule.paused and not values.get("paused", True))
    for name, value in values.items():
        setattr(schedule, name, _checked_name(value) if name == "name" else value)
    if begins_anew:
        _begin_anew(schedule, moment)
    schedule.updated_at = utc_now()
    session.flush()
    return schedule


def delete(session: Session, context_id: uuid.UUID | None, schedule_id: uuid.UUID) -> None:
    """Delete a schedule with its runs; jobs that it has made go on. Raises NotFound."""
    get(session, context_id, schedule_id)
    session.execute(delete_from(Schedule).where(Schedule.id == schedule_id))


def timetable_of(schedule: Schedule) -> Timetable:
    """Return when a schedule is due. Raises InvalidSchedule."""
    has_window = schedule.window_from is not None or schedule.window_until is not None
    return timetable(
        cron=schedule.cron,
        interval_seconds=schedule.interval_seconds,
        timezone=schedule.timezone,
        anchor=schedule.anchor,
        window=(schedule.window_from or "", schedule.window_until or "") if has_window else None,
    )


def due_count(session: Session, moment: float) -> int:
    """Return how many schedules are due."""
    query = select(func.count()).select_from(Schedule).where(*_is_due(moment))
    return session.execute(query).scalar_one()


def take(session: Session, moment: float, limit: int) -> Sequence[Schedule]:
    """Return schedules that are due, for us alone until this transaction ends, the longest due first.

    Those that others have are passed over.
    """
    query = select(Schedule).where(*_is_due(moment)).order_by(Schedule.fire_at, Schedule.id).limit(limit)
    query = query.with_for_update(skip_locked=True)
    return session.scalars(query, execution_options=_FRESH).all()


def move(session: Session, schedule: Schedule, fire_at: float | None, missed_count: int) -> bool:
    """Set when a schedule is due next; false if somebody else has moved it since it was read."""
    moved = session.execute(
        update_table(Schedule)
        .where(Schedule.id == schedule.id, Schedule.fire_at == schedule.fire_at)
        .values(fire_at=fire_at, missed_count=missed_count),
        execution_options=_UNSYNCHRONIZED,
    )
    assert isinstance(moved, CursorResult)
    return moved.rowcount > 0


def unfinished_job(session: Session, schedule_id: uuid.UUID) -> uuid.UUID | None:
    """Return a job of a schedule that has not ended."""
    query = select(Job.id).join(ScheduleRun, ScheduleRun.job_id == Job.id)
    query = query.where(ScheduleRun.schedule_id == schedule_id, Job.state.not_in(life.FINAL_STATES))
    return session.scalars(query.limit(1)).one_or_none()


def open_run(
    session: Session, schedule: Schedule, fire_at: float, *, missed_count: int = 0, by_hand: bool = False
) -> ScheduleRun | None:
    """Begin the run of a due time; None if that time has had its run."""
    values = {
        "schedule_id": schedule.id,
        "fire_at": fire_at,
        "state": life.RUNNING,
        "by_hand": by_hand,
        "missed_count": missed_count,
        "started_at": utc_now(),
    }
    made = insert_ignoring(session, ScheduleRun).values(values).returning(ScheduleRun.id)
    run_id = session.execute(made).scalar_one_or_none()
    return None if run_id is None else session.get_one(ScheduleRun, run_id)


def record(
    session: Session,
    run: ScheduleRun,
    state: str,
    *,
    job_id: uuid.UUID | None = None,
    reason: tuple[str, str] | None = None,
) -> ScheduleRun:
    """Note what became of a due time: a job, none because it was skipped, or none because it failed.

    The one place where that is known, in the transaction that makes it so.
    """
    run.state, run.job_id = state, job_id
    if reason is not None:
        run.reason_code, run.reason_detail = reason
    session.flush()
    schedule = session.get_one(Schedule, run.schedule_id)
    told: dict[str, Any] = {
        "schedule_id": str(schedule.id),
        "context_id": str(schedule.context_id),
        "run_id": run.id,
        "due_at": datetime.fromtimestamp(run.fire_at, UTC).isoformat(),
        "job_id": str(job_id) if job_id else None,
        "url": f"/v1/contexts/{schedule.context_id}/schedules/{schedule.id}/runs",
    }
    if reason is not None:
        told["reason"] = {"code": reason[0], "detail": reason[1]}
    if job_id is not None:
        kind = notices_of.SCHEDULE_STARTED
    else:
        kind = notices_of.SCHEDULE_SKIPPED if state == SKIPPED else notices_of.SCHEDULE_FAILED
    notices.announce(session, kind, told, context_id=schedule.context_id)
    return run


def settle(session: Session, job_id: uuid.UUID, state: str) -> None:
    """Note how the job of a run has ended, if it is a schedule's: the outcome outlasts the job."""
    ended = update_table(ScheduleRun).where(ScheduleRun.job_id == job_id).values(state=state)
    session.execute(ended, execution_options=_UNSYNCHRONIZED)


def runs(session: Session, schedule_id: uuid.UUID, limit: int, cursor: str | None = None) -> Page[Run]:
    """List what became of a schedule's times, newest first."""
    query = _runs().where(ScheduleRun.schedule_id == schedule_id).order_by(ScheduleRun.id.desc())
    if cursor is not None:
        query = query.where(ScheduleRun.id < decode_cursor(cursor, int)[0])
    found = [Run(*row) for row in session.execute(query.limit(checked_limit(limit) + 1))]
    return page_of(found, limit, key=lambda run: [run.row.id])


def last_runs(session: Session, schedule_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Run]:
    """Return the last run of each of the schedules that has had one."""
    last = select(func.max(ScheduleRun.id)).where(ScheduleRun.schedule_id.in_(list(schedule_ids)))
    query = _runs().where(ScheduleRun.id.in_(last.group_by(ScheduleRun.schedule_id)))
    return {row.schedule_id: Run(row, state) for row, state in session.execute(query)}


def expire_runs(session: Session, kept: int = KEPT_RUNS) -> int:
    """Delete all but the last runs of each schedule; return how many."""
    count = 0
    for schedule_id in session.scalars(select(Schedule.id)).all():
        mine = select(ScheduleRun.id).where(ScheduleRun.schedule_id == schedule_id)
        last_kept = session.scalar(mine.order_by(ScheduleRun.id.desc()).offset(kept - 1).limit(1))
        if last_kept is None:
            continue
        older = delete_from(ScheduleRun).where(
            ScheduleRun.schedule_id == schedule_id, ScheduleRun.id < last_kept
        )
        gone = session.execute(older)
        assert isinstance(gone, CursorResult)
        count += gone.rowcount
    return count


def _is_due(moment: float) -> list[ColumnElement[bool]]:
    return [Schedule.fire_at <= moment, Schedule.paused.is_(False)]


def _runs() -> Any:
    return select(ScheduleRun, Job.state).outerjoin(Job, Job.id == ScheduleRun.job_id)


def _begin_anew(schedule: Schedule, moment: float) -> None:
    # Whole seconds, as people think of intervals.
    schedule.anchor = float(int(moment))
    schedule.missed_count = 0
    schedule.fire_at = timetable_of(schedule).next_after(moment)


def _checked_name(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise InvalidInput("A schedule's name is text, and not empty.")
    return name
