"""Webhooks: who is told what happens, and what became of each notice."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.dependencies import ClientId, Cursor, Limit, Reading, TheParts, Transaction
from api.once import Done, TheOnce, fingerprint
from api.parts import Parts
from api.problems import documented
from api.schemas.values import PageView
from api.schemas.webhooks import (
    DeliveryState,
    DeliveryView,
    NewWebhook,
    Replay,
    Replayed,
    Rotation,
    SecretWebhookView,
    WebhookChange,
    WebhookView,
)
from storage import deliveries, webhooks
from storage.db import Session
from storage.types import utc_now
from worker import receivers

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=documented(404, 422))

DeliveryId = Annotated[str, Path(description="As listed: the `webhook-id` that it is sent with.")]


@router.post(
    "",
    status_code=201,
    responses={
        201: {"model": SecretWebhookView, "description": "The webhook, with its secret."},
        **documented(409, 415),
    },
)
def create_webhook(body: NewWebhook, parts: TheParts, client_id: ClientId, once: TheOnce) -> Response:
    """Have an address of yours told what happens: how jobs end, which groups are new, what schedules do.

    It follows the Standard Webhooks specification: verify what you receive with one of its libraries and the
    secret, which is shown now and not again. The address must begin with https and be public, unless the
    server's settings allow others.
    """
    _check(parts, body.url)

    def act(session: Session) -> Done:
        webhook = webhooks.create(session, client_id=client_id, **body.model_dump())
        location = {"Location": f"/v1/webhooks/{webhook.id}"}
        return Done(201, SecretWebhookView.with_secret(webhook), location)

    return once.do(fingerprint(body), act)


@router.get("")
def list_webhooks(
    session: Reading, client_id: ClientId, limit: Limit = 50, cursor: Cursor = None
) -> PageView[WebhookView]:
    """List webhooks, oldest first; those that were disabled say why."""
    return PageView.of(webhooks.page(session, client_id, limit, cursor).map(WebhookView.of))


@router.get("/{webhook_id}")
def get_webhook(webhook_id: uuid.UUID, session: Reading, client_id: ClientId) -> WebhookView:
    """Show a webhook."""
    return WebhookView.of(webhooks.get(session, webhook_id, client_id))


@router.patch("/{webhook_id}", responses=documented(415))
def change_webhook(
    webhook_id: uuid.UUID, body: WebhookChange, parts: TheParts, client_id: ClientId
) -> WebhookView:
    """Change a webhook, disable it, or enable it again."""
    with parts.database.reading() as session:
        webhooks.get(session, webhook_id, client_id)
    if body.url is not None:
        _check(parts, body.url)
    with parts.database.transaction() as session:
        webhook = webhooks.get(session, webhook_id, client_id)
        webhooks.update(session, webhook, **body.changes())
        return WebhookView.of(webhook)


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: uuid.UUID, session: Transaction, client_id: ClientId) -> None:
    """Delete a webhook; what was on its way is not sent any more."""
    webhooks.delete(session, webhooks.get(session, webhook_id, client_id))


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: uuid.UUID,
    session: Reading,
    client_id: ClientId,
    state: Annotated[DeliveryState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageView[DeliveryView]:
    """List what was sent or is to be sent, newest first, with each attempt and how it ended."""
    webhooks.get(session, webhook_id, client_id)
    page = deliveries.page(session, webhook_id, limit, cursor, state=state)
    return PageView.of(page.map(DeliveryView.of))


@router.get("/{webhook_id}/deliveries/{delivery_id}")
def get_delivery(
    webhook_id: uuid.UUID, delivery_id: DeliveryId, session: Reading, client_id: ClientId
) -> DeliveryView:
    """Show one delivery."""
    webhooks.get(session, webhook_id, client_id)
    return DeliveryView.of(deliveries.get(session, webhook_id, delivery_id))


@router.post("/{webhook_id}/replay", responses=documented(409, 415))
def replay_deliveries(
    webhook_id: uuid.UUID, body: Replay, session: Transaction, client_id: ClientId
) -> Replayed:
    """Send notices again: some by id, or all that were missed since a time. Their `webhook-id` stays."""
    webhook = webhooks.get_enabled(session, webhook_id, client_id)
    if body.delivery_ids is not None:
        return Replayed(replayed=deliveries.replay(session, webhook.id, body.delivery_ids))
    now = utc_now()
    span = (body.since or now, body.until or now)
    return Replayed(replayed=deliveries.replay_missed(session, webhook, *span))


@router.post("/{webhook_id}/rotate", responses=documented(415))
def rotate_secret(
    webhook_id: uuid.UUID, body: Rotation, session: Transaction, client_id: ClientId
) -> SecretWebhookView:
    """Give a webhook a new secret, shown now and not again. For a while the old one signs too."""
    webhook = webhooks.get(session, webhook_id, client_id)
    webhooks.rotate(session, webhook, body.grace_seconds)
    return SecretWebhookView.with_secret(webhook)


@router.post("/{webhook_id}/test", status_code=202, responses=documented(409))
def test_webhook(webhook_id: uuid.UUID, session: Transaction, client_id: ClientId) -> DeliveryView:
    """Send a notice of type `webhook.test` to this webhook alone; its delivery tells what became of it."""
    webhook = webhooks.get_enabled(session, webhook_id, client_id)
    delivery, notice = webhooks.test(session, webhook)
    return DeliveryView.of((delivery, notice))


def _check(parts: Parts, url: str) -> None:
    receivers.check(url, parts.settings)
