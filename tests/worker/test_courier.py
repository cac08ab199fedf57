"""Webhooks against real receivers on this machine; the clock of back-off and leases is ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from lookalike import notices as life
from storage import clients, deliveries, notices, webhooks
from storage.db import Database, Session
from storage.models import Delivery, Webhook
from storage.types import utc_now
from tests.worker.installations import Installation, until
from worker.courier import Courier
from worker.outbound import Outbound

START = 1_900_000_000.0
HOUR = 3600.0


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers what it is told to: a status, or a function that talks for itself."""

    url: str = ""
    answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[Received] = field(default_factory=list)

    def events(self) -> list[Any]:
        return [json.loads(each.body)["data"]["number"] for each in self.heard]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["content-length"])
        named = {name.lower(): value for name, value in handler.headers.items()}
        self.heard.append(Received(handler.path, named, handler.rfile.read(length)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [204])[0]
        if not isinstance(answer, int):
            answer(handler)
            return
        handler.send_response(answer)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()


@contextmanager
def receiving(*answers: int | Callable[[BaseHTTPRequestHandler], None], **headers: str) -> Iterator[Receiver]:
    receiver = Receiver(answers=list(answers), headers={k.replace("_", "-"): v for k, v in headers.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def do_GET(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class World:
    """A database with webhooks, and a courier whose clock stands still unless it is moved."""

    def __init__(self, database: Database, **values: Any) -> None:
        self.database, self.now = database, START
        given: dict[str, Any] = {"allow_http": True, "attempt_seconds": 5.0, **values}
        outbound = Outbound(allow_private=given.pop("allow_private", True))
        self.courier = Courier(database, outbound, clock=lambda: self.now, chance=lambda: 0.5, **given)

    def add(self, url: str, *types: str) -> Webhook:
        with self.database.transaction() as session:
            return webhooks.create(session, client_id=None, url=url, types=types)

    def tell(self, number: int, kind: str = life.JOB_SUCCEEDED) -> None:
        with self.database.transaction() as session:
            notice = notices.announce(session, kind, {"number": number})
            for delivery in session.query(Delivery).where(Delivery.notice_id == notice.id):
                delivery.due_at = self.now

    def change(self, webhook: Webhook, act: Callable[[Session, Webhook], Any]) -> Any:
        with self.database.transaction() as session:
            return act(session, webhooks.get(session, webhook.id))

    def seen(self, webhook: Webhook) -> Webhook:
        with self.database.reading() as session:
            return webhooks.get(session, webhook.id)

    def states(self, webhook: Webhook) -> list[str]:
        with self.database.reading() as session:
            return [row[0].state for row in reversed(deliveries.page(session, webhook.id, 100).items)]

    def attempts(self, webhook: Webhook) -> list[dict[str, Any]]:
        with self.database.reading() as session:
            return list(deliveries.page(session, webhook.id, 1).items[0][0].attempts)

    def courier_at(self, now: float) -> str | None:
        self.now, kept = now, self.now
        try:
            return self.courier.send_one()
        finally:
            self.now = kept

    def attempts_of_first(self, webhook: Webhook) -> list[dict[str, Any]]:
        with self.database.reading() as session:
            return list(deliveries.page(session, webhook.id, 100).items[-1][0].attempts)

    def send_all(self) -> list[str]:
        found = []
        while (state := self.courier.send_one()) is not None:
            found.append(state)
        return found


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)


def test_a_receiver_can_tell_that_it_comes_from_us(world: World) -> None:
    with receiving() as receiver:
        webhook = world.add(receiver.url)
        world.now = time.time()
        world.tell(1)
        assert world.send_all() == [life.DELIVERED]
    (got,) = receiver.heard
    payload = json.loads(got.body)
    assert Verifier(webhook.secret).verify(got.body, got.headers) == payload
    assert payload == {"type": "job.succeeded", "timestamp": payload["timestamp"], "data": {"number": 1}}
    # The same by hand, as the specification writes it.
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert got.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Verifier(webhooks.new_secret()).verify(got.body, got.headers)


def test_an_old_secret_signs_too_for_some_time(world: World) -> None:
    with receiving() as receiver:
        webhook = world.add(receiver.url)
        world.now = time.time()
        world.change(webhook, lambda session, hook: webhooks.rotate(session, hook, 3600))
        world.tell(1)
        world.send_all()
        world.change(webhook, lambda _, hook: setattr(hook, "old_secret_until", utc_now()))
        world.tell(2)
        world.send_all()
    new = world.seen(webhook).secret
    first, second = receiver.heard
    assert new != webhook.secret
    for secret in (webhook.secret, new):
        Verifier(secret).verify(first.body, first.headers)
    Verifier(new).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook.secret).verify(second.body, second.headers)


def test_a_receiver_that_fails_for_days_is_tried_as_scheduled_and_then_left_alone(database: Database) -> None:
    world = World(database)
    with receiving(500) as failing, receiving() as other:
        webhook = world.add(failing.url)
        watching = world.add(other.url, life.WEBHOOK_DISABLED)
        world.tell(1)
        tried = []
        for delay in (0.0, *life.DELAYS):
            # Before its time nothing is sent.
            world.now += delay
            assert not tried or world.courier_at(world.now - 1) is None
            assert world.send_all() != []
            tried.append(world.now - START)
        assert tried[-1] == pytest.approx(75 * HOUR + 35 * 60 + 5)
        assert len(failing.heard) == 10
        assert len({each.headers["webhook-id"] for each in failing.heard}) == 1
        stamps = [int(each.headers["webhook-timestamp"]) - int(START) for each in failing.heard]
        assert stamps == pytest.approx(tried, abs=1)
        assert world.states(webhook) == [life.FAILED]
        assert [each["status"] for each in world.attempts(webhook)] == [500] * 10
        assert world.seen(webhook).disabled_reason == life.FAILING
        # Nothing more is made for it, and others are told.
        world.tell(2)
        world.now += 365 * 24 * HOUR
        world.send_all()
        assert world.states(webhook) == [life.FAILED]
        assert json.loads(other.heard[0].body)["data"]["reason"] == life.FAILING
        assert world.states(watching) == [life.DELIVERED]


def test_what_waited_and_what_was_missed_can_be_sent_when_a_receiver_is_back(database: Database) -> None:
    world = World(database)
    with receiving(410, 204) as receiver:
        webhook = world.add(receiver.url)
        world.tell(1)
        world.tell(2)
        assert world.send_all() == [life.FAILED]
        assert world.seen(webhook).disabled_reason == life.GONE
        world.tell(3)
        world.now += 30 * 24 * HOUR
        assert world.send_all() == []
        world.change(webhook, lambda session, hook: webhooks.update(session, hook, is_enabled=True))
        assert world.send_all() == [life.DELIVERED]
        assert receiver.events() == [1, 2]
        span = (utc_now() - timedelta(hours=1), utc_now() + timedelta(hours=1))
        count = world.change(webhook, lambda session, hook: deliveries.replay_missed(session, hook, *span))
        # The first, which failed, and the third, which was never on its way; and that it was disabled.
        assert count == 3
        assert world.send_all() == [life.DELIVERED] * 3
    assert sorted(each["number"] for each in map(_data, receiver.heard) if "number" in each) == [1, 1, 2, 3]
    assert receiver.heard[0].headers["webhook-id"] in [e.headers["webhook-id"] for e in receiver.heard[2:]]


def _data(received: Received) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(received.body)["data"]
    return data


def test_one_that_hangs_and_one_that_drips_hold_up_nobody(sqlite_database: Database) -> None:
    let_go = threading.Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        let_go.wait(20)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        # Never silent, never done.
        for _ in range(200):
            handler.wfile.write(b"H")
            if let_go.wait(0.05):
                return

    world = World(sqlite_database, attempt_seconds=0.6)
    with receiving(hang) as hanging, receiving(drip) as dripping, receiving() as good:
        slow = [world.add(hanging.url), world.add(dripping.url)]
        quick = world.add(good.url)
        for number in range(5):
            world.tell(number)
        started = time.monotonic()

        def all_good() -> bool:
            world.courier.look()
            return world.states(quick) == [life.DELIVERED] * 5

        until(all_good, 10)
        # The slow ones get one at a time, and are not waited for.
        until(lambda: all(len(world.attempts_of_first(hook)) == 1 for hook in slow), 10)
        assert time.monotonic() - started < 8
        let_go.set()
        for hook in slow:
            (attempt,) = world.attempts_of_first(hook)
            assert attempt["status"] is None
            assert 400 < attempt["milliseconds"] < 5000


def test_what_a_dead_worker_had_in_hand_is_sent_by_another(database: Database) -> None:
    world = World(database)
    with receiving() as receiver:
        webhook = world.add(receiver.url)
        world.tell(1)
        with database.transaction() as session:
            (delivery_id,) = deliveries.due(session, 10, world.now)
            lost = deliveries.claim(session, delivery_id, world.now)
            assert lost is not None
            assert deliveries.claim(session, delivery_id, world.now) is None
        assert world.send_all() == []
        world.now += deliveries.LEASE_SECONDS + 1
        assert world.send_all() == [life.DELIVERED]
        # It was slow, not dead: what it brings now counts no more.
        attempt = deliveries.Attempt(utc_now(), None, "too late", 1)
        with database.transaction() as session:
            assert deliveries.finish(session, lost, attempt, 0.5, world.now) is None
        assert [each["status"] for each in world.attempts(webhook)] == [204]
        assert receiver.heard[0].headers["webhook-id"] == f"msg_{lost.key.hex}"


def test_a_receiver_that_asks_for_peace_gets_it(world: World) -> None:
    with receiving(429, 204, Retry_After="120") as receiver:
        webhook = world.add(receiver.url)
        world.tell(1)
        world.tell(2)
        assert world.send_all() == [life.PENDING]
        world.now += 119
        assert world.send_all() == []
        world.now += 2
        assert world.send_all() == [life.DELIVERED] * 2
        assert receiver.events() == [1, 1, 2]
        assert world.seen(webhook).failing_since is None


def test_redirects_are_not_followed(world: World) -> None:
    with receiving() as elsewhere, receiving(302, Location=elsewhere.url) as receiver:
        webhook = world.add(receiver.url)
        world.tell(1)
        assert world.send_all() == [life.PENDING]
        assert [each["status"] for each in world.attempts(webhook)] == [302]
        assert elsewhere.heard == []


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        ({"allow_private": False}, "public addresses only"),
        ({"allow_http": False}, "Nothing is sent in the clear"),
    ],
)
def test_nothing_goes_to_private_addresses_or_in_the_clear(
    sqlite_database: Database, allowed: dict[str, bool], told: str
) -> None:
    world = World(sqlite_database, **allowed)
    with receiving() as receiver:
        webhook = world.add(receiver.url)
        world.tell(1)
        assert world.send_all() == [life.PENDING]
        (attempt,) = world.attempts(webhook)
        assert told in attempt["error"]
        assert (attempt["status"], receiver.heard) == (None, [])


def test_jitter_spreads_attempts_and_a_long_wait_ends() -> None:
    assert life.delay_seconds(1, 0.0) == pytest.approx(4.5)
    assert life.delay_seconds(1, 1.0) == pytest.approx(5.5)
    assert life.delay_seconds(1, 0.5, asked_seconds=1e9) == life.LONGEST_DELAY
    assert life.delay_seconds(10, 0.5) is None


def test_a_worker_tells_how_a_job_has_ended(lasting: Installation) -> None:
    context_id = lasting.context()
    with receiving() as receiver:
        with lasting.database.transaction() as session:
            webhooks.create(session, client_id=None, url=receiver.url, context_id=context_id)
        job_id = lasting.submit(context_id)
        until(lambda: receiver.heard)
    payload = json.loads(receiver.heard[0].body)
    assert (payload["type"], payload["data"]["job_id"]) == ("job.succeeded", str(job_id))
    assert payload["data"]["url"] == f"/v1/jobs/{job_id}"


def test_a_revoked_client_is_told_nothing_more(database: Database) -> None:
    world = World(database)
    webhook = world.add("http://127.0.0.1:9/hook")
    with database.transaction() as session:
        client_id = clients.add(session, "phone").client.id
        clients.adopt(session, client_id)
        notices.announce(session, life.JOB_FAILED, {"number": 1}, client_id=client_id)
        clients.revoke(session, client_id)
        notices.announce(session, life.JOB_FAILED, {"number": 2}, client_id=client_id)
    with receiving() as receiver:
        world.change(webhook, lambda _, hook: setattr(hook, "url", receiver.url))
        assert world.send_all() == []
        with database.transaction() as session:
            clients.renew(session, client_id)
        assert world.send_all() == [life.DELIVERED]
        assert receiver.events() == [1]
