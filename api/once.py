"""Idempotency-Key: a request that is sent twice is done once, and answered the same, for a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from api.dependencies import ClientId, TheParts
from api.parts import Parts
from lookalike.errors import InvalidInput
from storage import idempotency
from storage.db import Session
from storage.idempotency import Answer

MOST_PATH_LENGTH = 512

log = structlog.get_logger()

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Of your choice, new for each new request. Sent again within 24 hours with the same "
        "body, it gets the first answer again and nothing is done twice.",
    ),
]


@dataclass(frozen=True)
class Done:
    """What a request came to. `after_commit` is called once it is certain; it must stand being left out."""

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    after_commit: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Once:
    """Does a request once for each Idempotency-Key; every time, if it has none."""

    parts: Parts
    client_id: str | None
    method: str
    path: str
    key: str | None

    def do(self, body: bytes, act: Callable[[Session], Done]) -> Response:
        """Act in one transaction and answer, or give the answer of the first time.

        `body` is what must be the same. Raises InvalidInput for another body, Conflict while the first runs.
        """
        if self.key is None:
            return self._act(act, None)
        request = self._request(self.key, body)
        with self.parts.database.transaction() as session:
            stored = idempotency.begin(session, request)
        if stored is not None:
            return _response(stored, {"Idempotent-Replayed": "true"})
        try:
            return self._act(act, request)
        except BaseException:
            with self.parts.database.transaction() as session:
                idempotency.abandon(session, request)
            raise

    def _act(self, act: Callable[[Session], Done], request: idempotency.Request | None) -> Response:
        with self.parts.database.transaction() as session:
            done = act(session)
            answer = Answer(
                done.status, dict(done.headers), done.body.model_dump_json(by_alias=True).encode()
            )
            if request is not None:
                # With the work, in one commit: neither can be without the other.
                idempotency.finish(session, request, answer)
        _follow(done)
        return _response(answer, {})

    def _request(self, key: str, body: bytes) -> idempotency.Request:
        if len(self.path) > MOST_PATH_LENGTH:
            raise InvalidInput("The path is too long for an Idempotency-Key.")
        return idempotency.Request(self.client_id or "", self.method, self.path, key, sha256(body).digest())


def fingerprint(body: BaseModel) -> bytes:
    """Return what makes two JSON bodies the same, however they are written."""
    return body.model_dump_json(exclude_unset=True).encode()


def _once(request: Request, parts: TheParts, client_id: ClientId, key: Key = None) -> Once:
    return Once(parts, client_id, request.method, request.url.path, key)


TheOnce = Annotated[Once, Depends(_once)]


def _follow(done: Done) -> None:
    try:
        done.after_commit()
    except Exception as error:
        # It is done already, whatever becomes of this: recovery sends what was not sent.
        log.warning("request.follow_up_failed", error=repr(error))


def _response(answer: Answer, more: dict[str, str]) -> Response:
    headers = {**answer.headers, **more}
    return Response(answer.body, answer.status, headers=headers, media_type="application/json")
