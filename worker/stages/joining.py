"""The join stage: which images are worth comparing. It joins contents, so that a copy costs nothing."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike import candidates
from lookalike import jobs as life
from lookalike.hubs import Gathered, together
from lookalike.version import ENGINE_VERSION
from storage import contexts, images, jobs, removals, shards
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker import snapshots
from worker.lease import Lease
from worker.packing import packed, unpacked
from worker.stage import Outcome
from worker.tools import Tools

INCREMENTAL = "incremental"
_NO_JOIN: dict[str, Any] = {}


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """Fix the revision and the contents that this job is about, those that are new last, and cut their join.

    There is always a first shard: it carries the contents, for the stages after it and for later jobs.
    """
    revision = contexts.get(session, job.context_id).revision
    jobs.set_revision(session, job.id, revision)
    job.revision = revision
    snapshot = images.snapshot(session, job.context_id, revision)
    returned = removals.count(session, job.context_id, revision)
    job.counts = {**job.counts, "images": len(snapshot.row_ids), "returned": returned}
    content_ids = snapshot.distinct_contents
    joined = _joined_before(session, job) if job.parameters.get("mode") == INCREMENTAL else None
    is_old = np.isin(content_ids, joined) if joined is not None else np.zeros(len(content_ids), bool)
    first_new = int(is_old.sum())
    specs = candidates.plan(len(content_ids), len(content_ids) - first_new if joined is not None else None)
    ordered = np.concatenate([content_ids[is_old], content_ids[~is_old]])
    shares = np.diff(np.linspace(0, len(snapshot.row_ids), max(1, len(specs)) + 1).astype(int)).tolist()
    same = {"first_new": first_new, "engine_version": ENGINE_VERSION}
    return [
        ShardPlan(share, {"spec": spec, **same}, packed(ordered) if number == 0 else None)
        for number, (share, spec) in enumerate(zip(shares, specs or [_NO_JOIN], strict=True))
    ]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Find the candidates of one part of the join, as pairs of places in the list of contents."""
    if not shard.input["spec"]:
        return Outcome(data=b"")
    spec, first_new, memory_bytes = shard.input["spec"], shard.input["first_new"], tools.join_memory_bytes
    key = str(shard.job_id)
    with snapshots.features(tools, context_id, key, lambda: _contents(shard, tools), lease.check) as features:
        lease.check()
        found = candidates.search(features, spec, first_new, memory_bytes)
    return Outcome(data=packed(np.concatenate([[[len(found.links), 0]], found.links, found.pairs])))


def found_by(session: Session, job_id: uuid.UUID) -> Gathered:
    """Return what the shards of a job have found: candidates as places of contents, and links of hubs."""
    pairs, links = [np.empty((0, 2), np.int64)], [np.empty((0, 2), np.int64)]
    for data in shards.output_data(session, job_id, life.JOIN):
        told = unpacked(data, columns=2)
        if len(told):
            count = int(told[0, 0])
            links.append(told[1 : count + 1])
            pairs.append(told[count + 1 :])
    return together(np.concatenate(pairs), np.concatenate(links))


def singles(shard: Shard) -> list[ShardPlan]:
    """A part of a join cannot be cut further."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []


def contents_of(session: Session, job_id: uuid.UUID) -> NDArray[np.int64]:
    """Return the ids of the contents that a job joined, in the order of its rows."""
    first = shards.first_of(session, job_id, life.JOIN)
    return unpacked(first.input_data if first else None)


def note_hubs(session: Session, job_id: uuid.UUID, content_ids: NDArray[np.int64]) -> None:
    """Note contents not all pairs of which are verified: the next incremental job joins them again."""
    first = shards.first_of(session, job_id, life.JOIN)
    assert first is not None
    first.input = {**first.input, "hubs": content_ids.tolist()}
    session.flush()


def _contents(shard: Shard, tools: Tools) -> NDArray[np.int64]:
    with tools.database.reading() as session:
        return contents_of(session, shard.job_id)


def _joined_before(session: Session, job: Job) -> NDArray[np.int64] | None:
    """Return the contents that the last job has joined with one another, if by this version of the engine."""
    last = jobs.last_succeeded(session, job.context_id, life.FIND_DUPLICATES)
    first = shards.first_of(session, last.id, life.JOIN) if last else None
    if first is None or first.input.get("engine_version") != ENGINE_VERSION:
        return None
    joined = unpacked(first.input_data)
    return joined[~np.isin(joined, first.input.get("hubs", []))]
