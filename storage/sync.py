"""Referenced images against the files that were found: what is new, changed, gone or as it was."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from sqlalchemy import BigInteger, String, Text, func, insert, literal, select, update
from sqlalchemy.orm import Session

from lookalike.ids import checked_image_id
from storage import arrays, contexts
from storage.images import REFERENCED
from storage.models import Image
from storage.types import utc_now

_UNSYNCHRONIZED = {"synchronize_session": False}


class FoundFile(NamedTuple):
    """A file that may be an image; size and time of change tell whether it is what it was."""

    image_id: str
    location: str
    byte_count: int
    modified_ns: int


@dataclass
class Synced:
    """What a synchronisation did, counted in images; row_ids are the live images of the files given."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    row_ids: list[int] = field(default_factory=list)


class _Stored(NamedTuple):
    row_id: int
    image_id: str
    source: str
    location: str | None
    byte_count: int | None
    modified_ns: int | None
    error_code: str | None


class Sync:
    """One synchronisation of a context: raises its revision once, at the first change."""

    def __init__(self, session: Session, context_id: uuid.UUID) -> None:
        """Lock the context; nothing is changed yet."""
        contexts.lock(session, context_id)
        self._session = session
        self._context_id = context_id
        self._revision: int | None = None
        self.result = Synced()

    def take(self, files: Sequence[FoundFile]) -> None:
        """Bring the images of these files up to date; each image id at most once."""
        stored = {row.image_id: row for row in self._stored(files)}
        new = [file for file in files if file.image_id not in stored]
        known = [(file, stored[file.image_id]) for file in files if file.image_id in stored]
        changed = [(file, row) for file, row in known if not _is_same(file, row)]
        same = [(file, row) for file, row in known if _is_same(file, row)]
        self._end([row.row_id for _, row in changed])
        self._add([*new, *(file for file, _ in changed)])
        self._refresh([(file, row) for file, row in same if file.location != row.location or row.error_code])
        self.result.added += len(new)
        self.result.changed += len(changed)
        self.result.unchanged += len(same)
        self.result.row_ids += [row.row_id for _, row in same]

    def remove_others(self, under: str | None = None) -> None:
        """End the referenced images that no file taken stands for; only those at locations under a prefix."""
        query = select(Image.id).where(
            Image.context_id == self._context_id,
            Image.removed_revision.is_(None),
            Image.source == REFERENCED,
        )
        if under is not None:
            query = query.where(func.substr(Image.location, 1, len(under)) == under)
        live = np.array(self._session.scalars(query).all(), np.int64)
        gone = np.setdiff1d(live, np.array(self.result.row_ids, np.int64)).tolist()
        for chunk in arrays.chunks(gone):
            self._end(chunk)
        self.result.removed += len(gone)

    def _stored(self, files: Sequence[FoundFile]) -> list[_Stored]:
        image_ids = [checked_image_id(file.image_id) for file in files]
        columns = (
            Image.id,
            Image.image_id,
            Image.source,
            Image.location,
            Image.byte_count,
            Image.modified_ns,
            Image.error_code,
        )
        query = select(*columns).where(
            Image.context_id == self._context_id,
            Image.removed_revision.is_(None),
            arrays.is_one_of(self._session, Image.image_id, Text(), image_ids),
        )
        return [_Stored(*row) for row in self._session.execute(query)]

    def _revise(self) -> int:
        if self._revision is None:
            self._revision = contexts.bump_revision(self._session, self._context_id)
        return self._revision

    def _end(self, row_ids: Sequence[int]) -> None:
        if not row_ids:
            return
        given = arrays.ids(self._session, row_ids)
        ending = update(Image).where(Image.id == given.c.id).values(removed_revision=self._revise())
        self._session.execute(ending, execution_options=_UNSYNCHRONIZED)

    def _add(self, files: Sequence[FoundFile]) -> None:
        if not files:
            return
        image_ids, locations, byte_counts, modified = zip(*files, strict=True)
        given = arrays.rows(
            self._session,
            image_id=(Text(), image_ids),
            location=(Text(), locations),
            byte_count=(BigInteger(), byte_counts),
            modified_ns=(BigInteger(), modified),
        )
        same = {
            Image.context_id: literal(self._context_id, Image.context_id.type),
            Image.source: literal(REFERENCED, String()),
            Image.added_revision: literal(self._revise(), BigInteger()),
            Image.created_at: literal(utc_now(), Image.created_at.type),
        }
        own = [given.c[name] for name in ("image_id", "location", "byte_count", "modified_ns")]
        names = [column.key for column in same] + [column.name for column in own]
        adding = insert(Image).from_select(names, select(*same.values(), *own), include_defaults=False)
        added = self._session.execute(adding.returning(Image.id)).scalars()
        self.result.row_ids += added

    def _refresh(self, known: Sequence[tuple[FoundFile, _Stored]]) -> None:
        # A file that could not be read last time gets another try.
        if not known:
            return
        given = arrays.rows(
            self._session,
            id=(BigInteger(), [row.row_id for _, row in known]),
            location=(Text(), [file.location for file, _ in known]),
        )
        moving = update(Image).where(Image.id == given.c.id)
        moving = moving.values(location=given.c.location, error_code=None, error_detail=None)
        self._session.execute(moving, execution_options=_UNSYNCHRONIZED)


def sync_referenced(
    session: Session,
    context_id: uuid.UUID,
    files: Iterable[FoundFile],
    complete: bool,
    under: str | None = None,
) -> Synced:
    """Bring a context's referenced images up to date with the files found.

    Files with the size and time of change they had keep their content, unread. If the files are complete,
    images of files that are gone end too: all, or those at locations that begin with `under`.
    """
    sync = Sync(session, context_id)
    for chunk in _batches(files):
        sync.take(chunk)
    if complete:
        sync.remove_others(under)
    return sync.result


def _is_same(file: FoundFile, row: _Stored) -> bool:
    facts = (row.source, row.byte_count, row.modified_ns)
    return facts == (REFERENCED, file.byte_count, file.modified_ns)


def _batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    iterator = iter(files)
    while batch := list(islice(iterator, arrays.CHUNK)):
        yield batch
