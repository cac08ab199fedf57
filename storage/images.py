"""Images of a context: rows that live from one revision until another."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    String,
    Text,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from lookalike.errors import InvalidInput, NotFound
from lookalike.ids import checked_image_id
from lookalike.sorted_sets import distinct
from lookalike.version import EXTRACTOR_VERSION
from storage import arrays, contexts, removals
from storage.models import Content, Image
from storage.pages import Page, checked_limit, decode_cursor, page_of

STORED, REFERENCED = "stored", "referenced"
PENDING, READY, FAILED = "pending", "ready", "failed"

_ID_CHUNK = 500
_UNSYNCHRONIZED = {"synchronize_session": False}


class Source(NamedTuple):
    """Where an image's bytes are: the blob store under sha256, or at location."""

    row_id: int
    image_id: str
    source: str
    location: str | None
    content_id: int | None
    sha256: bytes | None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The images with features at one revision, ordered by row id; all arrays have one value an image."""

    row_ids: np.ndarray
    content_ids: np.ndarray
    byte_counts: np.ndarray
    # Where the features of the content lie: block and slot.
    blocks: np.ndarray
    slots: np.ndarray

    def __len__(self) -> int:
        return len(self.row_ids)

    def __getitem__(self, chosen: np.ndarray) -> Snapshot:
        return Snapshot(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @cached_property
    def distinct_contents(self) -> np.ndarray:
        """The contents of the images, each once, ascending."""
        return distinct(self.content_ids)


def put_stored(session: Session, context_id: uuid.UUID, image_id: str, content: Content) -> Image:
    """Make the content the live image of this id; the same bytes change nothing. Raises InvalidImageId.

    The caller holds the content (contents.ensure), and the context before it where it puts several.
    """
    contexts.lock(session, context_id)
    live = _live(session, context_id, checked_image_id(image_id))
    if live is not None and live.content_id == content.id and live.source == STORED:
        return live
    revision = contexts.bump_revision(session, context_id)
    if live is not None:
        live.removed_revision = revision
        session.flush()
    image = Image(
        context_id=context_id,
        image_id=image_id,
        source=STORED,
        content_id=content.id,
        content=content,
        byte_count=content.byte_count,
        added_revision=revision,
    )
    session.add(image)
    session.flush()
    return image


def put_many(
    session: Session, context_id: uuid.UUID, stored: Sequence[tuple[str, int, int]]
) -> dict[str, int]:
    """Make (image id, content id, byte count) live images, in one revision; return {image id: row id}.

    As put_stored does for one; the caller holds the contents, and the ids are distinct.
    """
    contexts.lock(session, context_id)
    for image_id, _, _ in stored:
        checked_image_id(image_id)
    live = _live_contents(session, context_id, [image_id for image_id, _, _ in stored])
    kept = {
        image_id: live[image_id][0]
        for image_id, content_id, _ in stored
        if _is_same(live, image_id, content_id)
    }
    changed = [each for each in stored if each[0] not in kept]
    if not changed:
        return kept
    revision = contexts.bump_revision(session, context_id)
    ended = [live[image_id][0] for image_id, _, _ in changed if image_id in live]
    for chunk in arrays.chunks(ended, _ID_CHUNK):
        statement = update(Image).where(Image.id.in_(chunk)).values(removed_revision=revision)
        session.execute(statement, execution_options=_UNSYNCHRONIZED)
    rows = [
        {
            "context_id": context_id,
            "image_id": image_id,
            "source": STORED,
            "content_id": content_id,
            "byte_count": byte_count,
            "added_revision": revision,
        }
        for image_id, content_id, byte_count in changed
    ]
    added = session.execute(insert(Image).returning(Image.image_id, Image.id), rows)
    return kept | dict(added.all())


def _live_contents(
    session: Session, context_id: uuid.UUID, image_ids: Sequence[str]
) -> dict[str, tuple[int, int | None]]:
    """Return {image id: (row id, content id of stored bytes)} of those ids that are live."""
    found: dict[str, tuple[int, int | None]] = {}
    for chunk in arrays.chunks(list(image_ids), _ID_CHUNK):
        query = select(Image.image_id, Image.id, Image.content_id, Image.source)
        for image_id, row_id, content_id, source in session.execute(
            query.where(*_is_live(context_id), Image.image_id.in_(chunk))
        ):
            found[image_id] = (row_id, content_id if source == STORED else None)
    return found


def _is_same(live: dict[str, tuple[int, int | None]], image_id: str, content_id: int) -> bool:
    return image_id in live and live[image_id][1] == content_id


def get(session: Session, context_id: uuid.UUID, image_id: str) -> Image:
    """Return the live image of this id, its content with it. Raises NotFound."""
    image = _live(session, context_id, image_id)
    if image is None:
        raise NotFound(f"There is no image {image_id!r} in this context.")
    return image


def state(image: Image) -> str:
    """Return pending, ready (it has features) or failed."""
    content = image.content
    if image.error_code is not None:
        return FAILED
    if content is None or content.extractor_version != EXTRACTOR_VERSION:
        return PENDING
    return FAILED if content.error_code is not None else READY


def error(image: Image) -> tuple[str, str] | None:
    """Return code and detail of what is wrong with a failed image."""
    if image.error_code is not None:
        return image.error_code, image.error_detail or ""
    content = image.content
    if content is None or content.error_code is None or content.extractor_version != EXTRACTOR_VERSION:
        return None
    return content.error_code, content.error_detail or ""


def page(
    session: Session,
    context_id: uuid.UUID,
    limit: int,
    cursor: str | None = None,
    state: str | None = None,
) -> Page[Image]:
    """List live images by id, all of them or those in one state."""
    query = select(Image).where(*_is_live(context_id)).order_by(Image.image_id)
    if cursor is not None:
        query = query.where(Image.image_id > decode_cursor(cursor, str)[0])
    if state is not None:
        query = query.outerjoin(Content, Content.id == Image.content_id).where(_is_in(state))
    found = session.scalars(query.limit(checked_limit(limit) + 1)).all()
    return page_of(found, limit, key=lambda image: [image.image_id])


def counts(session: Session, context_id: uuid.UUID) -> dict[str, int]:
    """Return how many live images are pending, ready and failed."""
    states = case((_is_in(FAILED), FAILED), (_is_in(READY), READY), else_=PENDING).label("state")
    query = select(states, func.count()).select_from(Image)
    query = query.outerjoin(Content, Content.id == Image.content_id).where(*_is_live(context_id))
    found: dict[str, int] = dict(session.execute(query.group_by(states)).all())
    return {name: found.get(name, 0) for name in (PENDING, READY, FAILED)}


def remove(session: Session, context_id: uuid.UUID, image_id: str) -> Image:
    """End the live image of this id and return it; its bytes go by uploads.remove. Raises NotFound."""
    contexts.lock(session, context_id)
    image = get(session, context_id, image_id)
    image.removed_revision = contexts.bump_revision(session, context_id)
    session.flush()
    if image.content_id is not None:
        removed = [removals.Removed(image.image_id, image.content_id)]
        removals.remember(session, context_id, image.removed_revision, removed)
    return image


def pending(
    session: Session, context_id: uuid.UUID, extractor_version: int = EXTRACTOR_VERSION
) -> np.ndarray:
    """Return the row ids (int64) of live images that this version has neither features nor an error for."""
    query = select(Image.id).outerjoin(Content, Content.id == Image.content_id)
    query = query.where(*_is_live(context_id), _is_pending(extractor_version)).order_by(Image.id)
    return np.array(session.scalars(query).all(), np.int64)


def sources(session: Session, row_ids: Sequence[int] | np.ndarray) -> list[Source]:
    """Return where the bytes of images are, ordered by row id; rows that have gone are left out."""
    given = arrays.ids(session, row_ids)
    query = _sources(given, Image.id).order_by(Image.id)
    return [Source(*row) for row in session.execute(query)]


def holders(session: Session, content_ids: Sequence[int] | np.ndarray) -> dict[int, Source]:
    """Return for each content one image that has its bytes: a live one and a stored one if possible."""
    given = arrays.ids(session, content_ids)
    # The last one stays.
    order = (Image.removed_revision.is_(None), Image.source == STORED, Image.id)
    query = _sources(given, Image.content_id).order_by(*order)
    rows = [Source(*row) for row in session.execute(query)]
    return {source.content_id: source for source in rows if source.content_id is not None}


def _sources(given: FromClause, column: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    """Select the fields of Source of the images whose column is among the given ids."""
    columns = (Image.id, Image.image_id, Image.source, Image.location, Image.content_id, Content.sha256)
    # The ids first: SQLite takes nothing that follows an outer join before it.
    query = select(*columns).join(given, column == given.c.id)
    return query.outerjoin(Content, Content.id == Image.content_id)


def snapshot(
    session: Session,
    context_id: uuid.UUID,
    revision: int,
    extractor_version: int = EXTRACTOR_VERSION,
) -> Snapshot:
    """Return the images of a context that had features, as of a revision."""
    byte_count = func.coalesce(Image.byte_count, 0)
    query = select(Image.id, Image.content_id, byte_count, Content.block_id, Content.slot)
    query = query.join(Content, Content.id == Image.content_id).where(
        *was_live(context_id, revision),
        Image.error_code.is_(None),
        Content.extractor_version == extractor_version,
        Content.block_id.is_not(None),
    )
    found = Snapshot(*arrays.columns(session, query))
    return found[np.argsort(found.row_ids)]


def image_ids(session: Session, row_ids: Sequence[int] | np.ndarray) -> dict[int, str]:
    """Return {row id: image id}, live or not."""
    result: dict[int, str] = {}
    for chunk in arrays.chunks(np.asarray(row_ids, np.int64).tolist()):
        given = arrays.ids(session, chunk)
        query = select(Image.id, Image.image_id).join(given, Image.id == given.c.id)
        result.update(session.execute(query).all())
    return result


def set_origins(session: Session, origins: Sequence[tuple[int, tuple[str, str, int, int | None]]]) -> None:
    """Note of stored images (row id, file as it was listed) which file they are a copy of."""
    if not origins:
        return
    given = arrays.rows(
        session,
        id=(BigInteger(), [row_id for row_id, _ in origins]),
        location=(Text(), [location for _, (_, location, _, _) in origins]),
        modified_ns=(BigInteger(), [modified_ns for _, (_, _, _, modified_ns) in origins]),
    )
    noting = update(Image).where(Image.id == given.c.id)
    noting = noting.values(location=given.c.location, modified_ns=given.c.modified_ns)
    session.execute(noting, execution_options=_UNSYNCHRONIZED)


def byte_count(session: Session, row_ids: Sequence[int] | np.ndarray) -> int:
    """Return how many bytes the images of these rows have together."""
    total = 0
    for chunk in arrays.chunks(np.asarray(row_ids, np.int64).tolist()):
        given = arrays.ids(session, chunk)
        query = select(func.coalesce(func.sum(Image.byte_count), 0)).join(given, Image.id == given.c.id)
        total += session.execute(query).scalar_one() or 0
    return total


def set_contents(session: Session, found: Sequence[tuple[int, int | None, str | None, str | None]]) -> None:
    """Note (row id, content id, error code, error detail) of images, once their bytes were fetched."""
    if not found:
        return
    row_ids, content_ids, codes, details = zip(*sorted(found), strict=True)
    given = arrays.rows(
        session,
        id=(BigInteger(), row_ids),
        content_id=(BigInteger(), content_ids),
        code=(String(), codes),
        detail=(Text(), details),
    )
    statement = (
        update(Image)
        .where(Image.id == given.c.id)
        .values(content_id=given.c.content_id, error_code=given.c.code, error_detail=given.c.detail)
    )
    session.execute(statement, execution_options=_UNSYNCHRONIZED)
    removals.forget_moved(session, row_ids)


def was_live(context_id: uuid.UUID, revision: int) -> list[ColumnElement[bool]]:
    """Return the conditions on images that a context had at a revision."""
    not_yet_removed = or_(Image.removed_revision.is_(None), Image.removed_revision > revision)
    return [Image.context_id == context_id, Image.added_revision <= revision, not_yet_removed]


def _is_live(context_id: uuid.UUID) -> list[ColumnElement[bool]]:
    return [Image.context_id == context_id, Image.removed_revision.is_(None)]


def _live(session: Session, context_id: uuid.UUID, image_id: str) -> Image | None:
    query = select(Image).where(*_is_live(context_id), Image.image_id == image_id)
    return session.scalars(query).one_or_none()


def _is_pending(extractor_version: int) -> ColumnElement[bool]:
    outdated = or_(Image.content_id.is_(None), Content.extractor_version != extractor_version)
    return and_(Image.error_code.is_(None), outdated)


def _is_in(state: str) -> ColumnElement[bool]:
    current = Content.extractor_version == EXTRACTOR_VERSION
    conditions = {
        PENDING: _is_pending(EXTRACTOR_VERSION),
        READY: and_(Image.error_code.is_(None), current, Content.error_code.is_(None)),
        FAILED: or_(Image.error_code.is_not(None), and_(current, Content.error_code.is_not(None))),
    }
    if state not in conditions:
        raise InvalidInput(f"An image is pending, ready or failed, not {state!r}.")
    return conditions[state]
