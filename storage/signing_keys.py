"""The key that signs tokens: made on first use, and the same for every server on one database."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.inserts import insert_ignoring
from storage.models import SigningKey
from storage.types import utc_now

KEY_BYTES = 32
_ONLY = 1


def find(session: Session) -> bytes | None:
    """Return the key, or None before its first use."""
    return session.scalar(select(SigningKey.key).where(SigningKey.id == _ONLY))


def ensure(session: Session) -> bytes:
    """Return the key, made now if there is none. Of servers that do so at the same time, one makes it."""
    row = {"id": _ONLY, "key": secrets.token_bytes(KEY_BYTES), "created_at": utc_now()}
    session.execute(insert_ignoring(session, SigningKey), [row])
    return session.scalars(select(SigningKey.key).where(SigningKey.id == _ONLY)).one()
