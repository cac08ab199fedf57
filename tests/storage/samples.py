"""Rows that storage tests need before the one they are about."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

import numpy as np

from lookalike.features.record import FEATURES
from lookalike.ids import new_id
from lookalike.succession import Change
from lookalike.version import EXTRACTOR_VERSION
from storage import contents, contexts, images, lineages
from storage.db import Database, Session
from storage.groups import NewGroups
from storage.lineages import Ended, NewRun, NewVersion
from storage.models import Grouping, Job


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def add_context(database: Database, name: str = "pictures") -> uuid.UUID:
    with database.transaction() as session:
        return contexts.create(session, name=name).id


def add_images(database: Database, context_id: uuid.UUID, *names: str) -> list[int]:
    """Store images whose bytes are their names; return their content ids."""
    with database.transaction() as session:
        result = []
        for name in names:
            content = contents.ensure(session, sha256(name), len(name))
            images.put_stored(session, context_id, name, content)
            result.append(content.id)
        return result


def records(count: int, first: int = 0) -> np.ndarray:
    """Features that can be told apart by their width."""
    made = np.zeros(count, FEATURES)
    made["width"] = first + np.arange(count)
    made["height"] = 7
    made["proxy_offset"] = 100 * np.arange(count)
    made["proxy_length"] = 100
    return made


def add_features(session: Session, content_ids: list[int], first: int = 0) -> int:
    made = records(len(content_ids), first)
    formats = ["JPEG"] * len(content_ids)
    return contents.store_block(session, made, f"proxies/{first}", content_ids, formats, EXTRACTOR_VERSION)


def add_job(session: Session, context_id: uuid.UUID, **values: object) -> uuid.UUID:
    job = Job(
        id=new_id(),
        context_id=context_id,
        kind="find_duplicates",
        queue="bulk",
        **{"state": "succeeded", **values},
    )
    session.add(job)
    session.flush()
    return job.id


def publish(
    session: Session,
    job_id: uuid.UUID,
    threshold_tenths: int,
    new: NewGroups,
    ended: Sequence[Ended] = (),
    versions: Sequence[NewVersion] | None = None,
) -> Grouping:
    """Store groups as the next run of their lineage, all of them new unless versions say otherwise."""
    lineage = lineages.of(session, session.get_one(Job, job_id).context_id, threshold_tenths)
    run = lineages.give_run(session, lineage.id)
    versions = versions or [NewVersion(new_id(), int(Change.NEW), 0, None) for _ in range(len(new))]
    lineages.stage(session, lineage.id, run, new, slice(0, len(new)), versions)
    counts = new.image_counts
    published = lineages.publish(
        session,
        NewRun(
            lineage_id=lineage.id,
            run=run,
            previous_run=lineage.run,
            job_id=job_id,
            threshold_tenths=threshold_tenths,
            engine_version=1,
            group_count=len(new),
            duplicate_count=int(counts.sum()) - len(new),
            reclaimable_bytes=int(new.reclaimable_bytes.sum()),
            changes={"new": len(new)},
            image_data=b"",
            decision_data=b"",
            ended=ended,
            changed_count=0,
        ),
    )
    session.expire_all()
    return published
