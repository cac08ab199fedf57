"""Referenced images against the files that were found: what is new, changed, gone or as it was."""

from __future__ import annotations

import uuid
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    String,
    Text,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from lookalike.ids import checked_image_id
from storage import arrays, contexts, removals
from storage.images import REFERENCED
from storage.models import Image
from storage.types import utc_now

_UNSYNCHRONIZED = {"synchronize_session": False}


class FoundFile(NamedTuple):
    """A file that may be an image; size and time of change tell whether it is what it was.

    Where there are no such times it is another number that changes with the file; None if there is none.
    """

    image_id: str
    location: str
    byte_count: int
    modified_ns: int | None


@dataclass
class Synced:
    """What a synchronisation did, counted in images; row_ids are the live images of the files given."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    # Of those added and removed, as far as size and time of change tell.
    moved: int = 0
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


class Survey:
    """What is not as it is stored, found out by reading only: what is the same costs one look, and no memory.

    `copies`: files are to be stored, so one that is only referred to is not as it should be.
    """

    def __init__(self, session: Session, context_id: uuid.UUID, *, copies: bool = False) -> None:
        """Begin; what is added to the context from now on is not looked at."""
        self.context_id, self.copies = context_id, copies
        self.revision = contexts.get(session, context_id).revision
        self.unchanged_rows = array("q")

    def differing(self, session: Session, files: Sequence[FoundFile]) -> list[FoundFile]:
        """Return those of the files that are new, changed, elsewhere, or could not be read last time."""
        rows = _stored_rows(session, self.context_id, files)
        stored = {row[1]: row for row in rows}
        found = []
        for file in files:
            row = stored.get(file.image_id)
            # As it is stored to the last value, as nearly all are; millions come this way.
            is_same = row is not None and file[1:] == row[3:6] and row[6] is None
            if (
                row is None
                or not is_same
                or file.modified_ns is None
                or (self.copies and row[2] == REFERENCED)
            ):
                found.append(file)
            else:
                self.unchanged_rows.append(row[0])
        return found

    def __len__(self) -> int:
        return len(self.unchanged_rows)


class Sync:
    """One synchronisation of a context: raises its revision once, at the first change."""

    def __init__(self, session: Session, context_id: uuid.UUID) -> None:
        """Lock the context; nothing is changed yet."""
        contexts.lock(session, context_id)
        self._session = session
        self._context_id = context_id
        self._revision: int | None = None
        # Size and time of the files that are new.
        self._added: list[tuple[int | None, int | None]] = []
        self.result = Synced()

    def take(self, files: Sequence[FoundFile]) -> None:
        """Bring the images of these files up to date; each image id at most once."""
        for file in files:
            checked_image_id(file.image_id)
        stored = {row.image_id: row for row in _stored(self._session, self._context_id, files)}
        new = [file for file in files if file.image_id not in stored]
        known = [(file, stored[file.image_id]) for file in files if file.image_id in stored]
        changed = [(file, row) for file, row in known if not _is_same(file, row)]
        same = [(file, row) for file, row in known if _is_same(file, row)]
        self._end([row.row_id for _, row in changed])
        self._add([*new, *(file for file, _ in changed)])
        self._refresh([(file, row) for file, row in same if file.location != row.location or row.error_code])
        self._added += [(file.byte_count, file.modified_ns) for file in new]
        self.result.added += len(new)
        self.result.changed += len(changed)
        self.result.unchanged += len(same)
        self.result.row_ids += [row.row_id for _, row in same]

    def remove_others(self, under: Sequence[str] | None = None, survey: Survey | None = None) -> None:
        """End the referenced images that no file stands for; only those at locations that begin so.

        Not those that a survey has found unchanged, nor those that came after it had begun.
        """
        conditions = _referenced(self._context_id, under)
        seen = np.array(self.result.row_ids, np.int64)
        if survey is not None:
            conditions.append(Image.added_revision <= survey.revision)
            seen = np.concatenate([seen, np.frombuffer(survey.unchanged_rows, np.int64)])
        live = arrays.columns(self._session, select(Image.id).where(*conditions))[0]
        gone = np.setdiff1d(live, seen).tolist()
        self.result.moved += self._count_moved(gone)
        for chunk in arrays.chunks(gone):
            self._end(chunk)
        if gone:
            removed = [removals.Removed(*row) for row in self._contents(gone)]
            removals.remember(self._session, self._context_id, self._revise(), removed)
        self.result.removed += len(gone)

    def _count_moved(self, gone: Sequence[int]) -> int:
        """Return how many of the files that are gone are, by size and time, among those added."""
        count = 0
        left = Counter(self._added)
        for chunk in arrays.chunks(gone) if left else ():
            given = arrays.ids(self._session, chunk)
            query = select(Image.byte_count, Image.modified_ns).join(given, Image.id == given.c.id)
            for byte_count, modified_ns in self._session.execute(query):
                facts = (byte_count, modified_ns)
                if left[facts] > 0:
                    left[facts] -= 1
                    count += 1
        return count

    def _contents(self, row_ids: Sequence[int]) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for chunk in arrays.chunks(row_ids):
            given = arrays.ids(self._session, chunk)
            query = select(Image.image_id, Image.content_id).join(given, given.c.id == Image.id)
            found += [(row[0], row[1]) for row in self._session.execute(query) if row[1] is not None]
        return found

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
    under: Sequence[str] | None = None,
    survey: Survey | None = None,
) -> Synced:
    """Bring a context's referenced images up to date with the files found.

    Files with the size and time of change they had keep their content, unread. If the files are complete,
    together with those that a survey has found unchanged, images of files that are gone end too: all, or
    those at locations that begin with one of `under`.
    """
    sync = Sync(session, context_id)
    for chunk in _batches(files):
        sync.take(chunk)
    if complete:
        sync.remove_others(under, survey)
    return sync.result


def count_referenced(session: Session, context_id: uuid.UUID, under: Sequence[str]) -> int:
    """Return how many live referenced images are at locations that begin so."""
    query = select(func.count()).select_from(Image).where(*_referenced(context_id, under))
    return session.scalar(query) or 0


def _referenced(context_id: uuid.UUID, under: Sequence[str] | None) -> list[ColumnElement[bool]]:
    conditions = [
        Image.context_id == context_id,
        Image.removed_revision.is_(None),
        Image.source == REFERENCED,
    ]
    if under is not None:
        conditions.append(or_(*(func.substr(Image.location, 1, len(each)) == each for each in under)))
    return conditions


def _stored(session: Session, context_id: uuid.UUID, files: Sequence[FoundFile]) -> list[_Stored]:
    return [_Stored(*row) for row in _stored_rows(session, context_id, files)]


def _stored_rows(
    session: Session, context_id: uuid.UUID, files: Sequence[FoundFile]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the fields of _Stored of the live images with the ids of files."""
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
        Image.context_id == context_id,
        Image.removed_revision.is_(None),
        arrays.is_one_of(session, Image.image_id, Text(), [file.image_id for file in files]),
    )
    return session.execute(query).all()


def _is_same(file: FoundFile, row: _Stored) -> bool:
    """Whether a file has the size and time that its image had; one that was copied has a location too."""
    is_file = row.source == REFERENCED or row.location is not None
    facts = (row.byte_count, row.modified_ns)
    return is_file and file.modified_ns is not None and facts == (file.byte_count, file.modified_ns)


def _batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    iterator = iter(files)
    while batch := list(islice(iterator, arrays.CHUNK)):
        yield batch
