"""What was removed from a context, remembered by its bytes' hash alone: so it is known when it comes back.

An image is removed when somebody deletes it, or when an import that says it is complete does not find it any
more. It has returned if an image with the same bytes is added later. A file that is found elsewhere by the
same import was moved, and not removed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, CursorResult, LargeBinary, delete, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from lookalike.errors import NotFound
from storage import arrays, lineages
from storage.db import is_sqlite
from storage.groups import LISTED
from storage.inserts import insert_into
from storage.models import Content, Group, Grouping, Image, Lineage, Removal
from storage.pages import Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

# Groups are searched for a few contents where they lie; for more all are read.
_FEW = 4
_CHUNK = 2000


class Removed(NamedTuple):
    """An image that has just ended."""

    image_id: str
    content_id: int


@dataclass(frozen=True)
class Returned:
    """An image whose bytes were removed from the context before, and the image kept then, if it is there."""

    image_id: str
    removed_at: datetime
    removed_as: str
    kept: str | None


def remember(session: Session, context_id: uuid.UUID, revision: int, removed: Iterable[Removed]) -> None:
    """Note images that ended with a revision, and which image of its group each leaves behind.

    What another live image of the context still has is not gone, and not noted.
    """
    names = {each.content_id: each.image_id for each in removed}
    for chunk in arrays.chunks(sorted(names.keys() - _still_there(session, context_id, names)), _CHUNK):
        kept = _kept(session, context_id, chunk)
        hashes = _hashes(session, {*chunk, *kept.values()})
        rows = [
            {
                "context_id": context_id,
                "sha256": hashes[content_id],
                "image_id": names[content_id],
                "kept_sha256": hashes.get(kept.get(content_id, 0)),
                "removed_revision": revision,
                "removed_at": utc_now(),
            }
            for content_id in chunk
            if content_id in hashes
        ]
        if rows:
            statement = insert_into(session, Removal)
            replaced = {n: statement.excluded[n] for n in rows[0] if n not in ("context_id", "sha256")}
            statement = statement.on_conflict_do_update(
                index_elements=["context_id", "sha256"], set_=replaced
            )
            session.execute(statement, rows)


def forget_moved(session: Session, row_ids: Sequence[int]) -> None:
    """Forget removals of bytes that one of these images has had since the very revision: it was moved."""
    for chunk in arrays.chunks(row_ids):
        given = arrays.ids(session, chunk)
        moved = (
            select(Removal.context_id, Removal.sha256)
            .join(Image, Image.context_id == Removal.context_id)
            .join(Content, (Content.id == Image.content_id) & (Content.sha256 == Removal.sha256))
            .join(given, given.c.id == Image.id)
            .where(Image.added_revision <= Removal.removed_revision, Image.removed_revision.is_(None))
        )
        found = session.execute(moved).all()
        for part in arrays.chunks(found, _CHUNK):
            key = tuple_(Removal.context_id, Removal.sha256)
            session.execute(delete(Removal).where(key.in_([tuple(row) for row in part])))


def of_images(session: Session, context_id: uuid.UUID, images: Sequence[Image]) -> dict[str, Returned]:
    """Return those of the images that have returned, by image id."""
    ids = [image.id for image in images]
    found: dict[str, Returned] = {}
    for chunk in arrays.chunks(ids, _CHUNK):
        query = _returned(context_id).where(Image.id.in_(chunk))
        found.update({each.image_id: each for each in _shown(session, context_id, query)})
    return found


def page(
    session: Session, context_id: uuid.UUID, revision: int, limit: int, cursor: str | None = None
) -> Page[Returned]:
    """List the images that had returned as of a revision, by image id."""
    query = _returned(context_id).where(*_was_live(revision)).order_by(Image.image_id)
    if cursor is not None:
        query = query.where(Image.image_id > decode_cursor(cursor, str)[0])
    found = _shown(session, context_id, query.limit(checked_limit(limit) + 1))
    return page_of(found, limit, key=lambda each: [each.image_id])


def count(session: Session, context_id: uuid.UUID, revision: int) -> int:
    """Return how many images had returned as of a revision."""
    inner = _returned(context_id).where(*_was_live(revision)).subquery()
    return session.scalar(select(func.count()).select_from(inner)) or 0


def forget(session: Session, context_id: uuid.UUID, sha256: str) -> None:
    """Forget that bytes with this hash, in hexadecimal, were ever removed. Raises NotFound."""
    try:
        removal = session.get(Removal, (context_id, bytes.fromhex(sha256)))
    except ValueError:
        removal = None
    if removal is None:
        raise NotFound(f"Nothing with the SHA-256 {sha256!r} was removed from this context.")
    session.delete(removal)
    session.flush()


def expire(session: Session, before: datetime) -> int:
    """Forget what was removed before a time; return how much."""
    result = session.execute(delete(Removal).where(Removal.removed_at < before))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _returned(context_id: uuid.UUID) -> Any:
    columns = (Image.image_id, Removal.removed_at, Removal.image_id, Removal.kept_sha256)
    return (
        select(*columns)
        .join(Content, Content.sha256 == Removal.sha256)
        .join(Image, (Image.content_id == Content.id) & (Image.context_id == Removal.context_id))
        .where(Removal.context_id == context_id, Image.added_revision > Removal.removed_revision)
    )


def _was_live(revision: int) -> list[ColumnElement[bool]]:
    ended = or_(Image.removed_revision.is_(None), Image.removed_revision > revision)
    return [Image.added_revision <= revision, ended]


def _shown(session: Session, context_id: uuid.UUID, query: Any) -> list[Returned]:
    rows = session.execute(query).all()
    kept = _live_names(session, context_id, {row[3] for row in rows if row[3] is not None})
    return [Returned(row[0], row[1], row[2], kept.get(row[3])) for row in rows]


def _live_names(session: Session, context_id: uuid.UUID, sha256s: set[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for chunk in arrays.chunks(sorted(sha256s), _CHUNK):
        query = select(Content.sha256, func.min(Image.image_id)).join(Image, Image.content_id == Content.id)
        live = query.where(Image.context_id == context_id, Image.removed_revision.is_(None))
        found.update(session.execute(live.where(Content.sha256.in_(chunk)).group_by(Content.sha256)).all())
    return found


def _still_there(session: Session, context_id: uuid.UUID, content_ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    live = select(Image.content_id).where(Image.context_id == context_id, Image.removed_revision.is_(None))
    for chunk in arrays.chunks(sorted(content_ids), _CHUNK):
        found.update(session.scalars(live.where(Image.content_id.in_(chunk))))
    return found


def _hashes(session: Session, content_ids: set[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for chunk in arrays.chunks(sorted(content_ids), _CHUNK):
        query = select(Content.id, Content.sha256).where(Content.id.in_(chunk))
        found.update(session.execute(query).all())
    return found


def _kept(session: Session, context_id: uuid.UUID, content_ids: Sequence[int]) -> dict[int, int]:
    """Return for contents what is left of their groups of the last run: the original, or else the next."""
    groups = list(_groups_with(session, context_id, content_ids))
    if not groups:
        return {}
    live = _still_there(session, context_id, np.unique(np.concatenate(groups)).tolist())
    found: dict[int, int] = {}
    for members in groups:
        left = [content_id for content_id in members.tolist() if content_id in live]
        if left:
            found |= dict.fromkeys(np.intersect1d(members, content_ids).tolist(), left[0])
    return found


def _groups_with(session: Session, context_id: uuid.UUID, content_ids: Sequence[int]) -> Iterable[np.ndarray]:
    """Give the members' contents of those groups of the last run that have one of these contents."""
    newest = select(Grouping.lineage_id).join(Lineage, Lineage.id == Grouping.lineage_id)
    newest = newest.where(Lineage.context_id == context_id).order_by(Grouping.id.desc()).limit(1)
    lineage_id = session.scalars(newest).one_or_none()
    if lineage_id is None:
        return
    lineage = lineages.of_id(session, lineage_id)
    if len(content_ids) <= _FEW:
        has_one = or_(*(_has(session, content_id) for content_id in content_ids))
        query = select(Group.listed).where(
            Group.lineage_id == lineage_id, Group.until_run.is_(None), Group.from_run <= lineage.run, has_one
        )
        listed = [np.frombuffer(data, LISTED) for data in session.scalars(query)]
    else:
        live = lineages.live(session, lineage)
        versions = np.unique(live.version[np.isin(live.listed["content"], content_ids)])
        listed = [live.listed[live.starts[v] : live.starts[v + 1]] for v in versions.tolist()]
    for each in listed:
        members = each["content"][each["is_related"] == 0]
        if np.isin(members, content_ids).any():
            yield members


def _has(session: Session, content_id: int) -> ColumnElement[bool]:
    """The condition that a group's bytes have those of an id, which may mean nothing: they are no fields."""
    sought = literal(np.int64(content_id).astype("<i8").tobytes(), LargeBinary())
    if is_sqlite(session):
        return func.instr(Group.listed, sought) > 0
    return func.position(sought.op("IN")(Group.listed)) > 0
