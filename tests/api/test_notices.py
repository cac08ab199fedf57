"""What is sent to webhooks against how the API describes it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api import sent
from api.schemas import notices as schemas
from lookalike import jobs as life
from lookalike import notices as kinds
from storage import jobs, schedules, webhooks
from storage.db import Database, clock
from storage.models import Job, Notice, Schedule
from storage.settings import Settings
from tests.storage import samples
from tests.storage.test_groups import new_groups
from worker.schedules import take

DESCRIBED = {
    kind: model
    for model in (
        schemas.JobNotice,
        schemas.GroupsNotice,
        schemas.ScheduleNotice,
        schemas.DisabledNotice,
        schemas.TestNotice,
    )
    for kind in model.model_json_schema()["properties"]["type"].get("enum")
    or [model.model_json_schema()["properties"]["type"]["const"]]
}


def test_everything_that_is_sent_is_as_it_is_described(sqlite_database: Database, settings: Settings) -> None:
    context_id = samples.add_context(sqlite_database)
    with sqlite_database.transaction() as session:
        schedule(session, context_id, {"kind": "extract_features"})
        schedule(session, context_id, {"kind": "import", "source": "/not/permitted"})
        waiting = schedule(session, context_id, {"kind": "apply_rule", "rule": "keep_original"})
        take(session, clock(session), settings)
        # Its job waits for a worker.
        session.get_one(Schedule, waiting).fire_at = clock(session)
        take(session, clock(session), settings)
        for job in session.scalars(select(Job).where(Job.kind == life.APPLY_RULE)):
            jobs.cancel(session, job.id, expiry_days=1)
        failing = samples.add_job(session, context_id, state=life.RUNNING)
        jobs.fail(session, failing, "stage_failed", "It did not work.", expiry_days=1)
        finding = samples.add_job(session, context_id, state=life.RUNNING, parameters={})
        found = new_groups([(1, 1000, "original", 0), (2, 950, "resized", 0)], reclaimable=[7])
        samples.publish(session, finding, 900, found)
        jobs.succeed(session, finding, expiry_days=1)
        webhook = webhooks.create(session, client_id=None, url="https://8.8.8.8/hooks")
        webhooks.test(session, webhook)
        webhooks.disable(session, webhook, kinds.GONE)
    with sqlite_database.reading() as session:
        payloads = [json.loads(payload) for payload in session.scalars(select(Notice.payload))]
    assert {payload["type"] for payload in payloads} == set(kinds.TYPES)
    for payload in payloads:
        DESCRIBED[payload["type"]].model_validate(payload, extra="forbid")


def test_every_type_of_notice_is_described() -> None:
    assert {route.path for route in sent.router.routes} == set(kinds.TYPES) == DESCRIBED.keys()  # type: ignore[attr-defined]


def schedule(session: Session, context_id: uuid.UUID, job: dict[str, Any]) -> uuid.UUID:
    """Make a schedule that is due."""
    moment = clock(session) - 1
    made = schedules.create(
        session, context_id, name="often", job=job, moment=moment - 3600, interval_seconds=3600
    )
    return made.id
