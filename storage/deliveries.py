"""Deliveries: notices on their way. Whoever sends one holds a lease on it, by the database's clock.

The claim counts up and is the fence: what a sender brings whose lease has run out is not written. So a notice
may arrive twice, under the same id, and never not at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    String,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from lookalike import notices as life
from lookalike.errors import InvalidInput, NotFound
from storage import notices, webhooks
from storage.db import now as database_now
from storage.models import Delivery, Notice, Webhook
from storage.pages import Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

# Above the longest time that an attempt may take.
LEASE_SECONDS = 60.0
MOST_ATTEMPTS_KEPT = 20
MOST_ERROR_LENGTH = 500
_PREFIX = "msg_"
_UNKNOWN = "There is no delivery {!r} to this webhook."
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True)
class Claimed:
    """What a sender needs to know: where to, what, and signed with what."""

    delivery_id: int
    claim: int
    webhook_id: uuid.UUID
    url: str
    secrets: Sequence[str]
    key: uuid.UUID
    payload: str
    # The clock that due times and leases are measured by.
    now: float


@dataclass(frozen=True)
class Attempt:
    """How an attempt ended: a status, or why there was none; and for how long the receiver wants peace."""

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int
    retry_after_seconds: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300


def due(session: Session, limit: int, now: float | None = None) -> list[int]:
    """Return deliveries to be sent now, the oldest of each webhook and one of each at a time."""
    query = (
        select(func.min(Delivery.id))
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(*_is_due(_now(now)))
        .group_by(Delivery.webhook_id)
        .limit(limit)
    )
    return list(session.scalars(query))


def claim(session: Session, delivery_id: int, now: float | None = None) -> Claimed | None:
    """Take a delivery for LEASE_SECONDS; None if it is not to be had."""
    at = _now(now)
    webhook = select(Webhook.id).where(Webhook.id == Delivery.webhook_id, *_is_listening(at)).exists()
    taking = (
        update(Delivery)
        .where(Delivery.id == delivery_id, *_is_waiting(at), webhook, ~_is_busy(at))
        .values(claim=Delivery.claim + 1, lease_until=at + LEASE_SECONDS)
        .returning(Delivery.claim, Delivery.webhook_id, Delivery.notice_id, at)
    )
    taken = session.execute(taking, execution_options=_UNSYNCHRONIZED).one_or_none()
    if taken is None:
        return None
    number, webhook_id, notice_id, clock = taken
    hook, notice = session.get_one(Webhook, webhook_id), session.get_one(Notice, notice_id)
    secrets = webhooks.secrets(hook, utc_now())
    return Claimed(delivery_id, number, hook.id, hook.url, secrets, notice.key, notice.payload, clock)


def finish(
    session: Session, claimed: Claimed, attempt: Attempt, chance: float, now: float | None = None
) -> str | None:
    """Write down how an attempt ended and return the delivery's state; None if the claim is lost.

    `chance` from 0 to 1 decides the jitter of the next attempt.
    """
    # The webhook before its deliveries, for all who hold both; who tells it something need not wait.
    held = select(Webhook).where(Webhook.id == claimed.webhook_id).with_for_update(key_share=True)
    hook = session.scalars(held, execution_options={"populate_existing": True}).first()
    query = select(Delivery).where(
        Delivery.id == claimed.delivery_id, Delivery.claim == claimed.claim, Delivery.state == life.PENDING
    )
    delivery = session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).first()
    if hook is None or delivery is None:
        return None
    at: float = session.scalars(select(_now(now))).one()
    delivery.attempt_count += 1
    delivery.lease_until = None
    delivery.attempts = [*delivery.attempts, _written(attempt)][-MOST_ATTEMPTS_KEPT:]
    delivery.updated_at = utc_now()
    if attempt.is_success:
        delivery.state = life.DELIVERED
        hook.failing_since = hook.paused_until = None
    else:
        _fail(session, hook, delivery, attempt, chance, at)
    session.flush()
    return delivery.state


def page(
    session: Session,
    webhook_id: uuid.UUID,
    limit: int,
    cursor: str | None = None,
    *,
    state: str | None = None,
) -> Page[tuple[Delivery, Notice]]:
    """List what was or is to be sent to a webhook, newest first; in one state if given."""
    query = select(Delivery, Notice).join(Notice, Notice.id == Delivery.notice_id)
    query = query.where(Delivery.webhook_id == webhook_id).order_by(Delivery.id.desc())
    if state is not None:
        if state not in life.DELIVERY_STATES:
            raise InvalidInput(f"A delivery is {', '.join(life.DELIVERY_STATES)}, not {state!r}.")
        query = query.where(Delivery.state == state)
    if cursor is not None:
        query = query.where(Delivery.id < decode_cursor(cursor, int)[0])
    rows = [(row[0], row[1]) for row in session.execute(query.limit(checked_limit(limit) + 1))]
    return page_of(rows, limit, key=lambda row: [row[0].id])


def get(session: Session, webhook_id: uuid.UUID, message_id: str) -> tuple[Delivery, Notice]:
    """Return a delivery and what it delivers. Raises NotFound."""
    query = select(Delivery, Notice).join(Notice, Notice.id == Delivery.notice_id)
    query = query.where(Notice.key == _key(message_id), Delivery.webhook_id == webhook_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(_UNKNOWN.format(message_id))
    return row[0], row[1]


def replay(session: Session, webhook_id: uuid.UUID, message_ids: Sequence[str]) -> int:
    """Send these again, delivered or not; return how many. Raises NotFound."""
    keys = {_key(message_id): message_id for message_id in message_ids}
    query = select(Notice.key, Delivery.id).join(Delivery, Delivery.notice_id == Notice.id)
    query = query.where(Delivery.webhook_id == webhook_id, Notice.key.in_(list(keys)))
    found = dict(session.execute(query).all())
    for key, message_id in keys.items():
        if key not in found:
            raise NotFound(_UNKNOWN.format(message_id))
    return _again(session, Delivery.id.in_(found.values()))


def replay_missed(session: Session, webhook: Webhook, since: datetime, until: datetime) -> int:
    """Send what failed in a span of time, and what was never sent as it was disabled; return how many."""
    mine = [Notice.created_at >= since, Notice.created_at < until, Notice.type != life.WEBHOOK_TEST]
    mine.append(
        Notice.client_id.is_(None) if webhook.client_id is None else Notice.client_id == webhook.client_id
    )
    if webhook.context_id is not None:
        mine.append(Notice.context_id == webhook.context_id)
    if webhook.types:
        mine.append(Notice.type.in_(webhook.types))
    failed = and_(
        Delivery.webhook_id == webhook.id,
        Delivery.state == life.FAILED,
        Delivery.notice_id.in_(select(Notice.id).where(*mine)),
    )
    count = _again(session, failed)
    is_there = exists().where(Delivery.webhook_id == webhook.id, Delivery.notice_id == Notice.id)
    now = utc_now()
    values = {
        "webhook_id": literal(webhook.id, Delivery.webhook_id.type),
        "notice_id": Notice.id,
        "state": literal(life.PENDING, String()),
        "attempt_count": literal(0),
        "claim": literal(0),
        "due_at": database_now(),
        "attempts": literal([], Delivery.attempts.type),
        "created_at": literal(now, Delivery.created_at.type),
        "updated_at": literal(now, Delivery.created_at.type),
    }
    missed = select(*values.values()).where(*mine, ~is_there)
    sending = insert(Delivery).from_select(list(values), missed, include_defaults=False)
    # Counted by what comes back: an INSERT … SELECT has no row count everywhere.
    return count + len(session.execute(sending.returning(Delivery.id)).all())


def _fail(
    session: Session, hook: Webhook, delivery: Delivery, attempt: Attempt, chance: float, at: float
) -> None:
    delay = life.delay_seconds(delivery.attempt_count, chance, attempt.retry_after_seconds)
    if hook.failing_since is None:
        hook.failing_since = at
    if delay is None or attempt.status == 410:
        delivery.state = life.FAILED
    else:
        delivery.due_at = at + delay
    if attempt.status == 410:
        webhooks.disable(session, hook, life.GONE)
    elif at - hook.failing_since >= life.DISABLED_AFTER_SECONDS:
        webhooks.disable(session, hook, life.FAILING)
    elif attempt.status in life.THROTTLED:
        asked = attempt.retry_after_seconds or life.THROTTLE_SECONDS
        hook.paused_until = at + min(asked, life.LONGEST_DELAY)


def _written(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": attempt.status,
        "error": attempt.error[:MOST_ERROR_LENGTH] if attempt.error else None,
        "milliseconds": attempt.milliseconds,
    }


def _again(session: Session, chosen: ColumnElement[bool]) -> int:
    starting = update(Delivery).where(chosen, Delivery.state != life.PENDING)
    values = {"state": life.PENDING, "attempt_count": 0, "due_at": database_now(), "updated_at": utc_now()}
    return _count(session.execute(starting.values(**values), execution_options=_UNSYNCHRONIZED))


def _is_due(at: Any) -> list[ColumnElement[bool]]:
    return [*_is_waiting(at), *_is_listening(at), ~_is_busy(at)]


def _is_waiting(at: Any) -> list[ColumnElement[bool]]:
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < at)
    return [Delivery.state == life.PENDING, Delivery.due_at <= at, free]


def _is_listening(at: Any) -> list[ColumnElement[bool]]:
    is_patient = or_(Webhook.paused_until.is_(None), Webhook.paused_until <= at)
    return [notices.may_be_told(), is_patient]


def _is_busy(at: Any) -> ColumnElement[bool]:
    """A receiver gets one notice at a time: one that hangs holds up only itself."""
    other = aliased(Delivery)
    return exists().where(
        other.webhook_id == Delivery.webhook_id, other.state == life.PENDING, other.lease_until >= at
    )


def message_id_of(key: uuid.UUID) -> str:
    """Return the id by which receivers know a notice, the same however often it is sent."""
    return f"{_PREFIX}{key.hex}"


def _key(message_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=message_id.removeprefix(_PREFIX))
    except ValueError:
        raise NotFound(_UNKNOWN.format(message_id)) from None


def _now(now: float | None) -> Any:
    return database_now() if now is None else literal(now, database_now.type)


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
