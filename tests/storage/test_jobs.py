from __future__ import annotations

import threading
import uuid

import pytest

from lookalike import jobs as life
from lookalike.errors import Conflict, InvalidInput, NotFound
from storage import contexts, job_errors, jobs, shards
from storage.db import Database, Session
from storage.models import Job, Shard
from storage.shards import WINDOW, ShardPlan
from tests.racing import race

DAYS = 30


def _job(database: Database, shard_count: int = 1, item_count: int = 10) -> uuid.UUID:
    """A queued job whose first stage is planned."""
    with database.transaction() as session:
        context_id = contexts.create(session, name="pictures").id
        job = jobs.add(
            session, context_id=context_id, kind=life.EXTRACT_FEATURES, stages=[life.EXTRACT], parameters={}
        )
        jobs.begin_stage(
            session,
            job.id,
            0,
            item_count=shard_count * item_count,
            shard_count=shard_count,
            queue=life.INTERACTIVE,
        )
        shards.add(session, job.id, 0, [ShardPlan(item_count)] * shard_count)
    return job.id


def _sent(database: Database, job_id: uuid.UUID) -> list[int]:
    with database.transaction() as session:
        return [message.shard_id for message in shards.take_window(session, job_id)]


def _claimed(session: Session, shard_id: int) -> Shard | None:
    jobs.start(session, shard_id)
    return shards.claim(session, shard_id)


def _state(database: Database, job_id: uuid.UUID) -> Job:
    with database.reading() as session:
        return jobs.get(session, job_id)


def test_of_many_who_claim_a_shard_one_wins(database: Database) -> None:
    job_id = _job(database)
    (shard_id,) = _sent(database, job_id)
    start, won = threading.Barrier(6), []

    def claim(_: int) -> None:
        start.wait()
        with database.transaction() as session:
            if shard := _claimed(session, shard_id):
                won.append(shard.attempt)

    assert race(claim, range(6)) == []
    assert won == [1]
    assert _state(database, job_id).state == life.RUNNING


def test_only_the_last_to_claim_can_finish(database: Database) -> None:
    job_id = _job(database)
    (shard_id,) = _sent(database, job_id)
    with database.transaction() as session:
        first = _claimed(session, shard_id)
    assert first is not None
    with database.transaction() as session:
        shards.expire(session, shard_id)
    with database.transaction() as session:
        lost = shards.take_expired(session, shard_id)
        assert lost is not None
        shards.lose(session, lost)
    with database.transaction() as session:
        second = _claimed(session, shard_id)
    assert second is not None
    assert (second.attempt, second.loss_count) == (2, 1)
    with database.transaction() as session:
        assert not shards.renew(session, shard_id, first.attempt)
        assert not shards.finish(session, shard_id, first.attempt, output={}, output_data=None)
        assert shards.renew(session, shard_id, second.attempt)
        assert shards.finish(session, shard_id, second.attempt, output={}, output_data=None)
        assert not shards.finish(session, shard_id, second.attempt, output={}, output_data=None)


def test_a_lease_that_is_renewed_does_not_expire(database: Database) -> None:
    job_id = _job(database)
    (shard_id,) = _sent(database, job_id)
    with database.transaction() as session:
        shard = _claimed(session, shard_id)
        assert shard is not None
        assert shards.expired(session) == []
        shards.expire(session, shard_id)
        assert shards.expired(session) == [shard_id]
        assert shards.renew(session, shard_id, shard.attempt)
        assert shards.expired(session) == []


def test_who_finishes_the_last_shard_is_told_so_once(database: Database) -> None:
    job_id = _job(database, shard_count=3)
    told = []
    for shard_id in _sent(database, job_id):
        with database.transaction() as session:
            shard = _claimed(session, shard_id)
            assert shard is not None
            shards.finish(session, shard.id, shard.attempt, output={}, output_data=None)
            told.append(jobs.count_shard(session, shard, shard.item_count))
    assert told == [False, False, True]
    with database.transaction() as session:
        (stage,) = jobs.stages(session, job_id)
        assert (stage.done, stage.total) == (30, 30)
        assert jobs.end_stage(session, job_id, 0)
        assert not jobs.end_stage(session, job_id, 0)


def test_only_a_window_of_messages_is_out_and_each_claim_makes_room(database: Database) -> None:
    job_id = _job(database, shard_count=10)
    sent = _sent(database, job_id)
    assert len(sent) == WINDOW
    assert _sent(database, job_id) == []
    with database.transaction() as session:
        _claimed(session, sent[0])
    assert len(_sent(database, job_id)) == 1


def test_a_message_is_sent_again_only_when_it_must_have_been_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(database)
    sent = _sent(database, job_id)
    with database.transaction() as session:
        assert shards.take_lost(session, job_id, life.QUEUES) == []
    monkeypatch.setattr(shards, "LOST_SECONDS", -1.0)
    with database.transaction() as session:
        # Another's messages are waiting before it.
        assert shards.take_lost(session, job_id, [life.BULK]) == []
        assert [message.shard_id for message in shards.take_lost(session, job_id, life.QUEUES)] == sent


@pytest.mark.parametrize("stop", [jobs.pause, lambda session, job: jobs.cancel(session, job, expiry_days=1)])
def test_no_shard_of_a_stopped_job_is_claimed_or_sent(database: Database, stop) -> None:  # type: ignore[no-untyped-def]
    job_id = _job(database, shard_count=10)
    sent = _sent(database, job_id)
    with database.transaction() as session:
        stop(session, job_id)
    with database.transaction() as session:
        assert _claimed(session, sent[0]) is None
        assert shards.take_window(session, job_id) == []
        assert shards.take_lost(session, job_id, life.QUEUES) == []


def test_cancelling_waits_for_what_runs(database: Database) -> None:
    job_id = _job(database, shard_count=2)
    sent = _sent(database, job_id)
    with database.transaction() as session:
        shard = _claimed(session, sent[0])
        assert shard is not None
        assert jobs.cancel(session, job_id, expiry_days=DAYS).state == life.CANCELLING
        assert shards.job_state(session, shard.id, shard.attempt) == life.CANCELLING
        assert not jobs.finish_cancel(session, job_id, expiry_days=DAYS)
        shards.release(session, shard.id, shard.attempt)
        assert jobs.finish_cancel(session, job_id, expiry_days=DAYS)
    job = _state(database, job_id)
    assert (job.state, job.finished_at is None) == (life.CANCELLED, False)


def test_a_retry_keeps_what_is_done(database: Database) -> None:
    job_id = _job(database, shard_count=2)
    sent = _sent(database, job_id)
    with database.transaction() as session:
        done = _claimed(session, sent[0])
        assert done is not None
        shards.finish(session, done.id, done.attempt, output={"extracted": 10}, output_data=None)
        jobs.count_shard(session, done, 10)
        other = _claimed(session, sent[1])
        assert other is not None
        shards.give_up(session, other)
        jobs.fail(session, job_id, "stage_failed", "It failed.", expiry_days=DAYS)
    assert _state(database, job_id).error_code == "stage_failed"
    with database.transaction() as session:
        jobs.retry(session, job_id)
    job = _state(database, job_id)
    assert (job.state, job.error_code, job.finished_at) == (life.QUEUED, None, None)
    assert _sent(database, job_id) == [sent[1]]


# What each action does to a job in each state: the state after it, or None for a conflict.
OUTCOMES = {
    "cancel": {
        life.QUEUED: life.CANCELLED,
        life.RUNNING: life.CANCELLED,
        life.PAUSED: life.CANCELLED,
        life.CANCELLING: life.CANCELLING,
    },
    "pause": {life.QUEUED: life.PAUSED, life.RUNNING: life.PAUSED},
    "resume": {life.PAUSED: life.QUEUED},
    "retry": {life.FAILED: life.QUEUED, life.CANCELLED: life.QUEUED},
}


@pytest.mark.parametrize("action", OUTCOMES)
@pytest.mark.parametrize("state", life.JOB_STATES)
def test_an_action_moves_a_job_only_from_where_it_may(
    sqlite_database: Database, action: str, state: str
) -> None:
    job_id = _job(sqlite_database)
    with sqlite_database.transaction() as session:
        jobs.get(session, job_id).state = state
    act = getattr(jobs, action)
    options = {"expiry_days": DAYS} if action == "cancel" else {}
    after = OUTCOMES[action].get(state)
    with sqlite_database.transaction() as session:
        if after is None:
            with pytest.raises(Conflict):
                act(session, job_id, **options)
        else:
            assert act(session, job_id, **options).state == after


def test_every_move_starts_and_ends_in_a_known_state() -> None:
    for moves, states in ((life.JOB_MOVES, life.JOB_STATES), (life.SHARD_MOVES, life.SHARD_STATES)):
        for move in moves:
            assert {*move.before, move.after} <= set(states)
    # An ended job moves only because somebody asks for it.
    assert {m.name for m in life.JOB_MOVES if m.before & life.FINAL_STATES} == {"retry"}


def test_a_job_belongs_to_the_client_of_its_context(database: Database) -> None:
    with database.transaction() as session:
        context_id = contexts.create(session, name="pictures", client_id="anna").id
        job_id = jobs.add(
            session,
            context_id=context_id,
            kind=life.FIND_DUPLICATES,
            stages=life.KINDS[life.FIND_DUPLICATES],
            parameters={},
        ).id
    with database.reading() as session:
        assert jobs.get(session, job_id, client_id="anna").id == job_id
        assert [job.id for job in jobs.page(session, client_id="anna").items] == [job_id]
        assert jobs.page(session, client_id="bert").items == []
        with pytest.raises(NotFound):
            jobs.get(session, job_id, client_id="bert")


def test_jobs_are_listed_newest_first_by_pages(database: Database) -> None:
    made = [_job(database) for _ in range(5)]
    with database.reading() as session:
        first = jobs.page(session, limit=3)
        second = jobs.page(session, limit=3, cursor=first.next_cursor)
        assert [job.id for job in [*first.items, *second.items]] == made[::-1]
        assert second.next_cursor is None
        with pytest.raises(InvalidInput):
            jobs.page(session, cursor="no cursor")


def test_errors_are_kept_once_an_image_and_listed_by_pages(database: Database) -> None:
    job_id = _job(database)
    with database.transaction() as session:
        job_errors.record(session, job_id, [(f"{i}.jpg", "empty_file", "It is empty.") for i in range(5)])
        job_errors.record(session, job_id, [("3.jpg", "corrupt_image", "Later.")])
    with database.reading() as session:
        assert job_errors.count(session, job_id) == 5
        first = job_errors.page(session, job_id, limit=4)
        second = job_errors.page(session, job_id, limit=4, cursor=first.next_cursor)
    found = [*first.items, *second.items]
    assert [error.image_id for error in found] == [f"{i}.jpg" for i in range(5)]
    assert {error.code for error in found} == {"empty_file"}
