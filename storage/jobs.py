"""Jobs and their stages. Every change of state is one UPDATE, guarded by the states it may start from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, exists, func, select, update

from lookalike import jobs as life
from lookalike.errors import Conflict, InvalidInput, NotFound
from lookalike.ids import new_id
from storage import outcomes
from storage.db import Session
from storage.models import Context, Job, Shard, Stage
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

JobId = uuid.UUID
# Rows that a session holds are never brought up to date behind its back: read them again.
_UPDATE = update(Job).execution_options(synchronize_session=False)
_FRESH = {"populate_existing": True}
_UPDATE_STAGE = update(Stage).execution_options(synchronize_session=False)


def add(
    session: Session,
    *,
    context_id: uuid.UUID,
    kind: str,
    stages: Sequence[str],
    parameters: dict[str, Any],
) -> Job:
    """Add a queued job with its stages, none of them planned yet."""
    job = Job(
        id=new_id(),
        context_id=context_id,
        kind=kind,
        state=life.QUEUED,
        queue=life.INTERACTIVE,
        parameters=parameters,
        counts={},
    )
    session.add(job)
    session.flush()
    session.add_all(
        Stage(job_id=job.id, position=position, name=name, state=life.PENDING)
        for position, name in enumerate(stages)
    )
    session.flush()
    return job


def get(session: Session, job_id: uuid.UUID, client_id: str | None = None) -> Job:
    """Return a job as it is now; raise NotFound if there is none, or none of this client."""
    query = select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    if client_id is not None:
        query = query.join(Context, Context.id == Job.context_id).where(Context.client_id == client_id)
    job = session.scalar(query)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def page(
    session: Session,
    *,
    client_id: str | None = None,
    context_id: uuid.UUID | None = None,
    kind: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Job]:
    """Return jobs, newest first; those of a context, a kind and a state if given."""
    query = select(Job).order_by(Job.id.desc()).limit(checked_limit(limit) + 1)
    if client_id is not None:
        query = query.join(Context, Context.id == Job.context_id).where(Context.client_id == client_id)
    if context_id is not None:
        query = query.where(Job.context_id == context_id)
    if kind is not None:
        query = query.where(Job.kind == kind)
    if state is not None:
        query = query.where(Job.state == state)
    if cursor is not None:
        query = query.where(Job.id < _id_of(decode_cursor(cursor)[0]))
    return page_of(session.scalars(query).all(), limit, key=lambda job: [str(job.id)])


def stages(session: Session, job_id: uuid.UUID) -> list[Stage]:
    """Return the stages of a job in their order, as they are now."""
    query = select(Stage).where(Stage.job_id == job_id).order_by(Stage.position)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def with_stages(session: Session, job_ids: Iterable[uuid.UUID]) -> list[tuple[Job, list[Stage]]]:
    """Return those of the jobs that exist, each with its stages in their order, as they are now."""
    wanted = list(job_ids)
    jobs = session.scalars(select(Job).where(Job.id.in_(wanted)), execution_options=_FRESH).all()
    query = select(Stage).where(Stage.job_id.in_(wanted)).order_by(Stage.job_id, Stage.position)
    of_job: dict[uuid.UUID, list[Stage]] = {job.id: [] for job in jobs}
    for stage in session.scalars(query, execution_options=_FRESH):
        if stage.job_id in of_job:
            of_job[stage.job_id].append(stage)
    return [(job, of_job[job.id]) for job in jobs]


def state_counts(session: Session) -> dict[str, int]:
    """Return how many jobs there are in each state; states without any are left out."""
    query = select(Job.state, func.count()).group_by(Job.state)
    return dict(session.execute(query).all())


def state_of(session: Session, job_id: uuid.UUID) -> str | None:
    """Return the state of a job, or None if it is gone."""
    return session.scalar(select(Job.state).where(Job.id == job_id))


def lock(session: Session, job_id: uuid.UUID) -> Job:
    """Return a job that nobody else can change until this transaction ends."""
    query = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()


def start(session: Session, shard_id: int) -> None:
    """Note that a job begins, when the first of its shards is about to be claimed."""
    is_ready = exists().where(Shard.id == shard_id, Shard.job_id == Job.id, Shard.state == life.READY)
    _move(session, life.START, is_ready, started_at=utc_now())


def succeed(session: Session, job_id: uuid.UUID, *, expiry_days: int) -> bool:
    """End a job whose last stage is done; what its shards carried is not needed any more."""
    if not _move(session, life.SUCCEED, Job.id == job_id, **_ended(expiry_days)):
        return False
    _start_if_never(session, job_id)
    outcomes.announce(session, job_id)
    return True


def fail(session: Session, job_id: uuid.UUID, code: str, detail: str, *, expiry_days: int) -> bool:
    """End a job that cannot go on; its finished shards are kept for a retry."""
    values = {"error_code": code, "error_detail": detail, **_ended(expiry_days)}
    if not _move(session, life.FAIL, Job.id == job_id, **values):
        return False
    _set_stage(session, job_id, life.RUNNING, life.FAILED)
    outcomes.announce(session, job_id)
    return True


def cancel(session: Session, job_id: uuid.UUID, *, expiry_days: int) -> Job:
    """Stop a job, at once if none of its shards runs. Raises Conflict if it has ended."""
    if not _move(session, life.CANCEL, Job.id == job_id):
        job = get(session, job_id)
        if job.state != life.CANCELLING:
            raise Conflict(f"The job has already {job.state}." if job.state != life.CANCELLED else _ALREADY)
        return job
    ready = update(Shard).where(Shard.job_id == job_id, Shard.state == life.READY)
    session.execute(ready.values(state=life.DROP.after, sent_at=None))
    finish_cancel(session, job_id, expiry_days=expiry_days)
    return get(session, job_id)


_ALREADY = "The job is cancelled already."


def finish_cancel(session: Session, job_id: uuid.UUID, *, expiry_days: int) -> bool:
    """Call a job cancelled if it is to be and none of its shards runs any more."""
    is_running = exists().where(Shard.job_id == Job.id, Shard.state == life.RUNNING)
    if not _move(session, life.FINISH_CANCEL, Job.id == job_id, ~is_running, **_ended(expiry_days)):
        return False
    _set_stage(session, job_id, life.RUNNING, life.CANCELLED)
    outcomes.announce(session, job_id)
    return True


def pause(session: Session, job_id: uuid.UUID) -> Job:
    """Hold a job: running shards are given back, no others are claimed. Raises Conflict if it cannot be."""
    if not _move(session, life.PAUSE, Job.id == job_id):
        raise Conflict(f"A job that is {get(session, job_id).state} cannot be paused.")
    return get(session, job_id)


def resume(session: Session, job_id: uuid.UUID) -> Job:
    """Let a paused job go on. Raises Conflict if it is not paused."""
    begun = _move(session, life.RESUME_BEGUN, Job.id == job_id, Job.started_at.is_not(None))
    if not begun and not _move(session, life.RESUME_UNBEGUN, Job.id == job_id, Job.started_at.is_(None)):
        raise Conflict(f"A job that is {get(session, job_id).state} cannot be resumed.")
    return get(session, job_id)


def retry(session: Session, job_id: uuid.UUID) -> Job:
    """Queue a failed or cancelled job again; what is done stays done. Raises Conflict if it is neither."""
    cleared = {"error_code": None, "error_detail": None, "finished_at": None, "expires_at": None}
    if not _move(session, life.RETRY, Job.id == job_id, **cleared):
        raise Conflict(
            f"Only a failed or cancelled job can be retried; this one is {get(session, job_id).state}."
        )
    _set_stage(session, job_id, life.FAILED, life.RUNNING)
    _set_stage(session, job_id, life.CANCELLED, life.RUNNING)
    stopped = update(Shard).where(Shard.job_id == job_id, Shard.state.in_(life.REVIVE.before | {life.READY}))
    session.execute(
        stopped.values(
            state=life.REVIVE.after, loss_count=0, lease_until=None, sent_at=None, send_count=0, output={}
        )
    )
    return get(session, job_id)


def begin_stage(
    session: Session, job_id: uuid.UUID, position: int, *, item_count: int, shard_count: int, queue: str
) -> bool:
    """Note that a stage is planned; false if somebody else did it."""
    result = session.execute(
        _UPDATE_STAGE.where(
            Stage.job_id == job_id, Stage.position == position, Stage.state == life.PENDING
        ).values(state=life.RUNNING, total=item_count, shard_total=shard_count)
    )
    if not _changed(result):
        return False
    session.execute(_UPDATE.where(Job.id == job_id).values(queue=queue))
    return True


def end_stage(session: Session, job_id: uuid.UUID, position: int) -> bool:
    """Note that all shards of a stage are done; false if they are not or somebody else did it."""
    result = session.execute(
        _UPDATE_STAGE.where(
            Stage.job_id == job_id,
            Stage.position == position,
            Stage.state == life.RUNNING,
            Stage.shard_done >= Stage.shard_total,
        ).values(state=life.DONE)
    )
    return _changed(result)


def count_shard(session: Session, shard: Shard, item_count: int, *, shard_count: int = 1) -> bool:
    """Add a finished shard to its stage; true if it was the last."""
    row = session.execute(
        _UPDATE_STAGE.where(Stage.job_id == shard.job_id, Stage.position == shard.stage_position)
        .values(
            done=Stage.done + item_count,
            total=Stage.total + item_count - shard.item_count,
            shard_done=Stage.shard_done + shard_count,
        )
        .returning(Stage.shard_done, Stage.shard_total)
    ).one()
    return bool(row.shard_done >= row.shard_total)


def set_revision(session: Session, job_id: uuid.UUID, revision: int) -> None:
    """Fix the revision of the context that the job reads."""
    session.execute(_UPDATE.where(Job.id == job_id).values(revision=revision))


def add_parameters(session: Session, job_id: uuid.UUID, **values: Any) -> None:
    """Note what a job has found to go by."""
    job = get(session, job_id)
    job.parameters = {**job.parameters, **values}
    session.flush()


def add_counts(session: Session, job_id: uuid.UUID, **counts: int) -> None:
    """Add what is known only where it is stored to the counts of a job."""
    job = get(session, job_id)
    job.counts = {**job.counts, **{name: job.counts.get(name, 0) + count for name, count in counts.items()}}
    session.flush()


def cancelling(session: Session) -> list[uuid.UUID]:
    """Return the jobs that wait for their running shards to stop."""
    return list(session.scalars(select(Job.id).where(Job.state == life.CANCELLING)))


def stalled(session: Session) -> list[uuid.UUID]:
    """Return working jobs with no shard ready or running: their next stage was never planned."""
    alive = exists().where(Shard.job_id == Job.id, Shard.state.in_((life.READY, life.RUNNING)))
    return list(session.scalars(select(Job.id).where(Job.state.in_(life.WORKING_STATES), ~alive)))


def last_succeeded(session: Session, context_id: uuid.UUID, kind: str) -> Job | None:
    """Return the job of a kind that succeeded last in a context."""
    query = (
        select(Job)
        .where(Job.context_id == context_id, Job.kind == kind, Job.state == life.SUCCEEDED)
        .order_by(Job.finished_at.desc(), Job.id.desc())
    )
    return session.scalars(query.limit(1)).one_or_none()


def stages_at_work(session: Session, context_id: uuid.UUID) -> set[str]:
    """Return the names of the stages that the queued and running jobs of a context have come to."""
    query = select(Job.id, Stage.name).join(Stage, Stage.job_id == Job.id)
    query = query.where(
        Job.context_id == context_id, Job.state.in_(life.WORKING_STATES), Stage.state != life.DONE
    )
    # The first of each job stays.
    found = session.execute(query.order_by(Stage.position.desc())).all()
    return set({row.id: row.name for row in found}.values())


def _move(session: Session, move: life.Move, *conditions: Any, **values: Any) -> bool:
    """Make one move of the state machine; false if the job is not in a state it may start from."""
    result = session.execute(
        _UPDATE.where(Job.state.in_(move.before), *conditions).values(state=move.after, **values)
    )
    return _changed(result)


def _set_stage(session: Session, job_id: uuid.UUID, before: str, after: str) -> None:
    session.execute(_UPDATE_STAGE.where(Stage.job_id == job_id, Stage.state == before).values(state=after))


def _start_if_never(session: Session, job_id: uuid.UUID) -> None:
    # A job with nothing to do ends before any shard was claimed.
    session.execute(
        _UPDATE.where(Job.id == job_id, Job.started_at.is_(None)).values(started_at=Job.finished_at)
    )


def _ended(expiry_days: int) -> dict[str, Any]:
    now = utc_now()
    return {"finished_at": now, "expires_at": now + timedelta(days=expiry_days)}


def _id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput(WRONG_CURSOR) from None


def _changed(result: Any) -> bool:
    return _count(result) > 0


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
