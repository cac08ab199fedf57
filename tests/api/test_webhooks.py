from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lookalike import notices as life
from storage import notices
from storage.db import Database
from storage.settings import Settings
from tests.api.conftest import make_context
from tests.api.test_jobs import events

# In an address that nobody has, so that no name is looked up.
URL = "https://1.1.1.1/hook"


@pytest.fixture
def database(served: tuple[httpx.Client, Settings]) -> Iterator[Database]:
    opened = Database(served[1].database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def webhook(client: httpx.Client, context: str) -> str:
    """The path of a webhook that is told of one context."""
    made = client.post("/v1/webhooks", json={"url": URL, "context_id": context.rpartition("/")[2]})
    assert made.status_code == 201, made.text
    return made.headers["Location"]


def tell(database: Database, context: str, number: int) -> None:
    with database.transaction() as session:
        told = {"number": number}
        notices.announce(session, life.JOB_FAILED, told, context_id=uuid.UUID(context.rpartition("/")[2]))


def test_a_webhook_is_made_changed_and_deleted(client: httpx.Client) -> None:
    made = client.post("/v1/webhooks", json={"url": URL, "types": ["groups.changed"], "description": "mine"})
    path, shown = made.headers["Location"], made.json()
    assert shown.pop("secret").startswith("whsec_")
    assert client.get(path).json() == shown
    assert (shown["is_enabled"], shown["is_failing"], shown["types"]) == (True, False, ["groups.changed"])
    changed = client.patch(path, json={"is_enabled": False, "types": []}).json()
    assert (changed["disabled_reason"], changed["types"], changed["description"]) == (
        "by_request",
        [],
        "mine",
    )
    assert client.post(f"{path}/test").status_code == 409
    assert client.patch(path, json={"is_enabled": True}).json()["disabled_reason"] is None
    listed = client.get("/v1/webhooks", params={"limit": 1000}).json()["items"]
    assert shown["id"] in [each["id"] for each in listed]
    rotated = client.post(f"{path}/rotate", json={"grace_seconds": 60}).json()
    assert rotated["secret"] not in (made.json()["secret"], "")
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_deliveries_are_listed_with_their_outcome_and_replayed(
    client: httpx.Client, context: str, webhook: str, database: Database
) -> None:
    tell(database, context, 1)
    tested = client.post(f"{webhook}/test")
    assert (tested.status_code, tested.json()["type"]) == (202, "webhook.test")
    client.patch(webhook, json={"is_enabled": False})
    tell(database, context, 2)
    tell(database, make_context(client), 3)
    test, first = client.get(f"{webhook}/deliveries").json()["items"]
    assert test == client.get(f"{webhook}/deliveries/{test['id']}").json() == tested.json()
    assert (first["state"], first["attempts"], first["type"]) == ("pending", [], "job.failed")
    assert json.loads(first["payload"])["data"] == {"number": 1}
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert client.post(f"{webhook}/replay", json={"since": since}).status_code == 409
    client.patch(webhook, json={"is_enabled": True})
    assert client.post(f"{webhook}/replay", json={"since": since}).json() == {"replayed": 1}
    missed = client.get(f"{webhook}/deliveries", params={"state": "pending"}).json()["items"]
    numbers = [json.loads(each["payload"])["data"].get("number") for each in missed]
    assert numbers == [2, None, 1]
    # What is on its way already is not sent twice.
    assert client.post(f"{webhook}/replay", json={"delivery_ids": [first["id"]]}).json() == {"replayed": 0}
    assert client.post(f"{webhook}/replay", json={"delivery_ids": ["msg_1"]}).status_code == 404
    assert client.post(f"{webhook}/replay", json={}).status_code == 422


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://1.1.1.1/hook", "invalid_input"),
        ("https://127.0.0.1/hook", "forbidden_address"),
        ("https://[::1]/hook", "forbidden_address"),
        ("https://169.254.169.254/latest", "forbidden_address"),
        ("https://10.1.2.3/", "forbidden_address"),
        ("https://name:secret@1.1.1.1/", "invalid_input"),
        ("ftp://1.1.1.1/", "invalid_input"),
        ("https://", "invalid_input"),
    ],
)
def test_addresses_that_nothing_would_be_sent_to_are_refused(
    client: httpx.Client, webhook: str, url: str, code: str
) -> None:
    for answer in (
        client.post("/v1/webhooks", json={"url": url}),
        client.patch(webhook, json={"url": url}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert client.get(webhook).json()["url"] == URL


def test_what_happens_in_a_context_is_streamed(
    client: httpx.Client, context: str, database: Database
) -> None:
    tell(database, context, 1)
    with client.stream("GET", f"{context}/events") as stream:
        lines = stream.iter_lines()
        # Who has the first line is listening.
        assert next(lines).startswith("retry")
        tell(database, make_context(client), 2)
        tell(database, context, 3)
        name, told = next(events(lines))
    assert (name, told["data"]) == ("job.failed", {"number": 3})
    with database.reading() as session:
        first = notices.after(session, uuid.UUID(context.rpartition("/")[2]), 0, 1)[0]
    # Who comes back is told what was missed.
    with client.stream("GET", f"{context}/events", headers={"Last-Event-ID": str(first.id)}) as stream:
        assert next(events(stream.iter_lines())) == (name, told)
