"""Groups of a job at any threshold, from stored matches: the same rule, not a filter on its groups."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike import jobs as life
from lookalike import ranking
from lookalike.errors import Conflict
from lookalike.version import ENGINE_VERSION
from storage import contexts, groups, images, jobs, matches
from storage.db import Database
from storage.groups import NewGroups
from storage.images import Snapshot
from storage.models import Grouping, Job
from worker import snapshots
from worker.grouped import Collection
from worker.stages import joining
from worker.thresholds import checked_threshold


def regroup(database: Database, cache_dir: Path, job_id: uuid.UUID, similarity_threshold: float) -> Grouping:
    """Return the grouping of a succeeded find_duplicates job at a threshold, made now if it is not there yet.

    Raises InvalidThreshold below the context's match_floor, Conflict if the job has no groups.
    """
    with database.reading() as session:
        job = jobs.get(session, job_id)
        floor = contexts.get(session, job.context_id).match_floor
        threshold_tenths = round(checked_threshold(similarity_threshold, floor) * 10)
        if job.kind != life.FIND_DUPLICATES or job.state != life.SUCCEEDED:
            raise Conflict(f"A job of kind {job.kind} that is {job.state} has no groups.")
        found = groups.summary(session, job_id, threshold_tenths)
    if found is not None:
        return found
    made = groups_at(job, threshold_tenths, database, cache_dir, lambda: None)
    with database.transaction() as session:
        groups.store(session, job_id, threshold_tenths, made)
        stored = groups.summary(session, job_id, threshold_tenths)
    assert stored is not None
    return stored


def groups_at(
    job: Job, threshold_tenths: int, database: Database, cache_dir: Path, check: Callable[[], None]
) -> NewGroups:
    """Group the images that a job has joined; `check` is called between the steps and may raise."""
    if job.revision is None:
        raise Conflict("The job has not come to its join yet.")
    with database.reading() as session:
        joined = joining.contents_of(session, job.id)
        snapshot = _among(images.snapshot(session, job.context_id, job.revision), joined)
        found = matches.among(session, job.context_id, job.revision, threshold_tenths, ENGINE_VERSION)
        named = images.image_ids(session, snapshot.row_ids)
    image_ids = [named[row] for row in snapshot.row_ids.tolist()]
    check()
    is_mine = np.isin(found.low_content, joined) & np.isin(found.high_content, joined)
    found = matches.Matches(
        found.low_content[is_mine],
        found.high_content[is_mine],
        found.tenths[is_mine],
        found.relation[is_mine],
    )
    features = snapshots.features(snapshots.path_of(cache_dir, job.id), database, lambda: joined, check)
    records = features[_places(joined, snapshot.content_ids)]
    check()
    collection = Collection(snapshot, ranking.rank(records, image_ids), found)
    entries = collection.grouped(threshold_tenths)
    check()
    return collection.images(entries, partial(_reasons, records, check))


def _among(snapshot: Snapshot, content_ids: NDArray[np.int64]) -> Snapshot:
    """The images of a snapshot that have one of the contents: others came after the join was planned."""
    kept = np.isin(snapshot.content_ids, content_ids)
    fields = dataclasses.fields(snapshot)
    return Snapshot(*(getattr(snapshot, field.name)[kept] for field in fields))


def _places(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each wanted value among distinct values in any order."""
    order = np.argsort(values)
    places: NDArray[np.int64] = order[np.searchsorted(values, wanted, sorter=order)]
    return places


def _reasons(
    records: NDArray[np.void], check: Callable[[], None], image: NDArray[np.int64], number: NDArray[np.int64]
) -> list[list[str]]:
    """For each group why its original is kept; `image` lists the members, group by group, originals first."""
    found = []
    for members in np.split(image, np.flatnonzero(np.diff(number)) + 1) if len(image) else ():
        check()
        found.append(ranking.reasons(records[members]))
    return found
