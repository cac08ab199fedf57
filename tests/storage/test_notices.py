from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from lookalike import jobs as life
from lookalike import notices as kinds
from storage import contexts, jobs, notices
from storage.db import Database, Session
from storage.models import Notice
from storage.types import utc_now
from tests.storage import samples
from tests.storage.test_groups import new_groups

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def told(session: Session, client_id: str | None = None) -> list[tuple[str, dict[str, object]]]:
    found = notices.since(session, client_id, LONG_AGO)
    return [(notice.type, json.loads(notice.payload)["data"]) for notice in found]


def test_how_a_job_ends_is_told_in_the_transaction_that_ends_it(database: Database) -> None:
    context_id = samples.add_context(database)
    with database.transaction() as session:
        failing, cancelled, succeeding = (
            samples.add_job(session, context_id, state=state)
            for state in (life.RUNNING, life.CANCELLING, life.RUNNING)
        )
    with database.transaction() as session:
        jobs.fail(session, failing, "stage_failed", "It did not work.", expiry_days=1)
        assert told(session)
        session.rollback()
    with database.reading() as session:
        assert told(session) == []
    with database.transaction() as session:
        assert jobs.fail(session, failing, "stage_failed", "It did not work.", expiry_days=1)
        assert not jobs.fail(session, failing, "stage_failed", "Twice.", expiry_days=1)
        assert jobs.finish_cancel(session, cancelled, expiry_days=1)
        assert jobs.succeed(session, succeeding, expiry_days=1)
    with database.reading() as session:
        assert [(kind, data["job_id"]) for kind, data in told(session)] == [
            (kinds.JOB_FAILED, str(failing)),
            (kinds.JOB_CANCELLED, str(cancelled)),
            (kinds.JOB_SUCCEEDED, str(succeeding)),
        ]
        assert told(session)[0][1]["error"] == {"code": "stage_failed", "detail": "It did not work."}


def test_new_groups_are_told_with_their_counts_and_where_to_read_them(database: Database) -> None:
    context_id = samples.add_context(database)
    found = new_groups([(1, 1000, "original", 0), (2, 950, "resized", 0)], reclaimable=[7])
    job_ids = []
    for new_count in (1, 0):
        with database.transaction() as session:
            job_ids.append(samples.add_job(session, context_id, state=life.RUNNING, parameters={}))
            samples.publish(session, job_ids[-1], 900, found).changes = {"new": new_count, "gone": 0}
            jobs.succeed(session, job_ids[-1], expiry_days=1)
    first = job_ids[0]
    with database.reading() as session:
        changed = [data for kind, data in told(session) if kind == kinds.GROUPS_CHANGED]
    assert changed == [
        {
            "job_id": str(first),
            "context_id": str(context_id),
            "kind": "find_duplicates",
            "similarity_threshold": 90.0,
            "group_count": 1,
            "changes": {"new": 1, "gone": 0},
            "url": f"/v1/jobs/{first}/differences",
        }
    ]


def test_a_client_is_told_of_its_own_contexts_only(database: Database) -> None:
    with database.transaction() as session:
        mine, other = (contexts.create(session, name=name, client_id=name).id for name in ("mine", "other"))
        notices.announce(session, kinds.SCHEDULE_SKIPPED, {"number": 1}, context_id=mine)
        notices.announce(session, kinds.SCHEDULE_SKIPPED, {"number": 2}, context_id=other)
        assert told(session, "mine") == [(kinds.SCHEDULE_SKIPPED, {"number": 1})]
        assert len(told(session)) == 2
        with pytest.raises(ValueError, match="no notice of type"):
            notices.announce(session, "schedule.odd", {}, context_id=mine)


def test_old_notices_expire(database: Database) -> None:
    with database.transaction() as session:
        old = notices.announce(session, kinds.JOB_FAILED, {"number": 1})
        old.created_at = utc_now() - timedelta(days=31)
        notices.announce(session, kinds.JOB_FAILED, {"number": 2})
    with database.transaction() as session:
        assert notices.expire(session, utc_now() - notices.KEPT_FOR) == 1
        assert [json.loads(each)["data"] for each in session.scalars(select(Notice.payload))] == [
            {"number": 2}
        ]
