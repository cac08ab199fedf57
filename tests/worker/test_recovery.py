from __future__ import annotations

import uuid

from lookalike import jobs as life
from storage import contents, contexts, images, job_errors, jobs, shards
from storage.db import Database
from worker import pipeline, recovery
from worker.stages import extraction

DAYS = 30


def _lose_all(database: Database) -> int:
    """Claim what there is, lose it, and let recovery deal with it; return how many shards there were."""
    with database.transaction() as session:
        claimed = 0
        for job_id in shards.jobs_to_send(session):
            for shard_id in [message.shard_id for message in shards.take_window(session, job_id, 100)]:
                jobs.start(session, shard_id)
                claimed += shards.claim(session, shard_id) is not None
                shards.expire(session, shard_id)
    with database.transaction() as session:
        for shard_id in shards.expired(session):
            if shard := shards.take_expired(session, shard_id):
                recovery.recover(session, shard, DAYS)
    return claimed


def _extraction(database: Database, image_count: int) -> uuid.UUID:
    with database.transaction() as session:
        context_id = contexts.create(session, name="pictures").id
        for number in range(image_count):
            content = contents.ensure(session, bytes([number]) * 32, 10)
            images.put_stored(session, context_id, f"{number}.jpg", content)
        job = jobs.add(
            session, context_id=context_id, kind=life.EXTRACT_FEATURES, stages=[life.EXTRACT], parameters={}
        )
        rows = images.pending(session, context_id).tolist()
        pipeline.begin(session, job, 0, life.EXTRACT, extraction.plan_rows(rows))
    return job.id


def test_a_shard_that_is_lost_three_times_is_split_and_its_images_left_out_one_by_one(
    database: Database,
) -> None:
    job_id = _extraction(database, image_count=3)
    assert [_lose_all(database) for _ in range(life.MOST_LOSSES)] == [1, 1, 1]
    # Each image alone has fewer tries left.
    assert [_lose_all(database) for _ in range(life.MOST_LOSSES - life.LOSSES_OF_A_SINGLE)] == [3, 3]
    with database.reading() as session:
        assert jobs.get(session, job_id).state == life.SUCCEEDED
        found = job_errors.page(session, job_id).items
        assert {(error.image_id, error.code) for error in found} == {
            (f"{number}.jpg", "crashed_worker") for number in range(3)
        }
        (stage,) = jobs.stages(session, job_id)
        assert (stage.done, stage.total, stage.shard_done) == (3, 3, 3)
        # They are not tried again by the next job.
        context_id = jobs.get(session, job_id).context_id
        assert images.pending(session, context_id).tolist() == []


def test_a_walk_that_is_lost_three_times_fails_its_job(database: Database) -> None:
    with database.transaction() as session:
        context_id = contexts.create(session, name="pictures").id
        job = jobs.add(
            session,
            context_id=context_id,
            kind=life.EXTRACT_FEATURES,
            stages=[life.IMPORT, life.EXTRACT],
            parameters={"source": "/"},
        )
        pipeline.advance(session, job.id, DAYS)
    for _ in range(life.MOST_LOSSES):
        assert _lose_all(database) == 1
    with database.reading() as session:
        ended = jobs.get(session, job.id)
        assert (ended.state, ended.error_code) == (life.FAILED, "stage_failed")
        assert "import stage failed 3 times" in str(ended.error_detail)


def test_a_lost_shard_of_a_cancelled_job_is_dropped(database: Database) -> None:
    job_id = _extraction(database, image_count=3)
    with database.transaction() as session:
        (message,) = shards.take_window(session, job_id)
        jobs.start(session, message.shard_id)
        assert shards.claim(session, message.shard_id) is not None
        jobs.cancel(session, job_id, expiry_days=DAYS)
        shards.expire(session, message.shard_id)
    with database.transaction() as session:
        shard = shards.take_expired(session, message.shard_id)
        assert shard is not None
        recovery.recover(session, shard, DAYS)
    with database.reading() as session:
        assert jobs.get(session, job_id).state == life.CANCELLED
