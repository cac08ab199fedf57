"""Tags: words of a context, each with the pictures that stand for it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from lookalike.errors import InvalidInput
from storage import contents, contexts
from storage.blobs import Blobs, Received
from storage.inserts import insert_ignoring
from storage.models import Content, Tag

MOST_CHARACTERS = 200


def add(session: Session, blobs: Blobs, context_id: uuid.UUID, name: str, received: Received) -> None:
    """Let a picture stand for a word; the same again changes nothing. Raises InvalidInput, NotFound."""
    if not name.strip() or len(name) > MOST_CHARACTERS or "\0" in name:
        raise InvalidInput(f"A tag is text of at most {MOST_CHARACTERS} characters, and not empty.")
    contexts.lock(session, context_id)
    content = contents.ensure(session, received.sha256, received.byte_count)
    blobs.keep(received)
    row = {"context_id": context_id, "name": name, "content_id": content.id}
    session.execute(insert_ignoring(session, Tag), [row])


def pictures(session: Session, context_id: uuid.UUID, names: Sequence[str]) -> list[bytes]:
    """Return the SHA-256s of the pictures that stand for any of the words, each once."""
    standing = exists().where(
        Tag.content_id == Content.id, Tag.context_id == context_id, Tag.name.in_(list(names))
    )
    return list(session.scalars(select(Content.sha256).where(standing).order_by(Content.id)))
