"""Setting right what went wrong: dead workers, lost messages, jobs that stand still. A thread in each worker.

Every step is guarded, so any number of them may run at once; none has to be there for the others to work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from lookalike import jobs as life
from storage import jobs, shards
from storage.db import Session
from storage.models import Shard
from worker import pipeline
from worker.dispatch import Dispatcher
from worker.tools import Tools

LOOK_SECONDS = 1.0

log = structlog.get_logger()


class Recovery:
    """Looks once a second."""

    def __init__(self, tools: Tools, dispatcher: Dispatcher) -> None:
        self._tools = tools
        self._dispatcher = dispatcher
        self._lost: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._keep_looking, name="recovery", daemon=True)

    def start(self) -> None:
        """Begin to look, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._over = True
        self._wake.set()
        self._thread.join(timeout=2.0)

    def report_lost(self, shard_id: int) -> None:
        """Say that the process that worked on a shard is dead."""
        self._lost.put(shard_id)
        self._wake.set()

    def look(self) -> None:
        """Do all there is to do now."""
        for step in (self._expire_reported, self._recover_shards, self._move_jobs, self._send):
            try:
                step()
            except Exception as error:  # the database or the broker may be away: the next look will tell
                log.warning("recovery.failed", step=step.__name__.strip("_"), error=repr(error))

    def _keep_looking(self) -> None:
        while not self._over:
            self._wake.clear()
            self.look()
            self._wake.wait(LOOK_SECONDS)

    def _expire_reported(self) -> None:
        while not self._lost.empty():
            shard_id = self._lost.get()
            with self._tools.database.transaction() as session:
                shards.expire(session, shard_id)

    def _recover_shards(self) -> None:
        with self._tools.database.reading() as session:
            found = shards.expired(session)
        for shard_id in found:
            with self._tools.database.transaction() as session:
                if shard := shards.take_expired(session, shard_id):
                    recover(session, shard, self._tools.expiry_days)

    def _move_jobs(self) -> None:
        days = self._tools.expiry_days
        self._for_each(
            jobs.cancelling, lambda session, job: jobs.finish_cancel(session, job, expiry_days=days)
        )
        self._for_each(jobs.stalled, lambda session, job: pipeline.advance(session, job, days))

    def _for_each(
        self, choose: Callable[[Session], list[jobs.JobId]], act: Callable[[Session, jobs.JobId], object]
    ) -> None:
        with self._tools.database.reading() as session:
            chosen = choose(session)
        for job_id in chosen:
            with self._tools.database.transaction() as session:
                act(session, job_id)

    def _send(self) -> None:
        with self._tools.database.reading() as session:
            due = shards.jobs_to_send(session)
        if not due:
            return
        empty = self._dispatcher.empty_queues(life.QUEUES)
        for job_id in due:
            with self._tools.database.transaction() as session:
                lost = shards.take_lost(session, job_id, empty)
                messages = lost + shards.take_window(session, job_id)
            if lost:
                log.info("message.sent_again", job_id=str(job_id), count=len(lost))
            self._dispatcher.send(messages)


def recover(session: Session, shard: Shard, expiry_days: int) -> None:
    """Deal with a shard whose holder is gone: once more, in single items, without the item, or not at all."""
    state = jobs.state_of(session, shard.job_id)
    told = shard.output.get("error")
    event = log.bind(job_id=str(shard.job_id), shard_id=shard.id, attempt=shard.attempt, error=told)
    if state == life.CANCELLING:
        shards.drop(session, shard)
        jobs.finish_cancel(session, shard.job_id, expiry_days=expiry_days)
        event.info("shard.dropped")
    elif shard.loss_count + 1 < life.MOST_LOSSES:
        shards.lose(session, shard)
        event.info("shard.recovered", loss_count=shard.loss_count + 1)
    else:
        _give_up(session, shard, told, expiry_days)
        event.warning("shard.given_up")


def _give_up(session: Session, shard: Shard, told: str | None, expiry_days: int) -> None:
    stage = jobs.stages(session, shard.job_id)[shard.stage_position].name
    module = pipeline.STAGES[stage]
    if told is None and (singles := module.singles(shard)):
        shards.split(session, shard, singles)
    elif told is None and module.blame(session, shard):
        pipeline.leave_out(session, shard, expiry_days)
    else:
        shards.give_up(session, shard)
        why = told or "its worker process was lost each time"
        detail = f"The {stage} stage failed {life.MOST_LOSSES} times: {why}. The job can be retried."
        jobs.fail(session, shard.job_id, "stage_failed", detail, expiry_days=expiry_days)
