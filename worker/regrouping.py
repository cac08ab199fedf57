"""Groups of a job at any threshold, from stored matches: the same rule, not a filter on its groups.

What has been decided by now counts, whether or not it was when the job ran.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lookalike import ranking
from lookalike.decisions import Decided
from lookalike.errors import Conflict
from lookalike.version import ENGINE_VERSION
from storage import contents, decisions, images, matches
from storage.db import Database, Session
from storage.groups import NewGroups
from storage.images import Snapshot
from storage.matches import Matches
from storage.models import Job
from worker.grouped import Collection
from worker.stages import joining

Check = Callable[[], None]


def groups_at(job: Job, threshold_tenths: int, database: Database, check: Check) -> NewGroups:
    """Group the images that a job has joined; `check` is called between the steps and may raise."""
    with database.reading() as session:
        snapshot = snapshot_of(session, job)
        check()
        content_ids = snapshot.distinct_contents
        found = matches.among(session, content_ids, threshold_tenths, ENGINE_VERSION)
        decided = decisions.among(session, job.context_id, content_ids)
        check()
        return grouped(session, snapshot, found, decided, threshold_tenths, check)


def snapshot_of(session: Session, job: Job) -> Snapshot:
    """Return the images that a job is about. Raises Conflict if its join has not been planned."""
    if job.revision is None:
        raise Conflict("The job has not come to its join yet.")
    snapshot = images.snapshot(session, job.context_id, job.revision)
    # Others got their contents after the join was planned.
    return snapshot[np.isin(snapshot.content_ids, joining.contents_of(session, job.id))]


def ranked(session: Session, job: Job, content_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order of contents by rank: each counts as the best of the job's images that has it."""
    snapshot = snapshot_of(session, job)
    snapshot = snapshot[np.isin(snapshot.content_ids, content_ids)]
    facts = contents.load_facts(session, snapshot.blocks, snapshot.slots)
    rank = ranking.rank(facts, lambda places: _names(session, snapshot.row_ids[places]))
    best = np.full(len(content_ids), len(snapshot))
    order = np.argsort(content_ids)
    places = order[np.searchsorted(content_ids[order], snapshot.content_ids)]
    np.minimum.at(best, places, rank)
    by_rank: NDArray[np.int64] = np.argsort(best, kind="stable")
    return by_rank


def _is_like_another(content_ids: NDArray[np.int64], found: Matches) -> NDArray[np.bool_]:
    """Tell of images whether they have a match or the content of another one."""
    distinct, place, count = np.unique(content_ids, return_inverse=True, return_counts=True)
    is_matched = np.zeros(len(distinct), bool)
    for ends in (found.low_content, found.high_content):
        is_matched[np.searchsorted(distinct, ends)] = True
    alike: NDArray[np.bool_] = ((count > 1) | is_matched)[place]
    return alike


def _names(session: Session, rows: NDArray[np.int64]) -> list[str]:
    names = images.image_ids(session, rows)
    return [names[row] for row in rows.tolist()]


def grouped(
    session: Session,
    snapshot: Snapshot,
    found: Matches,
    decided: Decided,
    threshold_tenths: int,
    check: Check,
) -> NewGroups:
    """Group images by the matches of their contents and what was decided of those."""
    # Most images of most collections are like no other: neither looked at nor ranked, they are in no group.
    snapshot = snapshot[_is_like_another(snapshot.content_ids, found)]
    facts = contents.load_facts(session, snapshot.blocks, snapshot.slots)
    check()

    rank = ranking.rank(facts, lambda places: _names(session, snapshot.row_ids[places]))
    collection = Collection(snapshot, rank, found, decided)
    check()
    entries = collection.grouped(threshold_tenths)
    check()
    return collection.images(entries, lambda image, number: ranking.reason_masks(facts[image], number))
