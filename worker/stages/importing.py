"""The import stage: what files are there. One shard lists the source; only what differs is looked at."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lookalike.errors import ImageTooLarge, InvalidImageId, InvalidSource, NotAnImage, Unreadable
from lookalike.ids import checked_image_id
from storage import arrays, job_errors, jobs, other_files, sync, uploads
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from storage.sync import FoundFile, Survey, sync_referenced
from storage.uploads import Copied
from worker import locations, pages, sources
from worker.lease import Lease
from worker.locations import HEAD_BYTES, Source, Walked
from worker.stage import Outcome
from worker.tools import Tools

OTHER = "Neither its name nor its first bytes are those of an image; it was passed over."
# Stored in one transaction, which nobody should have to wait for.
MOST_COPIED, MOST_COPIED_BYTES = 100, 64 * 1024 * 1024

Error = tuple[str, str, str]


@dataclass(slots=True)
class _Found:
    """What a listing came to, apart from what is as it was."""

    image_count: int = 0
    differing: list[FoundFile] = field(default_factory=list)
    others: list[FoundFile] = field(default_factory=list)
    # Row ids of those that were no images before.
    known_others: list[int] = field(default_factory=list)
    copied_bytes: int = 0
    errors: list[Error] = field(default_factory=list)


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """One shard: listing is a matter of seconds, and only the whole of it knows what is gone."""
    if "page" in job.parameters:
        return [ShardPlan(0, {"page": job.parameters["page"]})]
    given = {name: bool(job.parameters.get(name)) for name in ("complete", "copy")}
    return [ShardPlan(0, {"source": job.parameters["source"], **given})]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """List the source and bring the context's images in step with it; or fetch a web page's.

    Raises InvalidSource if it is not there, or nothing is left of what had come from it.
    """
    if "page" in shard.input:
        return pages.fetch(shard, context_id, tools, lease)
    source = sources.source_of(shard.input["source"])
    walked, found = Walked(), _Found()
    copies = shard.input["copy"] or source.is_sequential
    with tools.database.reading() as session:
        survey = Survey(session, context_id, copies=copies)
    for files in _batches(source.files(walked, lease.check)):
        lease.check()
        _take(files, source, survey, walked, found, tools)
    # What lies in a folder that cannot be read now is not gone.
    complete = shard.input["complete"] and not walked.unreadable
    if complete and not found.image_count:
        _refuse_emptied(source, context_id, tools)
    if copies:
        copied = _copy(source, context_id, found, tools, lease)
        found.differing = []
    errors = found.errors + [
        (image_id[:1024], Unreadable.code, detail) for image_id, detail in walked.unreadable
    ]
    # Nothing that lies in the source goes unmentioned.
    errors += [(image_id[:1024], NotAnImage.code, OTHER) for image_id in walked.others]
    counts = {"files": found.image_count, "other_files": len(walked.others)}

    def store(session: Session) -> None:
        synced = sync_referenced(session, context_id, found.differing, complete, source.prefixes, survey)
        seen = found.known_others + other_files.remember(session, context_id, found.others)
        if complete:
            other_files.forget_others(session, context_id, seen, source.prefixes)
        job_errors.record(session, shard.job_id, errors)
        jobs.add_counts(
            session,
            shard.job_id,
            files_added=synced.added - synced.moved,
            files_changed=synced.changed,
            files_moved=synced.moved,
            files_removed=synced.removed - synced.moved,
        )
        if copies:
            jobs.add_counts(session, shard.job_id, files_copied=copied, copied_bytes=found.copied_bytes)

    return Outcome(store, counts, item_count=found.image_count)


def singles(shard: Shard) -> list[ShardPlan]:
    """A listing cannot be cut."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []


def checked_source(source: Any) -> str | list[str]:
    """Return a source with absolute paths; raise InvalidSource."""
    return sources.checked(source)


def _take(
    files: Sequence[FoundFile], source: Source, survey: Survey, walked: Walked, found: _Found, tools: Tools
) -> None:
    """Tell what differs among some files; only a file that is new, and named like no image, is opened."""
    with tools.database.reading() as session:
        askable = [file for file in files if file.image_id.isprintable() or _is_text(file, found)]
        # An id that is stored has been checked.
        new_or_changed = survey.differing(session, askable)
        differing = [file for file in new_or_changed if _has_usable_id(file, walked, found)]
        unsure = [file for file in differing if not locations.is_named_like_image(file.image_id)]
        known = other_files.known(session, survey.context_id, unsure)
    found.known_others += known.values()
    new = [file for file in unsure if file.location not in known]
    images = set(_beginning_like_images(new, source)) if new else set()
    others = {file.location for file in unsure} - images
    found.others += [file for file in new if file.location in others]
    walked.others += [file.image_id for file in unsure if file.location in others]
    found.image_count += len(askable) - len(new_or_changed) + len(differing) - len(others)
    found.differing += [file for file in differing if file.location not in others]


def _is_text(file: FoundFile, found: _Found) -> bool:
    """Whether a database takes the name at all; folders give none that it does not, archives may."""
    shown = file.image_id.replace("\0", "").encode("utf-8", "replace").decode()
    if shown == file.image_id:
        return True
    found.errors.append((shown[:1024], InvalidImageId.code, (InvalidImageId.__doc__ or "").strip()))
    return False


def _has_usable_id(file: FoundFile, walked: Walked, found: _Found) -> bool:
    try:
        checked_image_id(file.image_id)
    except InvalidImageId as error:
        if locations.is_named_like_image(file.image_id):
            found.errors.append((file.image_id[:1024], error.code, error.detail))
        else:
            walked.others.append(file.image_id)
        return False
    return True


def _beginning_like_images(files: list[FoundFile], source: Source) -> Iterator[str]:
    """Give the locations of those files that begin like images; what cannot be read does not."""
    for file, opened in source.opened(files):
        with contextlib.suppress(Exception):  # each driver has errors of its own
            if locations.begins_like_image(opened.read(HEAD_BYTES)):
                yield file.location


def _copy(source: Source, context_id: uuid.UUID, found: _Found, tools: Tools, lease: Lease) -> int:
    """Store the bytes of the files that differ, some at a time: what is stored stays, come what may."""
    count = 0
    opened = source.opened(found.differing)
    left = {file.location for file in found.differing}
    while True:
        with ExitStack() as stack:
            copies, is_over = _received(opened, stack, found, tools, lease)
            if copies:
                with tools.database.transaction() as session:
                    found.copied_bytes += uploads.put_copies(session, tools.blobs, context_id, copies)
            count += len(copies)
            left -= {copied.file.location for copied in copies}
        if is_over:
            break
    told = {image_id for image_id, _, _ in found.errors}
    found.errors += [
        (file.image_id, Unreadable.code, "The file cannot be opened.")
        for file in found.differing
        if file.location in left and file.image_id not in told
    ]
    return count


def _received(
    opened: Iterator[tuple[FoundFile, Any]], stack: ExitStack, found: _Found, tools: Tools, lease: Lease
) -> tuple[list[Copied], bool]:
    """Read some files; say whether they were the last."""
    copies: list[Copied] = []
    byte_count = 0
    for file, stream in opened:
        lease.check()
        try:
            received = stack.enter_context(tools.blobs.receiving(stream, tools.limits.max_bytes))
        except ImageTooLarge as error:
            found.errors.append((file.image_id, error.code, error.detail))
            continue
        except InvalidSource:
            raise
        except Exception as error:  # each driver has errors of its own
            found.errors.append((file.image_id, Unreadable.code, f"The file cannot be read: {error}"))
            continue
        copies.append(Copied(file, received))
        byte_count += received.byte_count
        if len(copies) >= MOST_COPIED or byte_count >= MOST_COPIED_BYTES:
            return copies, False
    return copies, True


def _refuse_emptied(source: Source, context_id: uuid.UUID, tools: Tools) -> None:
    """An unmounted disk looks like an empty folder: that must not empty the context."""
    with tools.database.reading() as session:
        count = sync.count_referenced(session, context_id, source.prefixes)
    if count:
        raise InvalidSource(
            f"There is no image in {source.name} any more, but {count:,} came from there: "
            "is its disk mounted? Nothing was removed."
        )


def _batches(files: Iterator[FoundFile]) -> Iterator[list[FoundFile]]:
    while batch := list(islice(files, arrays.CHUNK)):
        yield batch
