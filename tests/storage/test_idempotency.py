from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lookalike.errors import Conflict, InvalidInput
from storage import idempotency
from storage.db import Database
from storage.idempotency import Answer, Request
from storage.models import IdempotencyKey
from tests.racing import race

REQUEST = Request("client", "POST", "/v1/contexts", "key-1", b"h" * 32)
ANSWER = Answer(201, {"Location": "/v1/contexts/1"}, b'{"id":1}')


def begin(database: Database, request: Request = REQUEST) -> Answer | None:
    with database.transaction() as session:
        return idempotency.begin(session, request)


def age(database: Database, by: timedelta) -> None:
    with database.transaction() as session:
        for row in session.query(IdempotencyKey):
            row.created_at -= by


def test_a_request_sent_twice_is_answered_the_same(database: Database) -> None:
    assert begin(database) is None
    with database.transaction() as session:
        idempotency.finish(session, REQUEST, ANSWER)
    assert begin(database) == ANSWER
    assert begin(database, replace(REQUEST, client_id="other")) is None


def test_another_body_or_a_request_that_still_runs_is_refused(database: Database) -> None:
    assert begin(database) is None
    with pytest.raises(Conflict):
        begin(database)
    with pytest.raises(InvalidInput):
        begin(database, replace(REQUEST, request_hash=b"x" * 32))


def test_a_request_that_failed_or_died_may_be_sent_again(database: Database) -> None:
    assert begin(database) is None
    with database.transaction() as session:
        idempotency.abandon(session, REQUEST)
    assert begin(database) is None
    age(database, idempotency.PATIENCE + timedelta(seconds=1))
    assert begin(database) is None


def test_a_key_is_free_again_after_a_day(database: Database) -> None:
    assert begin(database) is None
    with database.transaction() as session:
        idempotency.finish(session, REQUEST, ANSWER)
    age(database, idempotency.LIFETIME + timedelta(seconds=1))
    assert begin(database, replace(REQUEST, request_hash=b"x" * 32)) is None
    age(database, idempotency.LIFETIME + timedelta(seconds=1))
    with database.transaction() as session:
        assert idempotency.expire(session) == 1


def test_of_many_at_once_one_is_the_first(database: Database) -> None:
    outcomes: list[str] = []

    def ask(_: int) -> None:
        try:
            begin(database)
            outcomes.append("first")
        except Conflict:
            outcomes.append("refused")

    assert race(ask, range(5)) == []
    assert sorted(outcomes) == ["first"] + ["refused"] * 4
