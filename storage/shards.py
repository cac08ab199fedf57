"""Shards: planned, sent, claimed under a lease, renewed, and finished behind a fence.

The number of the attempt is the fence: who claims a shard raises it, and from then on nothing that an earlier
holder does reaches the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CursorResult, and_, delete, exists, func, insert, or_, select, update

from lookalike import jobs as life
from storage.db import Session, now
from storage.models import Job, Shard, Stage

LEASE_SECONDS = 6.0
# Messages of one job that may wait in the broker. Each claim sends the next, so this does not limit how many
# shards run; it only keeps a large job from filling the queue.
WINDOW = 4
# A message is taken to be lost when the queue is empty and nobody has claimed its shard for so long.
LOST_SECONDS = 2.0
# With other messages in the queue it may just be waiting: wait twice as long after each sending.
PATIENCE_SECONDS = 15.0
MOST_PATIENCE_SECONDS = 600.0
_ROWS_AT_A_TIME = 500
# Rows that a session holds are never brought up to date behind its back: read them again.
_UPDATE = update(Shard).execution_options(synchronize_session=False)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """A shard to be: how many items it has, and what its stage needs to know of them."""

    item_count: int
    input: dict[str, Any] = field(default_factory=dict)
    input_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What leaves for the broker: the shard, the stage that the task is named after, and the queue."""

    shard_id: int
    stage: str
    queue: str


def add(
    session: Session,
    job_id: uuid.UUID,
    position: int,
    plans: Sequence[ShardPlan],
    *,
    first: int = 0,
    **values: Any,
) -> None:
    """Add the shards of a stage, numbered from `first`."""
    rows = [
        {
            "job_id": job_id,
            "stage_position": position,
            "number": number,
            "state": life.READY,
            "attempt": 0,
            "loss_count": 0,
            "send_count": 0,
            "item_count": plan.item_count,
            "input": plan.input,
            "input_data": plan.input_data,
            "output": {},
            **values,
        }
        for number, plan in enumerate(plans, first)
    ]
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        session.execute(insert(Shard), rows[start : start + _ROWS_AT_A_TIME])


def claim(session: Session, shard_id: int) -> Shard | None:
    """Take a ready shard of a working job under a lease; None if it is not to be had."""
    is_working = exists().where(Job.id == Shard.job_id, Job.state.in_(life.WORKING_STATES))
    return session.scalars(
        _UPDATE.where(Shard.id == shard_id, Shard.state.in_(life.CLAIM.before), is_working)
        .values(
            state=life.CLAIM.after, attempt=Shard.attempt + 1, lease_until=now() + LEASE_SECONDS, output={}
        )
        .returning(Shard),
        execution_options={"populate_existing": True},
    ).one_or_none()


def renew(session: Session, shard_id: int, attempt: int) -> bool:
    """Lengthen the lease; false if the shard is no longer ours."""
    return _changed(
        session.execute(
            _held(shard_id, attempt).values(lease_until=now() + LEASE_SECONDS),
        )
    )


def job_state(session: Session, shard_id: int, attempt: int) -> str | None:
    """Return the state of the job of a shard that is still ours, else None."""
    query = select(Job.state).join(Shard, Shard.job_id == Job.id)
    return session.scalar(
        query.where(Shard.id == shard_id, Shard.attempt == attempt, Shard.state == life.RUNNING)
    )


def finish(
    session: Session, shard_id: int, attempt: int, *, output: dict[str, Any], output_data: bytes | None
) -> bool:
    """Call a shard done; false if the shard is no longer ours, and then nothing of it may be stored."""
    values = {"output": output, "output_data": output_data, "lease_until": None, "sent_at": None}
    return _changed(session.execute(_held(shard_id, attempt).values(state=life.FINISH.after, **values)))


def note(session: Session, shard: Shard, noted: dict[str, Any]) -> None:
    """Put something in the place of the input of a shard that is still ours: who runs it next finds it."""
    session.execute(_held(shard.id, shard.attempt).values(input=noted))


def release(session: Session, shard_id: int, attempt: int) -> bool:
    """Give a shard back unharmed, or drop it if its job is being cancelled; false if it is no longer ours."""
    is_cancelling = exists().where(Job.id == Shard.job_id, Job.state == life.CANCELLING)
    held = _held(shard_id, attempt)
    dropped = session.execute(held.where(is_cancelling).values(state=life.DROP.after, **_UNSENT))
    return _changed(dropped) or _changed(
        session.execute(held.values(state=life.RELEASE.after, send_count=0, **_UNSENT))
    )


_UNSENT: dict[str, Any] = {"lease_until": None, "sent_at": None}


def break_off(session: Session, shard_id: int, attempt: int, error: str, pause_seconds: float) -> bool:
    """Note that an attempt ended with an exception; recovery counts the loss when the pause is over."""
    # The attempt is raised at once, so that whoever still works on it is fenced off.
    values = {"attempt": Shard.attempt + 1, "lease_until": now() + pause_seconds, "output": {"error": error}}
    return _changed(session.execute(_held(shard_id, attempt).values(**values)))


def expire(session: Session, shard_id: int) -> None:
    """End the lease of a shard whose worker process is known to be dead."""
    running = _UPDATE.where(Shard.id == shard_id, Shard.state == life.RUNNING)
    session.execute(running.values(lease_until=now() - 1.0))


def expired(session: Session, limit: int = 100) -> list[int]:
    """Return the ids of running shards whose lease is over, the longest over first."""
    query = select(Shard.id).where(Shard.state == life.RUNNING, Shard.lease_until < now())
    return list(session.scalars(query.order_by(Shard.lease_until).limit(limit)))


def take_expired(session: Session, shard_id: int) -> Shard | None:
    """Return a shard whose lease is over to deal with it, None if somebody else does or has."""
    query = select(Shard).where(Shard.id == shard_id, Shard.state == life.RUNNING, Shard.lease_until < now())
    return session.scalars(query.with_for_update(skip_locked=True, of=Shard)).one_or_none()


def lose(session: Session, shard: Shard) -> None:
    """Make a shard ready again after its worker was lost."""
    values = {"loss_count": Shard.loss_count + 1, "send_count": 0, **_UNSENT}
    session.execute(_held(shard.id, shard.attempt).values(state=life.LOSE.after, **values))


def give_up(session: Session, shard: Shard) -> bool:
    """Call a shard failed, as there is no point in another try; false if it is no longer ours."""
    held = _held(shard.id, shard.attempt)
    return _changed(session.execute(held.values(state=life.GIVE_UP.after, **_UNSENT)))


def drop(session: Session, shard: Shard) -> None:
    """Call a shard cancelled, as its job is."""
    session.execute(_held(shard.id, shard.attempt).values(state=life.DROP.after, **_UNSENT))


def any_running(session: Session) -> bool:
    """Tell whether any shard is being worked on."""
    return session.scalar(select(Shard.id).where(Shard.state == life.RUNNING).limit(1)) is not None


def release_all(session: Session, *, lost: bool) -> int:
    """Make every running shard ready: for whoever knows that no worker is left. Returns how many."""
    running = _UPDATE.where(Shard.state == life.RUNNING)
    values = {
        "state": life.RELEASE.after,
        "loss_count": Shard.loss_count + int(lost),
        "send_count": 0,
        **_UNSENT,
    }
    released = session.execute(running.values(**values))
    # Whatever was sent is gone with the broker.
    session.execute(_UPDATE.where(Shard.state == life.READY).values(sent_at=None))
    return _count(released)


def split(session: Session, shard: Shard, singles: Sequence[ShardPlan]) -> None:
    """Put shards of one item each in the place of a shard that keeps losing its worker."""
    last = select(func.max(Shard.number)).where(
        Shard.job_id == shard.job_id, Shard.stage_position == shard.stage_position
    )
    first = int(session.scalar(last) or 0) + 1
    session.execute(delete(Shard).where(Shard.id == shard.id))
    stage = (
        update(Stage)
        .execution_options(synchronize_session=False)
        .where(Stage.job_id == shard.job_id, Stage.position == shard.stage_position)
    )
    session.execute(
        stage.values(shard_total=Stage.shard_total + len(singles) - 1),
    )
    add(
        session,
        shard.job_id,
        shard.stage_position,
        singles,
        first=first,
        loss_count=life.LOSSES_OF_A_SINGLE,
    )


def jobs_to_send(session: Session) -> list[uuid.UUID]:
    """Return the working jobs that have shards waiting, oldest first."""
    waiting = exists().where(Shard.job_id == Job.id, Shard.state == life.READY)
    query = select(Job.id).where(Job.state.in_(life.WORKING_STATES), waiting)
    return list(session.scalars(query.order_by(Job.id)))


def take_window(session: Session, job_id: uuid.UUID, size: int = WINDOW) -> list[Message]:
    """Mark the next shards of a job as sent, as its window has room, and return their messages."""
    unsent = [row.id for row in _front(session, job_id, size) if row.sent_at is None]
    return _sent(session, unsent, Shard.sent_at.is_(None))


def take_lost(session: Session, job_id: uuid.UUID, empty_queues: Iterable[str]) -> list[Message]:
    """Mark shards as sent anew whose message has been lost, and return their messages."""
    waited = now() - Shard.sent_at
    patience = func.power(2.0, Shard.send_count) * PATIENCE_SECONDS
    is_empty = exists().where(Job.id == Shard.job_id, Job.queue.in_(list(empty_queues)))
    is_lost = or_(and_(is_empty, waited > LOST_SECONDS), waited > patience, waited > MOST_PATIENCE_SECONDS)
    sent = [row.id for row in _front(session, job_id, WINDOW) if row.sent_at is not None]
    return _sent(session, sent, and_(Shard.sent_at.is_not(None), is_lost))


def output_data(session: Session, job_id: uuid.UUID, stage: str) -> list[bytes]:
    """Return the packed output of the shards of a stage, by number."""
    same_stage = and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position)
    query = (
        select(Shard.output_data).join(Stage, same_stage).where(Shard.job_id == job_id, Stage.name == stage)
    )
    return [data for data in session.scalars(query.order_by(Shard.number)) if data is not None]


def outputs(session: Session, job_id: uuid.UUID, position: int) -> list[dict[str, Any]]:
    """Return what the shards of a stage have counted."""
    query = select(Shard.output).where(Shard.job_id == job_id, Shard.stage_position == position)
    return list(session.scalars(query))


def first_of(session: Session, job_id: uuid.UUID, stage: str) -> Shard | None:
    """Return shard number 0 of a stage of a job, or None if there is none."""
    same_stage = and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position)
    query = select(Shard).join(Stage, same_stage).where(Shard.job_id == job_id, Stage.name == stage)
    return session.scalars(query.where(Shard.number == 0)).one_or_none()


def forget_data(session: Session, job_id: uuid.UUID, stages: Collection[str]) -> None:
    """Drop the packed data of stages that nobody reads any more."""
    positions = select(Stage.position).where(Stage.job_id == job_id, Stage.name.in_(stages))
    mine = _UPDATE.where(Shard.job_id == job_id, Shard.stage_position.in_(positions))
    session.execute(mine.values(input_data=None, output_data=None))


def forget_output_data(session: Session, job_id: uuid.UUID) -> None:
    """Drop what the shards of a job have handed on."""
    mine = _UPDATE.where(Shard.job_id == job_id, Shard.output_data.is_not(None))
    session.execute(mine.values(output_data=None))


def _held(shard_id: int, attempt: int) -> Any:
    """An UPDATE that reaches the shard only while the attempt holds it."""
    return _UPDATE.where(Shard.id == shard_id, Shard.attempt == attempt, Shard.state == life.RUNNING)


def _front(session: Session, job_id: uuid.UUID, size: int) -> Sequence[Any]:
    # Shards are sent in the order of their numbers, so those in the broker are the first that are ready.
    query = select(Shard.id, Shard.sent_at).where(Shard.job_id == job_id, Shard.state == life.READY)
    return session.execute(query.order_by(Shard.number).limit(size)).all()


def _sent(session: Session, shard_ids: list[int], condition: Any) -> list[Message]:
    if not shard_ids:
        return []
    is_working = exists().where(Job.id == Shard.job_id, Job.state.in_(life.WORKING_STATES))
    marked = session.scalars(
        _UPDATE.where(Shard.id.in_(shard_ids), Shard.state == life.READY, condition, is_working)
        .values(sent_at=now(), send_count=Shard.send_count + 1)
        .returning(Shard.id),
    ).all()
    query = (
        select(Shard.id, Stage.name, Job.queue)
        .join(Stage, and_(Stage.job_id == Shard.job_id, Stage.position == Shard.stage_position))
        .join(Job, Job.id == Shard.job_id)
        .where(Shard.id.in_(marked))
        .order_by(Shard.number)
    )
    return [Message(*row) for row in session.execute(query)]


def _changed(result: Any) -> bool:
    return _count(result) > 0


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
