"""The groups of a job by pages: as stored at its own threshold, made from its matches at any other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lookalike import jobs as life
from lookalike.errors import Conflict, NotFound
from storage import contexts, groups, jobs
from storage.db import Database
from storage.groups import ShownGroup
from storage.models import Job
from storage.pages import MOST_ITEMS, Page
from worker import derived, regrouping
from worker.derived import Derived
from worker.thresholds import checked_threshold


class Counted(Protocol):
    """All groups of a job at a threshold, counted: a Grouping or a Derived."""

    @property
    def threshold_tenths(self) -> int:
        """The threshold in tenths."""

    @property
    def group_count(self) -> int:
        """How many groups there are."""

    @property
    def duplicate_count(self) -> int:
        """Images beside the originals."""

    @property
    def reclaimable_bytes(self) -> int:
        """What would be free without the duplicates."""


def page(
    database: Database,
    cache_dir: Path,
    job_id: uuid.UUID,
    similarity_threshold: float,
    limit: int,
    cursor: str | None = None,
    sort: str = "reclaimable_bytes",
) -> tuple[Counted, Page[ShownGroup]]:
    """Return the groups of a succeeded find_duplicates job at a threshold: all counted, and a page.

    Raises InvalidThreshold below the context's match_floor, Conflict if the job has no groups, and what
    groups.page raises.
    """
    with database.reading() as session:
        job = _succeeded(jobs.get(session, job_id))
        context = contexts.get(session, job.context_id)
        tenths = round(checked_threshold(similarity_threshold, context.match_floor) * 10)
        stored = groups.summary(session, job_id, tenths)
        if stored is not None:
            return stored, groups.page(session, job_id, tenths, limit, cursor, sort)
    made = _derived(database, cache_dir, job, tenths, context.decision_revision)
    packed, next_cursor = made.page(limit, cursor, sort)
    with database.reading() as session:
        return made, Page(groups.shown(session, packed), next_cursor)


def every(
    database: Database, cache_dir: Path, job_id: uuid.UUID, similarity_threshold: float
) -> Iterator[ShownGroup]:
    """Give all groups of a job as `page` does, in the order in which they were found, as decided by now."""
    with database.reading() as session:
        job = _succeeded(jobs.get(session, job_id))
        context = contexts.get(session, job.context_id)
        tenths = round(checked_threshold(similarity_threshold, context.match_floor) * 10)
        # What was stored may be older than what has been decided since.
        is_stored = not context.decision_revision and groups.summary(session, job_id, tenths) is not None
    made = None if is_stored else _derived(database, cache_dir, job, tenths, context.decision_revision)
    cursor: str | None = None
    while True:
        with database.reading() as session:
            if made is None:
                found = groups.page(session, job_id, tenths, MOST_ITEMS, cursor, "number")
            else:
                packed, next_cursor = made.page(MOST_ITEMS, cursor, "number")
                found = Page(groups.shown(session, packed), next_cursor)
        yield from found.items
        if (cursor := found.next_cursor) is None:
            return


def group(database: Database, cache_dir: Path, job_id: uuid.UUID, group_id: str) -> ShownGroup:
    """Return one group by the id that a page gave. Raises NotFound, and Conflict as page does."""
    place = derived.place_of(group_id)
    with database.reading() as session:
        job = jobs.get(session, job_id)
        if place is None:
            return groups.get(session, job_id, group_id)
        context = contexts.get(session, job.context_id)
    tenths, number, made_with = place
    # What has been decided since then may have changed all places.
    if not context.match_floor * 10 <= tenths <= 1000 or made_with != context.decision_revision:
        raise NotFound(f"This job has no group {group_id!r}.")
    made = _derived(database, cache_dir, _succeeded(job), tenths, made_with)
    if number >= made.group_count:
        raise NotFound(f"This job has no group {group_id!r}.")
    with database.reading() as session:
        return groups.shown(session, [made.packed(number)])[0]


def _succeeded(job: Job) -> Job:
    if job.kind != life.FIND_DUPLICATES or job.state != life.SUCCEEDED:
        raise Conflict(f"A job of kind {job.kind} that is {job.state} has no groups.")
    return job


def _derived(
    database: Database, cache_dir: Path, job: Job, threshold_tenths: int, decision_revision: int
) -> Derived:
    return derived.kept(
        cache_dir,
        job.id,
        threshold_tenths,
        decision_revision,
        lambda: regrouping.groups_at(job, threshold_tenths, database, lambda: None),
    )
