"""Files of watched sources that are no images, so that nobody opens them again to find that out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import numpy as np
from sqlalchemy import Text, delete, func, or_, select
from sqlalchemy.orm import Session

from storage import arrays
from storage.inserts import insert_into
from storage.models import OtherFile
from storage.sync import FoundFile

MOST_INDEXED_BYTES = 2000


def known(session: Session, context_id: uuid.UUID, files: Sequence[FoundFile]) -> dict[str, int]:
    """Return {location: row id} of those files that were no images when they had the same size and time."""
    facts = {file.location: (file.byte_count, file.modified_ns) for file in files}
    query = select(OtherFile.location, OtherFile.id, OtherFile.byte_count, OtherFile.modified_ns).where(
        OtherFile.context_id == context_id,
        arrays.is_one_of(session, OtherFile.location, Text(), list(facts)),
    )
    return {
        location: row_id
        for location, row_id, byte_count, modified_ns in session.execute(query)
        if modified_ns is not None and facts[location] == (byte_count, modified_ns)
    }


def remember(session: Session, context_id: uuid.UUID, files: Iterable[FoundFile]) -> list[int]:
    """Note files that are no images; return their row ids."""
    rows = [
        {
            "context_id": context_id,
            "location": file.location,
            "byte_count": file.byte_count,
            "modified_ns": file.modified_ns,
        }
        for file in files
        # Longer values fit no index of PostgreSQL; there are hardly any.
        if len(file.location.encode()) <= MOST_INDEXED_BYTES
    ]
    statement = insert_into(session, OtherFile)
    statement = statement.on_conflict_do_update(
        index_elements=["context_id", "location"],
        set_={name: statement.excluded[name] for name in ("byte_count", "modified_ns")},
    ).returning(OtherFile.id)
    return [row_id for chunk in arrays.chunks(rows) for row_id in session.execute(statement, chunk).scalars()]


def forget_others(
    session: Session, context_id: uuid.UUID, row_ids: Sequence[int] | np.ndarray, under: Sequence[str]
) -> None:
    """Forget the files at locations that begin so, but those of the rows given."""
    begins = or_(*(func.substr(OtherFile.location, 1, len(each)) == each for each in under))
    query = select(OtherFile.id).where(OtherFile.context_id == context_id, begins)
    mine = arrays.columns(session, query)[0]
    for chunk in arrays.chunks(np.setdiff1d(mine, np.asarray(row_ids, np.int64)).tolist()):
        given = arrays.ids(session, chunk)
        session.execute(delete(OtherFile).where(OtherFile.id.in_(select(given.c.id))))
