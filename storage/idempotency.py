"""Idempotency keys: a request that is sent twice is done once, and answered the same, for a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, or_, update
from sqlalchemy.orm import Session

from lookalike.errors import Conflict, InvalidInput
from storage.inserts import insert_ignoring
from storage.models import IdempotencyKey
from storage.types import utc_now

LIFETIME = timedelta(hours=24)
# A request without an answer after this long died with its process.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Request:
    """What makes two requests the same: the key within client, method and path, and the body's hash."""

    client_id: str
    method: str
    path: str
    key: str
    request_hash: bytes


@dataclass(frozen=True)
class Answer:
    """A stored answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(session: Session, request: Request) -> Answer | None:
    """Return the stored answer, or None: this request is the first, and now counts as running.

    Commit before the work. Raises InvalidInput for another body under the same key, Conflict while the first
    request still runs.
    """
    if _claim(session, request):
        return None
    stored = session.get_one(IdempotencyKey, _identity(request), populate_existing=True)
    if stored.request_hash != request.request_hash:
        raise InvalidInput(
            "This Idempotency-Key was used with another body; use a new key for a new request."
        )
    if stored.status is None:
        raise Conflict("The first request with this Idempotency-Key still runs; ask again in a moment.")
    return Answer(stored.status, stored.headers, stored.body or b"")


def finish(session: Session, request: Request, answer: Answer) -> None:
    """Store the answer of a request that began."""
    values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
    session.execute(update(IdempotencyKey).where(*_is(request)).values(values))


def abandon(session: Session, request: Request) -> None:
    """Forget a request that failed, so that the same key may try again."""
    session.execute(delete(IdempotencyKey).where(*_is(request), IdempotencyKey.status.is_(None)))


def expire(session: Session) -> int:
    """Forget keys older than a day; return how many."""
    result = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < utc_now() - LIFETIME))
    return _count(result)


def _claim(session: Session, request: Request) -> bool:
    now = utc_now()
    fresh: dict[str, Any] = {
        "status": None,
        "headers": {},
        "body": None,
        "created_at": now,
        "request_hash": request.request_hash,
    }
    identity = dict(zip(("client_id", "method", "path", "key"), _identity(request), strict=True))
    adding = insert_ignoring(session, IdempotencyKey).values(**identity, **fresh)
    if session.execute(adding.returning(IdempotencyKey.key)).first() is not None:
        return True
    dead = and_(IdempotencyKey.status.is_(None), IdempotencyKey.created_at < now - PATIENCE)
    old = or_(dead, IdempotencyKey.created_at < now - LIFETIME)
    renewed = session.execute(update(IdempotencyKey).where(*_is(request), old).values(**fresh))
    return _count(renewed) > 0


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount


def _identity(request: Request) -> tuple[str, str, str, str]:
    return request.client_id, request.method, request.path, request.key


def _is(request: Request) -> list[ColumnElement[bool]]:
    columns = (IdempotencyKey.client_id, IdempotencyKey.method, IdempotencyKey.path, IdempotencyKey.key)
    return [column == value for column, value in zip(columns, _identity(request), strict=True)]
