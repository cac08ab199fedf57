"""Notices: what happened, written in the transaction in which it happened, with its deliveries.

So nothing is told that was rolled back, and nothing is left out that was committed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, delete, exists, select
from sqlalchemy.orm import Session

from lookalike import notices as life
from lookalike.ids import new_id
from storage.db import now as database_now
from storage.models import Client, Context, Delivery, Notice, Webhook
from storage.types import utc_now

KEPT_FOR = timedelta(days=30)
_CHUNK = 500


def announce(
    session: Session,
    kind: str,
    data: dict[str, Any],
    *,
    context_id: uuid.UUID | None = None,
    client_id: str | None = None,
) -> Notice:
    """Tell of an event in the caller's transaction: to pages that listen, and to each webhook that wants it.

    `kind` is one of lookalike.notices.TYPES, `data` thin: ids, counts and where to read more. Of what happens
    in a context its client is told.
    """
    if context_id is not None:
        client_id = session.scalar(select(Context.client_id).where(Context.id == context_id))
    notice = _add(session, kind, data, context_id, client_id)
    wanting = [hook for hook in _enabled(session, client_id) if wants(hook, notice)]
    deliver(session, notice, wanting)
    return notice


def announce_to(
    session: Session, webhook: Webhook, kind: str, data: dict[str, Any]
) -> tuple[Delivery, Notice]:
    """Tell one webhook alone."""
    notice = _add(session, kind, data, webhook.context_id, webhook.client_id)
    return deliver(session, notice, [webhook])[0], notice


def wants(webhook: Webhook, notice: Notice) -> bool:
    """Tell whether a webhook of the notice's client is to be told."""
    of_context = webhook.context_id is None or webhook.context_id == notice.context_id
    return of_context and (not webhook.types or notice.type in webhook.types)


def may_be_told() -> ColumnElement[bool]:
    """The condition that a webhook is enabled, and not that of a client who has been revoked."""
    is_revoked = exists().where(Client.id == Webhook.client_id, Client.revoked_at.is_not(None))
    return Webhook.disabled_reason.is_(None) & ~is_revoked


def deliver(session: Session, notice: Notice, webhooks: Sequence[Webhook]) -> list[Delivery]:
    """Put a notice on its way to webhooks, due at once."""
    if not webhooks:
        return []
    due_at = session.scalars(select(database_now())).one()
    made = [
        Delivery(
            webhook_id=webhook.id,
            notice_id=notice.id,
            state=life.PENDING,
            attempt_count=0,
            claim=0,
            due_at=due_at,
            attempts=[],
        )
        for webhook in webhooks
    ]
    session.add_all(made)
    session.flush()
    return made


def since(
    session: Session,
    client_id: str | None,
    after: datetime,
    *,
    context_id: uuid.UUID | None = None,
    limit: int = 1000,
) -> list[Notice]:
    """Return what a client (None: everybody) was told from a time on, oldest first."""
    query = select(Notice).where(Notice.created_at >= after, Notice.type != life.WEBHOOK_TEST)
    if client_id is not None:
        query = query.where(Notice.client_id == client_id)
    if context_id is not None:
        query = query.where(Notice.context_id == context_id)
    return list(session.scalars(query.order_by(Notice.id).limit(limit)))


def after(session: Session, context_id: uuid.UUID, notice_id: int, limit: int) -> list[Notice]:
    """Return what was told of a context after a notice, oldest first."""
    query = select(Notice).where(Notice.context_id == context_id, Notice.id > notice_id)
    query = query.where(Notice.type != life.WEBHOOK_TEST).order_by(Notice.id).limit(limit)
    return list(session.scalars(query))


def expire(session: Session, before: datetime) -> int:
    """Delete some notices that are older and on their way to nobody who listens; return how many."""
    pending = exists().where(
        Delivery.notice_id == Notice.id,
        Delivery.state == life.PENDING,
        Webhook.id == Delivery.webhook_id,
        Webhook.disabled_reason.is_(None),
    )
    old = select(Notice.id).where(Notice.created_at < before, ~pending).limit(_CHUNK)
    result = session.execute(delete(Notice).where(Notice.id.in_(old)))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _add(
    session: Session, kind: str, data: dict[str, Any], context_id: uuid.UUID | None, client_id: str | None
) -> Notice:
    if kind not in life.TYPES:
        raise ValueError(f"there is no notice of type {kind!r}")
    at = utc_now()
    told = {"type": kind, "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    notice = Notice(
        key=new_id(),
        client_id=client_id,
        context_id=context_id,
        type=kind,
        payload=json.dumps({**told, "data": data}, separators=(",", ":"), ensure_ascii=False),
        created_at=at,
    )
    session.add(notice)
    session.flush()
    return notice


def _enabled(session: Session, client_id: str | None) -> Sequence[Webhook]:
    mine = Webhook.client_id.is_(None) if client_id is None else Webhook.client_id == client_id
    return session.scalars(select(Webhook).where(mine, may_be_told())).all()
