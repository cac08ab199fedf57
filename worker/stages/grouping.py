"""The group stage: duplicate groups from stored matches, in one shard."""

from __future__ import annotations

import uuid

from storage import jobs, lineages
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker import runs
from worker.lease import Lease, Stopped
from worker.stage import Outcome
from worker.tools import Tools


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """One shard; it counts images."""
    return [ShardPlan(int(job.counts.get("images", 0)))]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Group the job's images at its threshold, and tell what is different from the run before."""
    with tools.database.reading() as session:
        job = jobs.get(session, shard.job_id)
    threshold_tenths = round(job.parameters["similarity_threshold"] * 10)
    new = runs.prepare(job, threshold_tenths, tools.database, lease.check)

    def store(session: Session) -> None:
        try:
            lineages.publish(session, new)
        except lineages.Overtaken:
            raise Stopped("overtaken") from None

    counts = {
        "groups": new.group_count,
        "duplicates": new.duplicate_count,
        "reclaimable_bytes": new.reclaimable_bytes,
        "groups_new": new.changes["new"],
        "groups_changed": new.changed_count,
        "groups_gone": new.changes["gone"],
    }
    return Outcome(store, counts)


def singles(shard: Shard) -> list[ShardPlan]:
    """Groups cannot be cut."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []
