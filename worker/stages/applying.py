"""The apply stage: what a rule would do with the groups of the last run. It reports, and removes nothing."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike import relations
from lookalike.errors import Conflict, InvalidInput
from storage import images, jobs, lineages
from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker.lease import Lease
from worker.stage import Outcome
from worker.tools import Tools

# Keep the original of each group; the images that match it would go. Related images are not touched.
KEEP_ORIGINAL = "keep_original"
RULES = (KEEP_ORIGINAL,)


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """One shard; the last run of the job's threshold is looked up when it is worked on."""
    return [ShardPlan(0)]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Count what the rule would keep and remove. Raises Conflict if there are no groups at the threshold."""
    with tools.database.reading() as session:
        job = jobs.get(session, shard.job_id)
        tenths = round(job.parameters["similarity_threshold"] * 10)
        lineage = lineages.find(session, context_id, tenths)
        last = lineages.last(session, lineage) if lineage is not None else None
        if lineage is None or last is None:
            raise Conflict(
                f"There are no groups at a similarity threshold of {tenths / 10:g} to apply a rule to: "
                "run find_duplicates with this threshold first."
            )
        live = lineages.live(session, lineage)
        lease.check()
        removed = _removed(live, job.parameters.get("relations"))
        byte_count = images.byte_count(session, live.listed["row"][removed])
    removed_count = int(removed.sum())
    counts = {
        "groups": len(live),
        "would_keep": int(live.image_count.sum()) - removed_count,
        "would_remove": removed_count,
        "would_free_bytes": byte_count,
    }

    def store(session: Session) -> None:
        # Which groups these were: they can be read page by page.
        jobs.add_parameters(session, shard.job_id, groups_of_job_id=str(last.job_id))

    return Outcome(store, counts, item_count=len(live))


def singles(shard: Shard) -> list[ShardPlan]:
    """A rule cannot be cut."""
    return []


def blame(session: Session, shard: Shard) -> list[str]:
    """No image is to blame."""
    return []


def checked_rule(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a rule, complete. Raises InvalidInput."""
    rule = parameters.setdefault("rule", KEEP_ORIGINAL)
    if rule not in RULES:
        raise InvalidInput(f"There is no rule {rule!r}; there is {', '.join(RULES)}.")
    if not parameters.setdefault("dry_run", True):
        raise InvalidInput("A rule is only tried out: it reports what it would remove. Leave out dry_run.")
    for relation in parameters.get("relations") or ():
        if relation not in relations.NAMES or relation in (relations.ORIGINAL, relations.UNRELATED):
            raise InvalidInput(f"There is no relation {relation!r} that an image could have to an original.")
    return parameters


def _removed(live: lineages.Live, wanted: list[str] | None) -> NDArray[np.bool_]:
    """Tell of each image listed whether the rule would remove it."""
    is_original = live.listed["relation"] == relations.NUMBERS[relations.ORIGINAL]
    is_copy: NDArray[np.bool_] = (live.listed["is_related"] == 0) & ~is_original
    if wanted is None:
        return is_copy
    numbers = [relations.NUMBERS[relation] for relation in wanted]
    is_wanted: NDArray[np.bool_] = is_copy & np.isin(live.listed["relation"], numbers)
    return is_wanted
