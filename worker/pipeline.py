"""From one shard to the next stage: claim, work, finish behind the fence, plan what follows."""

from __future__ import annotations

import resource
import sys
import time
import uuid
from typing import Final

import structlog

from lookalike import jobs as life
from lookalike.errors import Conflict, InvalidInput, LookalikeError
from storage import jobs, shards
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker.dispatch import Dispatcher
from worker.lease import Lease, Stopped
from worker.stage import Outcome, Stage
from worker.stages import applying, extraction, grouping, importing, joining, verifying
from worker.tools import Tools

STAGES: Final[dict[str, Stage]] = {
    life.IMPORT: importing,
    life.EXTRACT: extraction,
    life.JOIN: joining,
    life.VERIFY: verifying,
    life.GROUP: grouping,
    life.APPLY: applying,
}

# A stage of so few shards is worth seconds: it may overtake the large ones.
SMALL_SHARD_COUNT = 8
# After an exception: the next attempt waits so long, times the losses so far.
PAUSE_SECONDS = 1.0

log = structlog.get_logger()


class FenceError(Exception):
    """The shard is no longer ours; what was made of it must not be stored."""


def run_shard(stage: str, shard_id: int, tools: Tools, dispatcher: Dispatcher) -> None:
    """Work on a shard if it is to be had; whatever happens is written to its row."""
    with tools.database.transaction() as session:
        jobs.start(session, shard_id)
        shard = shards.claim(session, shard_id)
        if shard is None:
            return
        context_id = jobs.get(session, shard.job_id).context_id
        # A claim makes room in the window, so the next message leaves now, not when we are done.
        messages = shards.take_window(session, shard.job_id)
    dispatcher.send(messages)
    with structlog.contextvars.bound_contextvars(
        job_id=str(shard.job_id), shard_id=shard_id, stage=stage, attempt=shard.attempt
    ):
        _work(stage, shard, context_id, tools, dispatcher)


def _work(stage: str, shard: Shard, context_id: uuid.UUID, tools: Tools, dispatcher: Dispatcher) -> None:
    started = time.perf_counter()
    with Lease(tools.database, shard) as lease:
        try:
            outcome = STAGES[stage].run(shard, context_id, tools, lease)
        except Stopped as reason:
            _give_back(shard, str(reason), tools)
            return
        except (InvalidInput, Conflict) as error:
            _refuse(shard, error, tools)
            return
        except Exception as error:
            _break_off(shard, error, tools)
            return
        try:
            messages = _finish(stage, shard, outcome, started, tools)
        except FenceError:
            outcome.abandon()
            log.info("shard.fenced")
            return
        except Stopped as reason:
            # What it was made from is no longer so; it runs again.
            outcome.abandon()
            _give_back(shard, str(reason), tools)
            return
        except Exception as error:
            outcome.abandon()
            _break_off(shard, error, tools)
            return
    dispatcher.send(messages)


def _finish(stage: str, shard: Shard, outcome: Outcome, started: float, tools: Tools) -> list[shards.Message]:
    item_count = shard.item_count if outcome.item_count is None else outcome.item_count
    milliseconds = round((time.perf_counter() - started) * 1000)
    output = {**outcome.counts, f"{stage}_ms": milliseconds}
    with tools.database.transaction() as session:
        if not shards.finish(session, shard.id, shard.attempt, output=output, output_data=outcome.data):
            raise FenceError
        outcome.store(session)
        if jobs.count_shard(session, shard, item_count):
            advance(session, shard.job_id, tools.expiry_days)
        messages = shards.take_window(session, shard.job_id)
    log.info("shard.done", item_count=item_count, milliseconds=milliseconds, peak_megabytes=peak_megabytes())
    return messages


def peak_megabytes() -> int:
    """Return the most memory that this process has ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak // (1024 if sys.platform.startswith("linux") else 1024 * 1024)


def _give_back(shard: Shard, reason: str, tools: Tools) -> None:
    with tools.database.transaction() as session:
        shards.release(session, shard.id, shard.attempt)
        jobs.finish_cancel(session, shard.job_id, expiry_days=tools.expiry_days)
    log.info("shard.given_back", reason=reason)


def _refuse(shard: Shard, error: LookalikeError, tools: Tools) -> None:
    """Fail the job at once: what it was asked for cannot be done, however often it is tried."""
    log.warning("shard.refused", code=error.code, error=error.detail)
    with tools.database.transaction() as session:
        if shards.give_up(session, shard):
            jobs.fail(session, shard.job_id, error.code, error.detail, expiry_days=tools.expiry_days)


def _break_off(shard: Shard, error: Exception, tools: Tools) -> None:
    log.warning("shard.broken_off", exc_info=error)
    told = f"{type(error).__name__}: {error}"
    with tools.database.transaction() as session:
        losses = shard.loss_count + 1
        pause_seconds = PAUSE_SECONDS * losses if losses < life.MOST_LOSSES else 0.0
        shards.break_off(session, shard.id, shard.attempt, told, pause_seconds)


def leave_out(session: Session, shard: Shard, expiry_days: int) -> None:
    """Call a shard done whose only item cannot be worked on and has been recorded as such."""
    if not shards.finish(session, shard.id, shard.attempt, output={"left_out": 1}, output_data=None):
        raise FenceError
    if jobs.count_shard(session, shard, shard.item_count):
        advance(session, shard.job_id, expiry_days)


def advance(session: Session, job_id: uuid.UUID, expiry_days: int) -> None:
    """Close the stage whose shards are all done and plan the next; an empty stage is done at once.

    Does nothing to a job that is paused, being cancelled or ended: resuming and retrying come here again.
    """
    job = jobs.lock(session, job_id)
    if job.state not in life.WORKING_STATES:
        return
    for stage in jobs.stages(session, job_id):
        if stage.state == life.PENDING and _planned(session, job, stage.position, stage.name):
            return
        if stage.state != life.DONE and not _closed(session, job, stage.position, stage.name):
            return
    jobs.succeed(session, job_id, expiry_days=expiry_days)
    # The join's input stays: it says what the next incremental job need not join again.
    shards.forget_data(session, job_id, (life.EXTRACT, life.VERIFY))
    shards.forget_output_data(session, job_id)
    log.info("job.succeeded", job_id=str(job_id), **job.counts)


def _planned(session: Session, job: Job, position: int, name: str) -> bool:
    """Plan a stage; false if there is nothing to do in it."""
    plans = STAGES[name].plan(session, job)
    begin(session, job, position, name, plans)
    return bool(plans)


def begin(session: Session, job: Job, position: int, name: str, plans: list[ShardPlan]) -> None:
    """Store the plan of a stage."""
    queue = life.INTERACTIVE if len(plans) <= SMALL_SHARD_COUNT else life.BULK
    item_count = sum(plan.item_count for plan in plans)
    jobs.begin_stage(session, job.id, position, item_count=item_count, shard_count=len(plans), queue=queue)
    shards.add(session, job.id, position, plans)
    log.info("stage.planned", job_id=str(job.id), stage=name, shard_count=len(plans), item_count=item_count)


def _closed(session: Session, job: Job, position: int, name: str) -> bool:
    """Close a stage and add up what its shards have counted; false if some are not done."""
    if not jobs.end_stage(session, job.id, position):
        return False
    counts = dict(job.counts)
    for output in shards.outputs(session, job.id, position):
        for key, value in output.items():
            counts[key] = counts.get(key, 0) + value
    job.counts = counts
    session.flush()
    return True
