from __future__ import annotations

import pytest

from lookalike import jobs as life
from lookalike.errors import InvalidThreshold, NotFound
from storage import contexts, jobs, uploads
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from storage.types import utc_now
from storage.uploads import Upload
from worker import duplicates, submission
from worker.celery_app import make_app
from worker.dispatch import Dispatcher


def test_who_asks_joins_what_works_unless_it_is_older_than_what_was_asked(
    database: Database, blobs: Blobs, settings: Settings, broker_url: str
) -> None:
    dispatcher = Dispatcher(database, make_app(broker_url, settings))
    with blobs.receiving(b"picture") as received, database.transaction() as session:
        context_id = contexts.create(session, name="c", match_floor=60).id
        uploads.put(session, blobs, context_id, [Upload("a", received)])
    first = duplicates.ask(database, dispatcher, context_id, 90.0)
    assert duplicates.ask(database, dispatcher, context_id, 60.0) == first
    asked_at = utc_now()
    second = duplicates.ask(database, dispatcher, context_id, 90.0, since=asked_at)
    assert second != first
    assert duplicates.ask(database, dispatcher, context_id, 90.0, since=asked_at) == second
    # One that is held or was stopped answers nobody.
    submission.pause(database, dispatcher, second)
    submission.cancel(database, dispatcher, first)
    third = duplicates.ask(database, dispatcher, context_id, 90.0)
    assert third not in (first, second)
    with database.reading() as session:
        assert not duplicates.answers(session, first, asked_at)
        assert jobs.get(session, third).state == life.QUEUED
    with pytest.raises(InvalidThreshold):
        duplicates.ask(database, dispatcher, context_id, 59.9)
    with pytest.raises(NotFound):
        duplicates.ask(database, dispatcher, first, 90.0)
