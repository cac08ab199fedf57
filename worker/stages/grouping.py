"""The group stage: duplicate groups from all stored matches, in one shard."""

from __future__ import annotations

import uuid

from storage import groups, jobs
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker import regrouping
from worker.lease import Lease
from worker.stage import Outcome
from worker.tools import Tools


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """One shard; it counts images."""
    return [ShardPlan(int(job.counts.get("images", 0)))]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Group the job's images at its threshold."""
    with tools.database.reading() as session:
        job = jobs.get(session, shard.job_id)
    threshold_tenths = round(job.parameters["similarity_threshold"] * 10)
    found = regrouping.groups_at(job, threshold_tenths, tools.database, tools.cache_dir, lease.check)

    def store(session: Session) -> None:
        groups.store(session, shard.job_id, threshold_tenths, found)

    counts = {
        "groups": len(found.reasons),
        "duplicates": int((~found.is_related).sum()) - len(found.reasons),
        "reclaimable_bytes": int(found.reclaimable_bytes.sum()),
    }
    return Outcome(store, counts)


def singles(shard: Shard) -> list[ShardPlan]:
    """Groups cannot be cut."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []
