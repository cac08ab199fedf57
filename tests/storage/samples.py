"""Rows that storage tests need before the one they are about."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np

from lookalike.features.record import FEATURES
from lookalike.ids import new_id
from lookalike.version import EXTRACTOR_VERSION
from storage import contents, contexts, images
from storage.db import Database, Session
from storage.models import Job


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
