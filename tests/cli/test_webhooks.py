"""`lookalike webhooks`, on a data directory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from lookalike.errors import Conflict, InvalidInput, NotFound
from storage import clients, contexts, deliveries, webhooks
from storage.db import Database
from storage.deliveries import Attempt
from storage.types import utc_now
from worker.outbound import ForbiddenAddress

# Of a block that is public, so that no name has to be resolved.
URL = "https://8.8.8.8/hooks"


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{data_dir / 'lookalike.db'}")
    yield opened
    opened.dispose()


def run(data_dir: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["webhooks", *words, "--data-dir", str(data_dir)])
    if result.exception is not None:
        raise result.exception
    return result.stdout.strip()


def added(data_dir: Path, *options: str) -> tuple[str, str]:
    """Add a webhook and return its id and its secret."""
    told = dict(line.split("=", 1) for line in run(data_dir, "add", URL, *options).splitlines())
    return told["webhook_id"], told["secret"]


def answered(database: Database, status: int) -> None:
    """Have the one receiver answer what is due."""
    with database.transaction() as session:
        (due,) = deliveries.due(session, 2)
        claimed = deliveries.claim(session, due)
        assert claimed is not None
        assert deliveries.finish(session, claimed, Attempt(utc_now(), status, None, 12), 0.5) is not None


def test_a_webhook_is_added_listed_given_a_new_secret_and_removed(data_dir: Path, database: Database) -> None:
    webhook, secret = added(data_dir, "--type", "job.failed", "--type", "groups.changed")
    assert run(data_dir, "list") == f"{webhook}  {URL}  groups.changed, job.failed  enabled"
    renewed = run(data_dir, "rotate", webhook, "--grace", "60").removeprefix("secret=")
    assert renewed.startswith("whsec_")
    with database.reading() as session:
        found = webhooks.get(session, uuid.UUID(webhook))
        assert webhooks.secrets(found, utc_now()) == [renewed, secret]
    run(data_dir, "remove", webhook)
    assert run(data_dir, "list") == ""
    with pytest.raises(NotFound):
        run(data_dir, "remove", webhook)


def test_what_was_sent_is_listed_and_sent_again(data_dir: Path, database: Database) -> None:
    webhook, _ = added(data_dir)
    message = run(data_dir, "test", webhook)
    assert run(data_dir, "deliveries", webhook).endswith("  webhook.test  pending, 0 attempts")
    answered(database, 204)
    line = run(data_dir, "deliveries", webhook)
    assert line.startswith(f"{message}  20")
    assert line.endswith("  webhook.test  delivered, 1 attempt, the last 204 after 12 ms")
    assert run(data_dir, "deliveries", webhook, "--state", "failed") == ""
    assert run(data_dir, "replay", webhook, message) == "1 notice on the way again."
    answered(database, 410)
    assert run(data_dir, "list").endswith("  disabled (gone)")
    for refused in (("test",), ("replay", message)):
        with pytest.raises(Conflict, match="enable it first"):
            run(data_dir, refused[0], webhook, *refused[1:])
    assert run(data_dir, "enable", webhook).endswith("  enabled")
    assert run(data_dir, "disable", webhook).endswith("  disabled (by_request)")
    run(data_dir, "enable", webhook)
    # What was told of its end has no delivery: it was told nothing any more.
    assert run(data_dir, "replay", webhook, "--since", "2026-01-01") == "1 notice on the way again."
    assert "  webhook.disabled  pending" in run(data_dir, "deliveries", webhook)


def test_a_webhook_belongs_to_the_client_whose_context_it_is_told_of(
    data_dir: Path, database: Database
) -> None:
    with database.transaction() as session:
        owner = clients.add(session, "owner").client.id
        context = str(contexts.create(session, name="theirs", client_id=owner).id)
    added(data_dir, "--context", context, "--description", "Tells the archive")
    assert run(data_dir, "list").endswith(
        f"everything in {context}  enabled  client {owner}  Tells the archive"
    )
    added(data_dir, "--client", owner)
    with pytest.raises(NotFound):
        added(data_dir, "--client", "nobody")


def test_what_makes_no_sense_is_refused(data_dir: Path) -> None:
    with pytest.raises(InvalidInput, match="in the clear"):
        run(data_dir, "add", "http://8.8.8.8/hooks")
    with pytest.raises(ForbiddenAddress):
        run(data_dir, "add", "https://127.0.0.1/hooks")
    with pytest.raises(InvalidInput, match=r"no notices of type job\.lost"):
        run(data_dir, "add", URL, "--type", "job.lost")
    webhook, _ = added(data_dir)
    with pytest.raises(InvalidInput, match="Say what to send again"):
        run(data_dir, "replay", webhook)
    with pytest.raises(NotFound):
        run(data_dir, "replay", webhook, "msg_unknown")
