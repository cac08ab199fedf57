"""The verify stage: candidates are compared on their pixels, each pair of contents once for all jobs."""

from __future__ import annotations

import uuid
from functools import partial

import numpy as np

from lookalike import jobs as life
from lookalike.verification.comparison import Comparison, verify
from lookalike.version import ENGINE_VERSION
from storage import images, job_errors, matches, shards
from storage.db import Session
from storage.matches import NewMatch
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker.lease import Lease
from worker.packing import packed, unpacked
from worker.stage import Outcome
from worker.stages import joining
from worker.stages.extraction import CRASHED
from worker.subjects import Subjects
from worker.tools import Tools

MOST_PAIRS, LEAST_PAIRS = 96, 8
SPREAD = 8
# Below every floor that makes sense: why a pair does not match is made anew if somebody asks.
LEAST_DETAILED = 60.0


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """Gather the candidates, leave out what this version of the engine has verified, and cut the rest."""
    content_ids = joining.contents_of(session, job.id)
    found = [unpacked(data, columns=2) for data in shards.output_data(session, job.id, life.JOIN)]
    rows = np.concatenate([np.empty((0, 2), np.int64), *found])
    pairs = np.unique(np.sort(content_ids[rows], axis=1), axis=0) if len(rows) else rows
    unknown = pairs[~matches.known_pairs(session, pairs, ENGINE_VERSION)]
    job.counts = {**job.counts, "candidates": len(pairs), "verified": len(unknown)}
    # Sorted by the first of each pair, so that a shard meets few images many times.
    size = min(MOST_PAIRS, max(LEAST_PAIRS, -(-len(unknown) // SPREAD)))
    parts = (unknown[start : start + size] for start in range(0, len(unknown), size))
    return [ShardPlan(len(part), input_data=packed(part)) for part in parts]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Compare the pairs of a shard."""
    pairs = unpacked(shard.input_data, columns=2)
    subjects = Subjects(np.unique(pairs), tools)
    found = []
    for low, high in pairs.tolist():
        lease.check()
        one, other = subjects.prepared(low), subjects.prepared(high)
        found.append(_match(low, high, verify(one, other)))
    return Outcome(partial(matches.store, matches=found, engine_version=ENGINE_VERSION))


def singles(shard: Shard) -> list[ShardPlan]:
    """One shard a pair."""
    pairs = unpacked(shard.input_data, columns=2)
    return [ShardPlan(1, input_data=packed(pair)) for pair in pairs] if len(pairs) > 1 else []


def blame(session: Session, shard: Shard) -> list[str]:
    """Record that comparing two images kills its worker; the pair counts as no match. Returns their ids."""
    pairs = unpacked(shard.input_data, columns=2)
    holders = images.holders(session, np.unique(pairs))
    for low, high in pairs.tolist():
        one, other = holders[low].image_id, holders[high].image_id
        told = f"Comparing {one!r} with {other!r} ended its worker process {life.MOST_LOSSES} times."
        job_errors.record(session, shard.job_id, [(other, CRASHED, told)])
    return [source.image_id for source in holders.values()]


def _match(low: int, high: int, comparison: Comparison) -> NewMatch:
    tenths = round(comparison.similarity * 10)
    detail = {"transform": comparison.transform, "evidence": comparison.evidence}
    is_detailed = comparison.similarity >= LEAST_DETAILED
    return NewMatch(low, high, tenths, comparison.relation, detail if is_detailed else None)
