"""Duplicate groups of a job."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.dependencies import ClientId, Cursor, Limit, Reading, TheParts
from api.parts import Parts
from api.problems import documented
from api.schemas.groups import (
    ChangeName,
    DifferencePageView,
    DifferenceView,
    GroupingView,
    GroupPageView,
    GroupView,
)
from api.schemas.values import Threshold
from lookalike.errors import Conflict
from lookalike.jobs import FINAL_STATES, FIND_DUPLICATES
from storage import jobs, lineages
from worker import showing

router = APIRouter(prefix="/v1/jobs/{job_id}/groups", tags=["groups"], responses=documented(404, 422))
differences_router = APIRouter(
    prefix="/v1/jobs/{job_id}/differences", tags=["groups"], responses=documented(404, 422)
)

Sort = Literal["reclaimable_bytes", "image_count", "similarity", "number"]


class JobNotDone(Conflict):
    """The job has not ended yet."""

    code = "job_not_done"


@router.get("", responses=documented(409))
def list_groups(
    job_id: uuid.UUID,
    parts: TheParts,
    client_id: ClientId,
    similarity_threshold: Annotated[
        Threshold | None,
        Query(
            description="The job's own unless given; any at or above the context's `match_floor` is possible."
        ),
    ] = None,
    sort: Annotated[
        Sort, Query(description="Most first; `number` is the order in which the groups were found.")
    ] = "reclaimable_bytes",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> GroupPageView:
    """List the duplicate groups that a job found, each with its original first.

    At another threshold the same rule is applied anew to the matches that are stored: groups merge and split
    as if the job had been run with it.
    """
    threshold = _threshold(parts, job_id, client_id, similarity_threshold)
    counted, page = showing.page(parts.database, parts.cache_dir, job_id, threshold, limit, cursor, sort)
    items = [GroupView.of(group) for group in page.items]
    return GroupPageView(items=items, next_cursor=page.next_cursor, grouping=GroupingView.of(counted))


@router.get("/{group_id}", responses=documented(409))
def get_group(job_id: uuid.UUID, group_id: str, parts: TheParts, client_id: ClientId) -> GroupView:
    """Show one group, by the id that the list gave.

    At the job's own threshold it is the same from job to job as long as the groups share images.
    """
    with parts.database.reading() as session:
        jobs.get(session, job_id, client_id)
    return GroupView.of(showing.group(parts.database, parts.cache_dir, job_id, group_id))


@differences_router.get("", responses=documented(409))
def list_differences(
    job_id: uuid.UUID,
    session: Reading,
    client_id: ClientId,
    change: Annotated[ChangeName | None, Query(description="Only groups that this happened to.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DifferencePageView:
    """List what is different from the job before it: new and changed groups, then those that are gone.

    The job before is the last of the same context and threshold that succeeded. A group keeps its id as long
    as it shares images with what it was.
    """
    job = jobs.get(session, job_id, client_id)
    if job.kind == FIND_DUPLICATES and job.state not in FINAL_STATES:
        raise JobNotDone(f"The job is {job.state}: it has differences when it has succeeded.")
    grouping = lineages.run_of(session, job_id)
    page = lineages.differences(session, job_id, limit, cursor, change)
    return DifferencePageView(
        items=[DifferenceView.of(difference) for difference in page.items],
        next_cursor=page.next_cursor,
        since_job_id=lineages.job_before(session, grouping),
        counts=grouping.changes,
    )


def _threshold(parts: Parts, job_id: uuid.UUID, client_id: str | None, given: float | None) -> float:
    """Return the threshold to group at. Raises NotFound, Conflict if the job has no groups to show."""
    with parts.database.reading() as session:
        job = jobs.get(session, job_id, client_id)
    if job.kind != FIND_DUPLICATES:
        raise Conflict(f"A job of kind {job.kind} has no groups: submit one of kind {FIND_DUPLICATES}.")
    if job.state not in FINAL_STATES:
        raise JobNotDone(f"The job is {job.state}: it has groups when it has succeeded.")
    return float(job.parameters["similarity_threshold"]) if given is None else given
