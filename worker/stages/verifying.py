"""The verify stage: candidates are compared on their pixels, each pair of contents once for all jobs."""

from __future__ import annotations

import uuid
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lookalike import jobs as life
from lookalike.hubs import Gathered
from lookalike.locality import neighbours_together
from lookalike.verification.comparison import Comparison, verify
from lookalike.version import ENGINE_VERSION
from storage import decisions, images, job_errors, jobs, matches, shards
from storage.db import Session
from storage.matches import NewMatch
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker import hubs, regrouping, snapshots
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
    found = joining.found_by(session, job.id)
    pairs = np.sort(content_ids[found.pairs], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    unknown = pairs[~matches.known_pairs(session, pairs, ENGINE_VERSION)]
    job.counts = {**job.counts, "candidates": len(pairs), "verified": len(unknown)}
    # So that a shard meets few images many times, and few shards meet the same.
    unknown = unknown[neighbours_together(unknown)]
    size = min(MOST_PAIRS, max(LEAST_PAIRS, -(-len(unknown) // SPREAD)))
    parts = (unknown[start : start + size] for start in range(0, len(unknown), size))
    return _hubs(session, job, content_ids, found) + [
        ShardPlan(len(part), input_data=packed(part)) for part in parts
    ]


def _hubs(session: Session, job: Job, content_ids: NDArray[np.int64], found: Gathered) -> list[ShardPlan]:
    """A shard for each hub: the places of its contents, and which of them have candidates elsewhere."""
    if not len(found.links):
        return []
    hubs = np.unique(found.links[:, 0])
    joining.note_hubs(session, job.id, content_ids[hubs])
    job.counts = {**job.counts, "hub_images": len(hubs)}
    contested = np.intersect1d(found.pairs, hubs)
    plans = []
    for first in np.unique(found.links[:, 1]).tolist():
        rows = found.links[found.links[:, 1] == first, 0]
        plans.append(
            ShardPlan(len(rows), {"hub": True}, packed(np.stack([rows, np.isin(rows, contested)], axis=1)))
        )
    return plans


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Compare the pairs of a shard."""
    if shard.input.get("hub"):
        return _run_hub(shard, context_id, tools, lease)
    pairs = unpacked(shard.input_data, columns=2)
    found = _verified(pairs, tools, lease)
    return Outcome(partial(matches.store, matches=found, engine_version=ENGINE_VERSION))


def _verified(pairs: NDArray[np.int64], tools: Tools, lease: Lease) -> list[NewMatch]:
    subjects = Subjects(np.unique(pairs), tools)
    found = []
    for low, high in pairs.tolist():
        lease.check()
        one, other = subjects.prepared(low), subjects.prepared(high)
        found.append(_match(low, high, verify(one, other)))
    return found


def _run_hub(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Compare those pairs of a hub that its groups depend on; what is found is stored as it goes.

    So who runs it again begins where it stopped. The last try before it would be given up notes each pair
    before it compares it: if that kills it too, the hub goes on without one of the two (see singles).
    """
    rows, is_contested = unpacked(shard.input_data, columns=2).T
    is_careful = shard.loss_count >= life.MOST_LOSSES - 1
    with tools.database.reading() as session:
        job = jobs.get(session, shard.job_id)
        content_ids = joining.contents_of(session, job.id)
        is_taken = ~np.isin(content_ids[rows], shard.input.get("left_out", []))
        rows, is_contested = rows[is_taken], is_contested[is_taken]
        mine = content_ids[rows]
        decided = decisions.among(session, context_id, np.sort(mine))
        is_contested = is_contested.astype(bool) | np.isin(mine, np.stack([decided.low, decided.high]))
        order = regrouping.ranked(session, job, mine)
    key = str(shard.job_id)
    with snapshots.features(tools, context_id, key, lambda: content_ids, lease.check) as features:
        by_rank = features.take(rows[order])
    ranked, counts = mine[order], {"candidates": 0, "verified": 0}

    def compared(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = np.sort(np.stack([ranked[one], ranked[other]], axis=1), axis=1)
        with tools.database.reading() as session:
            known = matches.known_pairs(session, pairs, ENGINE_VERSION)
        unknown = pairs[~known]
        step = 1 if is_careful else MOST_PAIRS
        for start in range(0, len(unknown), step):
            if is_careful:
                better = int(ranked[one[~known][start]])
                _note(shard, better, int(ranked[other[~known][start]]), tools)
            found = _verified(unknown[start : start + step], tools, lease)
            with tools.database.transaction() as session:
                matches.store(session, found, ENGINE_VERSION)
        counts["candidates"] += len(pairs)
        counts["verified"] += len(unknown)
        with tools.database.reading() as session:
            return matches.tenths_of(session, pairs)

    threshold_tenths = round(job.parameters["similarity_threshold"] * 10)
    spared = hubs.verified(by_rank, is_contested[order], threshold_tenths, compared)
    return Outcome(partial(_record_left_out, shard=shard), {**counts, "spared": spared})


def _note(shard: Shard, better: int, other: int, tools: Tools) -> None:
    with tools.database.transaction() as session:
        shards.note(session, shard, {**shard.input, "comparing": [better, other]})


def _record_left_out(session: Session, shard: Shard) -> None:
    left_out = shard.input.get("left_out", [])
    told = f"Comparing it with others like it ended its worker process {life.MOST_LOSSES} times."
    holders = images.holders(session, np.array(left_out, np.int64))
    job_errors.record(session, shard.job_id, [(each.image_id, CRASHED, told) for each in holders.values()])


def singles(shard: Shard) -> list[ShardPlan]:
    """One shard a pair; a hub, which cannot be cut, without the image whose comparison killed it."""
    if shard.input.get("hub"):
        if "comparing" not in shard.input:
            return []
        better, other = shard.input["comparing"]
        left_out, met = shard.input.get("left_out", []), shard.input.get("met", [])
        # The better one has been compared with many before; but if it is met here again, it is that one.
        culprit = better if better in met else other
        again = {"hub": True, "left_out": [*left_out, culprit], "met": [*met, better]}
        return [ShardPlan(shard.item_count, again, shard.input_data)]
    pairs = unpacked(shard.input_data, columns=2)
    return [ShardPlan(1, input_data=packed(pair)) for pair in pairs] if len(pairs) > 1 else []


def blame(session: Session, shard: Shard) -> list[str]:
    """Record that comparing two images kills its worker; the pair counts as no match. Returns their ids."""
    if shard.input.get("hub"):
        return []
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
