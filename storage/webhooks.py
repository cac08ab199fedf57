"""Webhooks: the receivers of a client, and the secrets that sign what they are sent."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lookalike import notices as life
from lookalike.errors import Conflict, InvalidInput, NotFound
from lookalike.ids import new_id
from storage import contexts, notices
from storage.models import Delivery, Notice, Webhook
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

MOST_WEBHOOKS = 100
SECRET_BYTES = 32


def create(
    session: Session,
    *,
    client_id: str | None,
    url: str,
    description: str = "",
    types: Sequence[str] = (),
    context_id: uuid.UUID | None = None,
) -> Webhook:
    """Add a receiver with a secret of its own. Raises NotFound for a context of others, InvalidInput."""
    if context_id is not None:
        contexts.get(session, context_id, client_id)
    if len(_all(session, client_id)) >= MOST_WEBHOOKS:
        raise InvalidInput(f"There are {MOST_WEBHOOKS} webhooks already: delete some first.")
    webhook = Webhook(
        id=new_id(),
        client_id=client_id,
        context_id=context_id,
        url=url,
        description=description,
        types=checked_types(types),
        secret=new_secret(),
    )
    session.add(webhook)
    session.flush()
    return webhook


def get(session: Session, webhook_id: uuid.UUID, client_id: str | None = None) -> Webhook:
    """Return a webhook. Raises NotFound, also when it is another client's."""
    webhook = session.get(Webhook, webhook_id, populate_existing=True)
    if webhook is None or (client_id is not None and webhook.client_id != client_id):
        raise NotFound(f"There is no webhook {webhook_id}.")
    return webhook


def get_enabled(session: Session, webhook_id: uuid.UUID, client_id: str | None = None) -> Webhook:
    """Return a webhook that can be sent something. Raises NotFound, Conflict."""
    webhook = get(session, webhook_id, client_id)
    if webhook.disabled_reason is not None:
        raise Conflict("The webhook is disabled: enable it first.")
    return webhook


def page(session: Session, client_id: str | None, limit: int, cursor: str | None = None) -> Page[Webhook]:
    """List webhooks, oldest first; of one client, or of all if client_id is None."""
    query = select(Webhook).order_by(Webhook.id).limit(checked_limit(limit) + 1)
    if client_id is not None:
        query = query.where(Webhook.client_id == client_id)
    if cursor is not None:
        query = query.where(Webhook.id > _uuid(decode_cursor(cursor, str)[0]))
    return page_of(session.scalars(query).all(), limit, key=lambda webhook: [str(webhook.id)])


def update(session: Session, webhook: Webhook, *, is_enabled: bool | None = None, **values: Any) -> None:
    """Change url, description or types; disable it, or enable it again: what waits is sent at once."""
    if "types" in values:
        values["types"] = checked_types(values["types"])
    for name, value in values.items():
        setattr(webhook, name, value)
    if is_enabled is False and webhook.disabled_reason is None:
        disable(session, webhook, life.BY_REQUEST)
    if is_enabled:
        webhook.disabled_reason = webhook.disabled_at = None
        webhook.failing_since = webhook.paused_until = None
    webhook.updated_at = utc_now()
    session.flush()


def disable(session: Session, webhook: Webhook, reason: str) -> None:
    """Send it nothing more, and tell the client's other receivers and pages if that was not asked for."""
    webhook.disabled_reason, webhook.disabled_at = reason, utc_now()
    session.flush()
    if reason != life.BY_REQUEST:
        told = {"webhook_id": str(webhook.id), "reason": reason, "url": f"/v1/webhooks/{webhook.id}"}
        notices.announce(session, life.WEBHOOK_DISABLED, told, client_id=webhook.client_id)


def delete(session: Session, webhook: Webhook) -> None:
    """Forget a receiver and what is on its way to it."""
    session.delete(webhook)
    session.flush()


def rotate(session: Session, webhook: Webhook, grace_seconds: int) -> None:
    """Give a new secret; the old one signs too for some time, so that a receiver can change over."""
    webhook.old_secret, webhook.secret = webhook.secret, new_secret()
    webhook.old_secret_until = utc_now() + timedelta(seconds=grace_seconds)
    webhook.updated_at = utc_now()
    session.flush()


def test(session: Session, webhook: Webhook) -> tuple[Delivery, Notice]:
    """Send something to this webhook alone."""
    return notices.announce_to(session, webhook, life.WEBHOOK_TEST, {"webhook_id": str(webhook.id)})


def secrets(webhook: Webhook, at: datetime) -> list[str]:
    """Return the secrets that sign at a time, the newest first."""
    is_old_good = webhook.old_secret_until is not None and at < webhook.old_secret_until
    return [webhook.secret, *([webhook.old_secret] if webhook.old_secret and is_old_good else [])]


def new_secret() -> str:
    """Return a secret in the form that receivers know."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def checked_types(types: Sequence[str]) -> list[str]:
    """Return the types of notices that can be asked for, each once; none means all. Raises InvalidInput."""
    if unknown := set(types) - set(life.TYPES):
        raise InvalidInput(f"There are no notices of type {', '.join(sorted(unknown))}.")
    return sorted(set(types))


def _all(session: Session, client_id: str | None) -> Sequence[uuid.UUID]:
    mine = Webhook.client_id.is_(None) if client_id is None else Webhook.client_id == client_id
    return session.scalars(select(Webhook.id).where(mine)).all()


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput(WRONG_CURSOR) from None
