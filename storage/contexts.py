"""Search contexts: collections inside which duplicates are searched."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import select
from sqlalchemy import update as update_table
from sqlalchemy.orm import Session

from lookalike.errors import InvalidInput, InvalidThreshold, NotFound
from lookalike.ids import new_id
from storage import arrays
from storage.inserts import insert_ignoring
from storage.models import Context
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

CHANGEABLE = {"name", "similarity_threshold", "match_floor"}


def create(
    session: Session,
    *,
    name: str,
    client_id: str | None = None,
    similarity_threshold: float = 90.0,
    match_floor: float | None = None,
    folder_key: str | None = None,
) -> Context:
    """Make a context; the match floor is 70, or the threshold if that is lower. Raises InvalidThreshold."""
    floor = min(70.0, similarity_threshold) if match_floor is None else match_floor
    values = _checked(name=name, similarity_threshold=similarity_threshold, match_floor=floor)
    context = Context(id=new_id(), client_id=client_id, folder_key=folder_key, revision=0, **values)
    session.add(context)
    session.flush()
    return context


def for_folder(session: Session, folder_key: str, *, name: str, **values: Any) -> Context:
    """Return the context of a set of folders, made now if there is none."""
    if context := of_folder(session, folder_key):
        return context
    values = _checked(name=name, **{"similarity_threshold": 90.0, "match_floor": 70.0, **values})
    # Two commands on one folder may come here at the same time.
    row = {"id": new_id(), "folder_key": folder_key, "revision": 0, **values}
    session.execute(insert_ignoring(session, Context), [row])
    return session.scalars(select(Context).where(Context.folder_key == folder_key)).one()


def of_folder(session: Session, folder_key: str) -> Context | None:
    """Return the context of a set of folders, None if they were never searched."""
    return session.scalars(select(Context).where(Context.folder_key == folder_key)).one_or_none()


def get(session: Session, context_id: uuid.UUID, client_id: str | None = None) -> Context:
    """Return a context. Raises NotFound, also when it is another client's."""
    context = session.get(Context, context_id)
    if context is None or (client_id is not None and context.client_id != client_id):
        raise NotFound(f"There is no context {context_id}.")
    return context


def existing(session: Session, context_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the contexts that there are."""
    found: set[uuid.UUID] = set()
    for chunk in arrays.chunks(context_ids, 500):
        found |= set(session.scalars(select(Context.id).where(Context.id.in_(chunk))))
    return found


def page(session: Session, client_id: str | None, limit: int, cursor: str | None = None) -> Page[Context]:
    """List contexts, oldest first; of one client, or of all if client_id is None."""
    query = select(Context).order_by(Context.id).limit(checked_limit(limit) + 1)
    if client_id is not None:
        query = query.where(Context.client_id == client_id)
    if cursor is not None:
        query = query.where(Context.id > _uuid(decode_cursor(cursor, str)[0]))
    return page_of(session.scalars(query).all(), limit, key=lambda context: [str(context.id)])


def update(session: Session, context_id: uuid.UUID, client_id: str | None = None, **values: Any) -> Context:
    """Change name, similarity_threshold or match_floor. Raises NotFound, InvalidThreshold, InvalidInput."""
    if unknown := values.keys() - CHANGEABLE:
        raise InvalidInput(f"A context has no {', '.join(sorted(unknown))} to change.")
    context = get(session, context_id, client_id)
    present = {name: getattr(context, name) for name in CHANGEABLE}
    for name, value in _checked(**{**present, **values}).items():
        setattr(context, name, value)
    context.updated_at = utc_now()
    session.flush()
    return context


def delete(session: Session, context_id: uuid.UUID, client_id: str | None = None) -> None:
    """Delete a context with its images and jobs; stored bytes go with the next expiry. Raises NotFound."""
    get(session, context_id, client_id)
    session.execute(delete_from(Context).where(Context.id == context_id))


def lock(session: Session, context_id: uuid.UUID) -> Context:
    """Return a context, and let nobody else change its images until the end of the transaction.

    Always before contents are locked (contents.ensure): one order for all, so that nobody waits in a circle.
    """
    query = select(Context).where(Context.id == context_id).with_for_update(key_share=True)
    context = session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
    if context is None:
        raise NotFound(f"There is no context {context_id}.")
    return context


def bump_revision(session: Session, context_id: uuid.UUID) -> int:
    """Count a change of the context's images and return the new revision. Raises NotFound."""
    changed = (
        update_table(Context)
        .where(Context.id == context_id)
        .values(revision=Context.revision + 1, updated_at=utc_now())
        .returning(Context.revision)
    )
    revision = session.execute(changed, execution_options={"synchronize_session": False}).scalar_one_or_none()
    if revision is None:
        raise NotFound(f"There is no context {context_id}.")
    return revision


def _checked(*, name: str, similarity_threshold: float, match_floor: float) -> dict[str, Any]:
    for value in (similarity_threshold, match_floor):
        if not 0 <= value <= 100:
            raise InvalidThreshold(f"A similarity threshold is a number from 0 to 100, not {value:g}.")
    if match_floor > similarity_threshold:
        raise InvalidThreshold(
            f"The match floor ({match_floor:g}) must not be above the threshold ({similarity_threshold:g})."
        )
    if not name.strip() or "\0" in name:
        raise InvalidInput("A context's name is text, and not empty.")
    return {"name": name, "similarity_threshold": similarity_threshold, "match_floor": match_floor}


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput(WRONG_CURSOR) from None
