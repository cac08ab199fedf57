"""What nobody can ask for any more: expired jobs, ended images, and bytes and features without an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from storage import browser_sessions, idempotency, notices, removals, schedules, uploads
from storage.blobs import INCOMING, Blobs
from storage.db import Database
from storage.inserts import insert_ignoring
from storage.models import Content, FeatureBlock, Group, Grouping, Image, Job, Lineage, StoredFile, Tag
from storage.types import utc_now

KEPT_RUNS = 30
REMEMBERED_DAYS = 365
# Few enough a transaction that no other writer waits for long.
CHUNK = 500
# A worker may know a content or write a pack some time before the row that refers to it.
GRACE = timedelta(hours=1)
# Blobs that no row names are looked for among those older than this.
BLOB_GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Expired:
    """How many rows of each kind went."""

    jobs: int
    runs: int
    images: int
    contents: int
    blocks: int
    idempotency_keys: int
    browser_sessions: int
    notices: int
    removals: int
    schedule_runs: int


def expire(
    database: Database,
    blobs: Blobs,
    now: datetime | None = None,
    kept_runs: int = KEPT_RUNS,
    remembered_days: int = REMEMBERED_DAYS,
) -> Expired:
    """Delete what has expired and what nothing refers to. Safe beside workers, and beside itself.

    kept_runs: of how many runs the groups are kept, in each context and at each threshold.
    remembered_days: for how long it is known that an image was removed.
    """
    now = now or utc_now()
    return Expired(
        jobs=_expire_jobs(database, now),
        runs=_expire_runs(database, kept_runs),
        images=_repeat(database, _prune_images),
        contents=_repeat(database, lambda session: _collect_contents(session, blobs, now - GRACE)),
        blocks=_repeat(database, lambda session: _collect_blocks(session, blobs, now - GRACE)),
        idempotency_keys=_repeat(database, idempotency.expire, once=True),
        browser_sessions=_repeat(database, browser_sessions.expire, once=True),
        notices=_repeat(database, lambda session: notices.expire(session, now - notices.KEPT_FOR)),
        removals=_repeat(
            database,
            lambda session: removals.expire(session, now - timedelta(days=remembered_days)),
            once=True,
        ),
        schedule_runs=_repeat(database, schedules.expire_runs, once=True),
    )


def sweep(database: Database, blobs: Blobs, now: datetime | None = None) -> int:
    """Delete blobs that no row names, left by processes that died; return how many. Lists the whole store."""
    before = (now or utc_now()) - BLOB_GRACE
    # Uploads that a crash cut short; those that arrive now are younger.
    arrivals = list(blobs.keys(INCOMING, before))
    for key in arrivals:
        blobs.delete(key)
    packs = sum(_sweep_pack(database, blobs, key) for key in blobs.keys("proxies", before))
    return (
        len(arrivals)
        + packs
        + sum(_sweep_content(database, blobs, key) for key in blobs.keys("content", before))
    )


def _repeat(database: Database, step: Callable[[Session], int], *, once: bool = False) -> int:
    """Run a step in transactions of its own until it finds nothing more."""
    total = 0
    while True:
        with database.transaction() as session:
            count = step(session)
        total += count
        if once or not count:
            return total


def _expire_jobs(database: Database, now: datetime) -> int:
    with database.reading() as session:
        job_ids = session.scalars(select(Job.id).where(Job.expires_at < now)).all()
    for job_id in job_ids:
        with database.transaction() as session:
            session.execute(delete(Job).where(Job.id == job_id, Job.expires_at < now))
    return len(job_ids)


def _expire_runs(database: Database, kept_runs: int) -> int:
    """Delete the runs of each lineage but the last ones, and the versions that only those showed."""
    newer = aliased(Grouping)
    count = select(func.count()).where(newer.lineage_id == Grouping.lineage_id, newer.run > Grouping.run)
    old = select(Grouping.id).where(count.scalar_subquery() >= kept_runs)
    with database.transaction() as session:
        runs = _count(session.execute(delete(Grouping).where(Grouping.id.in_(old))))
    _repeat(database, _delete_versions)
    return runs


def _delete_versions(session: Session) -> int:
    """Delete versions that ended before the first run that is left, some at a time."""
    # What ended with that run itself tells what was gone then.
    first = select(func.min(Grouping.run)).where(Grouping.lineage_id == Lineage.id)
    first_run = func.coalesce(first.scalar_subquery(), Lineage.run)
    some = (
        select(Group.lineage_id, Group.from_run, Group.number)
        .join(Lineage, Lineage.id == Group.lineage_id)
        .where(Group.until_run < first_run)
        .limit(CHUNK)
    )
    key = tuple_(Group.lineage_id, Group.from_run, Group.number)
    return _count(session.execute(delete(Group).where(key.in_(some))))


def _prune_images(session: Session) -> int:
    """Delete ended images that no job's revision shows."""
    still_shown = exists().where(
        Job.context_id == Image.context_id, Job.revision.is_not(None), Job.revision < Image.removed_revision
    )
    # A job without a revision yet may have shards that hold row ids.
    unplanned = exists().where(
        Job.context_id == Image.context_id, Job.revision.is_(None), Job.finished_at.is_(None)
    )
    ended = select(Image.id).where(Image.removed_revision.is_not(None), ~still_shown, ~unplanned)
    return _count(session.execute(delete(Image).where(Image.id.in_(ended.limit(CHUNK)))))


def _collect_contents(session: Session, blobs: Blobs, before: datetime) -> int:
    """Delete contents that nothing refers to, and their bytes."""
    unused = select(Content).where(Content.created_at < before, _is_unused()).limit(CHUNK)
    # Held first and looked at again: an upload that came in between has it, or waits and makes a new one.
    held = session.scalars(unused.with_for_update(skip_locked=True)).all()
    held_ids = [content.id for content in held]
    gone = session.execute(
        delete(Content)
        .where(Content.id.in_(held_ids), _is_unused())
        .returning(Content.id, Content.sha256)
        .execution_options(synchronize_session=False)
    ).all()
    for _, sha256 in gone:
        blobs.delete_content(sha256)
    return len(gone)


def _is_unused() -> ColumnElement[bool]:
    """Neither an image has the content nor a file of a storage nor a tag."""
    users = (Image.content_id, StoredFile.content_id, Tag.content_id)
    return and_(*(~exists().where(user == Content.id) for user in users))


def _collect_blocks(session: Session, blobs: Blobs, before: datetime) -> int:
    """Delete blocks of features that no content points to, and their proxies."""
    used = exists().where(Content.block_id == FeatureBlock.id)
    unused = select(FeatureBlock.id).where(FeatureBlock.created_at < before, ~used).limit(CHUNK)
    statement = delete(FeatureBlock).where(FeatureBlock.id.in_(unused)).returning(FeatureBlock.proxies_key)
    keys = session.scalars(statement.execution_options(synchronize_session=False)).all()
    for key in keys:
        blobs.delete(key)
    return len(keys)


def _sweep_pack(database: Database, blobs: Blobs, key: str) -> int:
    named = select(FeatureBlock.id).where(FeatureBlock.proxies_key == key).limit(1)
    with database.reading() as session:
        if session.execute(named).first() is not None:
            return 0
    blobs.delete(key)
    return 1


def _sweep_content(database: Database, blobs: Blobs, key: str) -> int:
    name = key.rsplit("/", 1)[1]
    if name.startswith("."):
        blobs.delete(key)
        return 1
    with database.transaction() as session:
        # A row is made if there is none: whoever uploads the same bytes has one too, and one of us two waits.
        empty = {
            "sha256": bytes.fromhex(name),
            "byte_count": 0,
            "extractor_version": 0,
            "created_at": utc_now(),
        }
        made = session.scalar(insert_ignoring(session, Content).values(empty).returning(Content.id))
        content_id = session.scalars(select(Content.id).where(Content.sha256 == empty["sha256"])).one()
        went = uploads.release(session, blobs, content_id)
        session.execute(delete(Content).where(Content.id == made, _is_unused()))
    return int(went)


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
