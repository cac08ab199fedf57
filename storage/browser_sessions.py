"""Browsers that have logged in. What a browser has is kept here as a hash only."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from storage.models import BrowserSession, Client
from storage.types import utc_now

TOKEN_BYTES = 32


def begin(session: Session, client_id: str, lifetime: timedelta) -> str:
    """Begin a session of a client; return the token that its browser is known by."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = utc_now() + lifetime
    session.add(BrowserSession(token_hash=_hash(token), client_id=client_id, expires_at=expires_at))
    session.flush()
    return token


def client_of(session: Session, token: str) -> str | None:
    """Return the id of the client whose browser has this token; None if the session has ended."""
    query = (
        select(Client.id)
        .join(BrowserSession, BrowserSession.client_id == Client.id)
        .where(
            BrowserSession.token_hash == _hash(token),
            BrowserSession.expires_at > utc_now(),
            Client.revoked_at.is_(None),
        )
    )
    return session.scalar(query)


def end(session: Session, token: str) -> None:
    """End a session, if it has not ended yet."""
    session.execute(delete(BrowserSession).where(BrowserSession.token_hash == _hash(token)))


def expire(session: Session) -> int:
    """Forget sessions that have ended by themselves; return how many."""
    result = session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= utc_now()))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _hash(token: str) -> bytes:
    # As for a client's secret: nothing that people choose, so a fast hash is enough.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
