"""One search of folders: the job that does it, followed to its end."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cli.organizing.plan import Member
from cli.places import Places
from cli.progress import Bars, poll
from cli.report import Group, GroupImage, ImageError, Report, Since
from cli.wiring import Parts, embedded, log_to_standard_error
from lookalike import jobs as life
from lookalike.errors import LookalikeError, Unavailable
from storage import contexts, groups, job_errors, jobs, lineages
from storage.pages import Page
from worker import submission
from worker.locations import path_of

if TYPE_CHECKING:
    from storage.db import Session
    from storage.groups import Listed, ShownGroup
    from storage.models import Context, Job
    from storage.settings import Settings

PAGE_SIZE = 100
CANCEL_SECONDS = 10.0

Item = TypeVar("Item")


@dataclass(frozen=True)
class Found:
    """What a search found: the report, and where the images of its groups are."""

    report: Report
    locations: Sequence[Sequence[Path]]

    def members(self) -> list[list[Member]]:
        """Return the groups as files."""
        return [
            [Member(i.image_id, path, i.byte_count) for i, path in zip(group.images, paths, strict=True)]
            for group, paths in zip(self.report.groups, self.locations, strict=True)
        ]


def run(places: Places, threshold: float, settings: Settings) -> Found:
    """Search the places; Ctrl-C or SIGTERM cancels the job before it is passed on."""
    log_to_standard_error("error")
    signal.signal(signal.SIGTERM, _leave)
    with embedded(settings, attach=True) as parts:
        job_id = _submitted(parts, places, threshold)
        try:
            job = _followed(parts, job_id)
        except (KeyboardInterrupt, SystemExit):
            _cancel(parts, job_id)
            raise
        return _found(parts, job, places)


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _submitted(parts: Parts, places: Places, threshold: float) -> uuid.UUID:
    with parts.database.transaction() as session:
        context_id = _context(session, places, threshold).id
    parameters = {
        "source": places.source,
        "complete": True,
        "similarity_threshold": threshold,
        "mode": "incremental",
    }
    return submission.submit(
        parts.database,
        parts.dispatcher,
        context_id=context_id,
        kind=life.FIND_DUPLICATES,
        parameters=parameters,
    )


def _context(session: Session, places: Places, threshold: float) -> Context:
    context = contexts.for_folder(session, places.key, name=places.name)
    if threshold < context.match_floor:
        contexts.update(session, context.id, match_floor=threshold)
    return context


def _followed(parts: Parts, job_id: uuid.UUID) -> Job:
    with Bars() as bars:

        def look() -> Job | None:
            with parts.database.reading() as session:
                job = jobs.get(session, job_id)
                bars.show(jobs.stages(session, job_id))
            return job if job.state in life.FINAL_STATES else None

        job = poll(look)
    assert job is not None, "without a limit, poll waits for something"
    if job.state != life.SUCCEEDED:
        raise Unavailable(f"The search {job.state}: {job.error_detail or 'by somebody else'}")
    return job


def _cancel(parts: Parts, job_id: uuid.UUID) -> None:
    """Ask the workers to stop and see that they did; a second Ctrl-C does not wait."""
    try:
        submission.cancel(parts.database, parts.dispatcher, job_id)
    except LookalikeError:
        return  # It has just ended by itself.

    def look() -> bool | None:
        with parts.database.reading() as session:
            return jobs.state_of(session, job_id) in life.FINAL_STATES or None

    poll(look, CANCEL_SECONDS)
    print("Cancelled. What has been looked at is remembered; your files are as they were.", file=sys.stderr)


def _found(parts: Parts, job: Job, places: Places) -> Found:
    threshold = float(job.parameters["similarity_threshold"])
    with parts.database.reading() as session:
        shown = list(_pages(lambda c: groups.page(session, job.id, round(threshold * 10), PAGE_SIZE, c)))
        is_compared = lineages.run_of(session, job.id).previous_run > 0
        errors = list(_pages(lambda c: job_errors.page(session, job.id, limit=PAGE_SIZE, cursor=c)))
    if places.reference:
        shown = [group for group in shown if _is_shared(group, places)]
    report = Report(
        threshold=threshold,
        image_count=int(job.counts.get("files", 0)),
        errors=[ImageError(error.image_id, error.code, error.detail) for error in errors],
        groups=[_group(group) for group in shown],
        other_count=int(job.counts.get("other_files", 0)),
        since=None if places.reference or not is_compared else _since(job),
    )
    return Found(report, [[_path(image) for image in group.images] for group in shown])


def _since(job: Job) -> Since:
    return Since(*(int(job.counts.get(f"groups_{what}", 0)) for what in ("new", "changed", "gone")))


def _is_shared(group: ShownGroup, places: Places) -> bool:
    """Whether a group, with what is related to it, has images of both PATH and --against."""
    sides = {places.is_searched(_path(image)) for image in [*group.images, *group.related]}
    return len(sides) == 2


def _pages(page: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    cursor = None
    while True:
        found = page(cursor)
        yield from found.items
        cursor = found.next_cursor
        if cursor is None:
            return


def _group(group: ShownGroup) -> Group:
    images, related = ([_image(image) for image in part] for part in (group.images, group.related))
    return Group(images, related, group.original_reasons)


def _image(image: Listed) -> GroupImage:
    return GroupImage(
        image_id=image.image_id,
        similarity=image.similarity,
        relation=image.relation,
        width=image.width or 0,
        height=image.height or 0,
        format=image.format or "",
        byte_count=image.byte_count or 0,
    )


def _path(image: Listed) -> Path:
    return Path(os.fsdecode(path_of(image.location or "")))
