"""`lookalike webhooks`: who is told what happens; for whoever runs the service."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import DataDir, opened
from cli.report import counted

if TYPE_CHECKING:
    from storage.db import Session
    from storage.models import Delivery, Notice, Webhook

webhooks = typer.Typer(
    help="Addresses that are told what happens: list, add, test, look at deliveries, send again.",
    no_args_is_help=True,
)

MOST_LISTED = 1000
DAY_SECONDS = 24 * 3600

WebhookId = Annotated[uuid.UUID, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]


@webhooks.command("list")
def list_webhooks(data_dir: DataDir = None) -> None:
    """List webhooks, what each is told, and whether it takes it."""
    from storage import webhooks as stored

    with opened(data_dir) as (_, database), database.reading() as session:
        for webhook in stored.page(session, None, MOST_LISTED).items:
            typer.echo(_line(webhook))


@webhooks.command()
def add(
    url: Annotated[str, typer.Argument(help="Begins with https, and leads to a public address.")],
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="What it is told of, such as job.failed; as often as needed, everything if not given.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[uuid.UUID | None, typer.Option(help="Only what happens in this context.")] = None,
    client: Annotated[
        str | None, typer.Option(help="Whose it is, where there are accounts; the context's if not given.")
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Add a webhook and print its id and its secret, which is shown this once."""
    from storage import webhooks as stored
    from worker import receivers

    with opened(data_dir) as (settings, database):
        receivers.check(url, settings)
        with database.transaction() as session:
            webhook = stored.create(
                session,
                client_id=_owner(session, client, context),
                url=url,
                description=description,
                types=types or [],
                context_id=context,
            )
            typer.echo(f"webhook_id={webhook.id}\nsecret={webhook.secret}")


@webhooks.command()
def rotate(
    webhook: WebhookId,
    grace: Annotated[
        int, typer.Option(min=0, max=7 * DAY_SECONDS, metavar="SECONDS", help="The old one signs too.")
    ] = DAY_SECONDS,
    data_dir: DataDir = None,
) -> None:
    """Give a webhook a new secret and print it, this once."""
    from storage import webhooks as stored

    with opened(data_dir) as (_, database), database.transaction() as session:
        found = stored.get(session, webhook)
        stored.rotate(session, found, grace)
        typer.echo(f"secret={found.secret}")


@webhooks.command("test")
def send_test(webhook: WebhookId, data_dir: DataDir = None) -> None:
    """Send a notice of type webhook.test and print its id; `deliveries` tells what became of it."""
    from storage import webhooks as stored
    from storage.deliveries import message_id_of

    with opened(data_dir) as (_, database), database.transaction() as session:
        _, notice = stored.test(session, stored.get_enabled(session, webhook))
        # It leaves from a worker, which looks once a second.
        typer.echo(message_id_of(notice.key))


@webhooks.command()
def deliveries(
    webhook: WebhookId,
    state: Annotated[
        str | None, typer.Option(help="Only those that are pending, delivered or failed.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List what was sent to a webhook or is to be sent, newest first, and how it ended."""
    from storage import deliveries as stored
    from storage import webhooks as receivers

    with opened(data_dir) as (_, database), database.reading() as session:
        receivers.get(session, webhook)
        for delivery, notice in stored.page(session, webhook, most, state=state).items:
            typer.echo(_told(delivery, notice))


@webhooks.command()
def replay(
    webhook: WebhookId,
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE]...", help="Ids as `deliveries` lists them, taken or not."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Or all that failed or was not sent since this time (UTC).", show_default=False),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Send notices again, under the ids that they had."""
    from lookalike.errors import InvalidInput
    from storage import deliveries as stored
    from storage import webhooks as receivers
    from storage.types import utc_now

    if bool(messages) == (since is not None):
        raise InvalidInput("Say what to send again: ids of deliveries, or --since a time.")
    with opened(data_dir) as (_, database), database.transaction() as session:
        found = receivers.get_enabled(session, webhook)
        if since is None:
            count = stored.replay(session, found.id, messages or [])
        else:
            count = stored.replay_missed(session, found, since.replace(tzinfo=UTC), utc_now())
        typer.echo(f"{counted(count, 'notice')} on the way again.")


@webhooks.command()
def disable(webhook: WebhookId, data_dir: DataDir = None) -> None:
    """Have a webhook sent nothing for now; what is on its way waits."""
    _set_enabled(webhook, data_dir, is_enabled=False)


@webhooks.command()
def enable(webhook: WebhookId, data_dir: DataDir = None) -> None:
    """Let a webhook be sent notices again, those that waited first."""
    _set_enabled(webhook, data_dir, is_enabled=True)


@webhooks.command()
def remove(webhook: WebhookId, data_dir: DataDir = None) -> None:
    """Delete a webhook with its deliveries; what was on its way is not sent any more."""
    from storage import webhooks as stored

    with opened(data_dir) as (_, database), database.transaction() as session:
        stored.delete(session, stored.get(session, webhook))


def _set_enabled(webhook_id: uuid.UUID, data_dir: DataDir, *, is_enabled: bool) -> None:
    from storage import webhooks as stored

    with opened(data_dir) as (_, database), database.transaction() as session:
        webhook = stored.get(session, webhook_id)
        stored.update(session, webhook, is_enabled=is_enabled)
        typer.echo(_line(webhook))


def _owner(session: Session, client_id: str | None, context_id: uuid.UUID | None) -> str | None:
    from storage import clients, contexts

    if client_id is not None:
        return clients.get(session, client_id).id
    return None if context_id is None else contexts.get(session, context_id).client_id


def _line(webhook: Webhook) -> str:
    types = ", ".join(webhook.types) or "everything"
    where = f" in {webhook.context_id}" if webhook.context_id else ""
    state = "enabled"
    if webhook.disabled_reason is not None:
        state = f"disabled ({webhook.disabled_reason})"
    elif webhook.failing_since is not None:
        state = "failing"
    of = f"  client {webhook.client_id}" if webhook.client_id else ""
    note = f"  {webhook.description}" if webhook.description else ""
    return f"{webhook.id}  {webhook.url}  {types}{where}  {state}{of}{note}"


def _told(delivery: Delivery, notice: Notice) -> str:
    from storage.deliveries import message_id_of

    at = f"{notice.created_at:%Y-%m-%d %H:%M:%S}"
    ended = f"{delivery.state}, {counted(delivery.attempt_count, 'attempt')}"
    if delivery.attempts:
        last = delivery.attempts[-1]
        ended += f", the last {last['status'] or last['error']} after {last['milliseconds']} ms"
    return f"{message_id_of(notice.key)}  {at}  {notice.type}  {ended}"
