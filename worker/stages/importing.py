"""The import stage: what files are there. One shard walks the source; nothing is copied."""

from __future__ import annotations

import uuid
from typing import Any

from lookalike.errors import InvalidImageId, NotAnImage, Unreadable
from lookalike.ids import checked_image_id
from storage import job_errors
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from storage.sync import FoundFile, sync_referenced
from worker import pages, sources
from worker.lease import Lease
from worker.sources import Walked
from worker.stage import Outcome
from worker.tools import Tools

OTHER = "Neither its name nor its first bytes are those of an image; it was passed over."


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """One shard: walking is a matter of seconds, and only the whole walk knows what is gone."""
    if "page" in job.parameters:
        return [ShardPlan(0, {"page": job.parameters["page"]})]
    parameters = {"source": job.parameters["source"], "complete": bool(job.parameters.get("complete"))}
    return [ShardPlan(0, parameters)]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Walk the source and bring the context's referenced images in step with it; or fetch a web page's."""
    if "page" in shard.input:
        return pages.fetch(shard, context_id, tools, lease)
    walked = Walked()
    files, errors = [], []
    for found in sources.walk(shard.input["source"], walked, lease.check):
        try:
            checked_image_id(found.image_id)
        except InvalidImageId as error:
            errors.append((found.image_id.replace("\0", "")[:1024], error.code, error.detail))
            continue
        files.append(FoundFile(found.image_id, found.location, found.byte_count, found.modified_ns))
    errors += [(image_id, Unreadable.code, detail) for image_id, detail in walked.unreadable]
    # Nothing that lies in the source goes unmentioned.
    errors += [(image_id[:1024], NotAnImage.code, OTHER) for image_id in walked.others]
    # What lies in a folder that cannot be read now is not gone.
    complete = shard.input["complete"] and not walked.unreadable

    def store(session: Session) -> None:
        sync_referenced(session, context_id, files, complete)
        job_errors.record(session, shard.job_id, errors)

    counts = {"files": len(files), "other_files": len(walked.others)}
    return Outcome(store, counts, item_count=len(files))


def singles(shard: Shard) -> list[ShardPlan]:
    """A walk cannot be cut."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []


def checked_source(source: Any) -> str | list[str]:
    """Return a source with absolute paths; raise InvalidSource."""
    return sources.checked(source)
