"""Making the jobs of schedules when they are due: a thread in each worker looks once a second.

There is no one clock that could stop. Whoever looks first takes a due time; the transaction that makes the
job also moves the schedule on. So nobody makes it twice, and what a dying worker has not committed is left
for the others.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from lookalike import jobs as life
from lookalike.errors import Conflict, Forbidden, InvalidInput, InvalidSchedule, LookalikeError
from storage import clients, contexts, db, jobs, schedules
from storage.db import Database, OperationalError, Session
from storage.models import Context, Schedule, ScheduleRun
from storage.settings import Settings
from worker import submission
from worker.dispatch import Dispatcher
from worker.permitted import permitted

LOOK_SECONDS = 1.0
# In one transaction: a fifth of a second, in which nobody else writes to an SQLite database.
TAKEN_AT_ONCE = 20
# Due times that nobody took are counted up to here.
MOST_MISSED = 1000

IMPORT = "import"
# What a schedule may do, and what may be said of each.
KINDS: dict[str, frozenset[str]] = {
    IMPORT: frozenset({"source", "copy", "complete"}),
    life.EXTRACT_FEATURES: frozenset(),
    life.FIND_DUPLICATES: frozenset({"similarity_threshold", "mode", "source", "copy", "complete"}),
    life.APPLY_RULE: frozenset({"rule", "similarity_threshold", "relations", "dry_run"}),
}

log = structlog.get_logger()


class Ticking:
    """Looks for due schedules once a second. `clock` is the database's, the one that all workers share."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        settings: Settings,
        clock: Callable[[Session], float] = db.clock,
    ) -> None:
        self._database, self._dispatcher, self._settings, self._clock = database, dispatcher, settings, clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin to look, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join(timeout=2.0)

    def look(self) -> None:
        """Take what is due now."""
        with self._database.reading() as session:
            due_count = schedules.due_count(session, self._clock(session))
        while due_count > 0:
            with self._database.transaction() as session:
                taken = take(session, self._clock(session), self._settings)
            self._dispatcher.dispatch(*(job_id for job_id in taken if job_id is not None))
            # Where there were fewer, others have the rest.
            due_count = due_count - len(taken) if len(taken) == TAKEN_AT_ONCE else 0

    def _keep_looking(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            began = time.monotonic()
            try:
                self.look()
            except (LookalikeError, OperationalError, OSError) as error:
                # The database may be away: the next look will tell.
                log.warning("schedules.failed", error=repr(error))
            pause = max(0.0, LOOK_SECONDS - (time.monotonic() - began))


def take(session: Session, moment: float, settings: Settings) -> list[uuid.UUID | None]:
    """Take schedules that are due, as many as are taken at once and are still to be had.

    Returns of each the job to dispatch after the commit, None where there is none.
    """
    found = schedules.take(session, moment, TAKEN_AT_ONCE)
    return [_fire(session, schedule, moment, settings) for schedule in found]


def _fire(session: Session, schedule: Schedule, moment: float, settings: Settings) -> uuid.UUID | None:
    """Move a schedule that we hold on to its next time, and make the job of the time that was due.

    Times that have been missed come to one run. One that is late and outside its window waits for the next.
    """
    assert schedule.fire_at is not None, "what is due has a time"
    fire_at, missed = schedule.fire_at, schedule.missed_count
    try:
        table = schedules.timetable_of(schedule)
        missed += sum(1 for _ in table.times(fire_at, moment, MOST_MISSED))
        following, is_open = table.next_after(moment), table.is_open(moment)
    except InvalidSchedule as error:
        # It was due once and never will be again, or its time zone is not known here.
        _give_up(session, schedule, fire_at, error)
        return None
    if not schedules.move(session, schedule, following, 0 if is_open else missed + 1) or not is_open:
        return None
    run = schedules.open_run(session, schedule, fire_at, missed_count=missed)
    return None if run is None else _carry_out(session, schedule, run, settings).job_id


def run_now(
    session: Session, context_id: uuid.UUID, schedule_id: uuid.UUID, moment: float, settings: Settings
) -> uuid.UUID:
    """Make a schedule's job though it is not due, paused or not; return it, to dispatch after the commit.

    Raises NotFound, Conflict if its last job has not ended, and what the job itself is refused with.
    """
    schedule = schedules.lock(session, context_id, schedule_id)
    if (unfinished := schedules.unfinished_job(session, schedule.id)) is not None:
        raise Conflict(_still_running(unfinished))
    run = schedules.open_run(session, schedule, moment, by_hand=True)
    if run is None:
        raise Conflict("The schedule has just been run.")
    job_id = _make_job(session, schedule, settings)
    _record_job(session, run, job_id)
    return job_id


def checked_job(
    session: Session, context_id: uuid.UUID, job: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    """Return what a schedule is to do, if it can be done now. Raises InvalidInput, InvalidSource …"""
    kind = job.get("kind")
    if kind not in KINDS:
        raise InvalidInput(f"A schedule cannot do {kind!r}; it can do {', '.join(KINDS)}.")
    if unknown := job.keys() - KINDS[kind] - {"kind"}:
        raise InvalidInput(f"A schedule's job of kind {kind} has no {', '.join(sorted(unknown))}.")
    if kind == IMPORT and "source" not in job:
        raise InvalidInput("An import needs a source: a folder, an archive or a URL.")
    context = contexts.get(session, context_id)
    submission.checked(*_asked(session, job, context, settings), context)
    return job


def _carry_out(session: Session, schedule: Schedule, run: ScheduleRun, settings: Settings) -> ScheduleRun:
    """Make the job of a run, or say why there is none."""
    event = log.bind(schedule_id=str(schedule.id), context_id=str(schedule.context_id), run_id=run.id)
    if (unfinished := schedules.unfinished_job(session, schedule.id)) is not None:
        event.info("schedule.skipped", job_id=str(unfinished))
        reason = ("still_running", _still_running(unfinished))
        return schedules.record(session, run, schedules.SKIPPED, reason=reason)
    try:
        # What a job that is refused has written already is undone, and nothing of the others.
        with session.begin_nested():
            job_id = _make_job(session, schedule, settings)
    except LookalikeError as error:
        event.warning("schedule.failed", error=error.detail)
        return schedules.record(session, run, life.FAILED, reason=(error.code, error.detail))
    event.info("schedule.started", job_id=str(job_id))
    return _record_job(session, run, job_id)


def _make_job(session: Session, schedule: Schedule, settings: Settings) -> uuid.UUID:
    context = contexts.get(session, schedule.context_id)
    if context.client_id is not None and clients.get(session, context.client_id).revoked_at is not None:
        raise Forbidden("The client that the context belongs to has been revoked: nothing is done for it.")
    kind, parameters = _asked(session, schedule.job, context, settings)
    return submission.add(
        session,
        context_id=schedule.context_id,
        kind=kind,
        parameters={**parameters, "schedule_id": str(schedule.id)},
        expiry_days=settings.job_expiry_days,
    )


def _record_job(session: Session, run: ScheduleRun, job_id: uuid.UUID) -> ScheduleRun:
    # One with nothing to do has ended already.
    state = jobs.get(session, job_id).state
    return schedules.record(
        session, run, state if state in life.FINAL_STATES else life.RUNNING, job_id=job_id
    )


def _give_up(session: Session, schedule: Schedule, fire_at: float, error: InvalidSchedule) -> None:
    if schedules.move(session, schedule, None, 0) and (run := schedules.open_run(session, schedule, fire_at)):
        schedules.record(session, run, life.FAILED, reason=(error.code, error.detail))


def _asked(
    session: Session, job: dict[str, Any], context: Context, settings: Settings
) -> tuple[str, dict[str, Any]]:
    """Return kind and parameters of the job that a schedule is to make."""
    parameters = {name: value for name, value in job.items() if name != "kind"}
    if "source" in parameters:
        parameters["source"] = permitted(session, context, parameters["source"], settings)
        # A source that is watched is mirrored: what is gone from it leaves the context.
        parameters.setdefault("complete", True)
    kind = life.EXTRACT_FEATURES if job["kind"] == IMPORT else job["kind"]
    return kind, parameters


def _still_running(job_id: uuid.UUID) -> str:
    return f"The job that the schedule made before, {job_id}, has not ended."
