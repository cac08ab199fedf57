"""Decisions about pairs of images."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api import receiving
from api.dependencies import ClientId, Cursor, Limit, Reading, TheParts, Transaction
from api.once import Done, TheOnce, fingerprint
from api.problems import documented
from api.schemas.decisions import DecisionList, DecisionView, ImportedView, NewDecision, Sha256, Verdict
from api.schemas.values import PageView
from storage import contexts, decisions
from storage.db import Database, Session
from storage.models import Decision
from worker import decision_files

router = APIRouter(
    prefix="/v1/contexts/{context_id}/decisions", tags=["decisions"], responses=documented(404, 422)
)

_LINES = {"content": {decision_files.MEDIA_TYPE: {"schema": {"type": "string"}}}}
_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "",
    status_code=201,
    responses={201: {"model": DecisionList, "description": "The decisions."}, **documented(409, 415)},
)
def decide(context_id: uuid.UUID, body: NewDecision, client_id: ClientId, once: TheOnce) -> Response:
    """Decide about each two of some images, or of a whole group: no duplicates, or copies to keep.

    A decision is about bytes, so it survives new jobs, new names, imports and other thresholds. It counts
    from the next job on, and at once where groups are asked for at another threshold than the job's own.
    It replaces what was decided about the pair before. Images with the same bytes are duplicates: of them it
    can only be said that all of them stay.
    """

    def act(session: Session) -> Done:
        contexts.get(session, context_id, client_id)
        if body.image_ids is not None:
            # Of one image that is named twice nothing is said.
            sha256s = decisions.sha256s_of(session, context_id, list(dict.fromkeys(body.image_ids)))
        else:
            sha256s = [bytes.fromhex(each) for each in body.sha256 or []]
        made = decisions.decide(session, context_id, sha256s, body.verdict, body.note)
        return Done(201, DecisionList(items=_shown(session, context_id, made)))

    return once.do(fingerprint(body), act)


@router.get("")
def list_decisions(
    context_id: uuid.UUID,
    session: Reading,
    client_id: ClientId,
    verdict: Annotated[Verdict | None, Query(description="Only these.")] = None,
    sha256: Annotated[Sha256 | None, Query(description="Only those about this content.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> PageView[DecisionView]:
    """List the decisions of a context, newest first."""
    contexts.get(session, context_id, client_id)
    about = bytes.fromhex(sha256) if sha256 else None
    page = decisions.page(session, context_id, limit, cursor, verdict=verdict, sha256=about)
    return PageView(items=_shown(session, context_id, page.items), next_cursor=page.next_cursor)


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"description": "JSON lines, the first says what the file is.", **_LINES}},
)
def export_decisions(context_id: uuid.UUID, parts: TheParts, client_id: ClientId) -> StreamingResponse:
    """Write all decisions of a context as a file of JSON lines, for a backup or for another context."""
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)
    return StreamingResponse(
        decision_files.written(_every(parts.database, context_id)), media_type=decision_files.MEDIA_TYPE
    )


@router.post(
    "/import",
    responses=documented(413),
    openapi_extra={"requestBody": {"required": True, "content": _FILE}},
)
async def import_decisions(
    context_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId
) -> ImportedView:
    """Take in a file of decisions; of two about a pair the later one holds.

    Decisions about images that are not in the context are kept, as they may come later.
    """
    async with receiving.body(request, decision_files.MOST_BYTES) as received:
        data = received.file.read()
    return await run_in_threadpool(_imported, parts.database, context_id, client_id, data)


@router.get("/{decision_id}")
def get_decision(
    context_id: uuid.UUID, decision_id: uuid.UUID, session: Reading, client_id: ClientId
) -> DecisionView:
    """Show a decision."""
    contexts.get(session, context_id, client_id)
    return _shown(session, context_id, [decisions.get(session, context_id, decision_id)])[0]


@router.delete("/{decision_id}", status_code=204)
def take_back_decision(
    context_id: uuid.UUID, decision_id: uuid.UUID, session: Transaction, client_id: ClientId
) -> None:
    """Take a decision back: the pair is a match again if it was one."""
    contexts.get(session, context_id, client_id)
    decisions.take_back(session, context_id, decision_id)


def _imported(database: Database, context_id: uuid.UUID, client_id: str | None, data: bytes) -> ImportedView:
    with database.reading() as session:
        contexts.get(session, context_id, client_id)
    new = decision_files.read(data)
    with database.transaction() as session:
        contexts.get(session, context_id, client_id)
        return ImportedView.model_validate(vars(decisions.take_in(session, context_id, new)))


def _every(database: Database, context_id: uuid.UUID) -> Iterator[Decision]:
    with database.reading() as session:
        yield from decisions.every(session, context_id)


def _shown(session: Session, context_id: uuid.UUID, found: list[Decision]) -> list[DecisionView]:
    hashes = [sha256 for each in found for sha256 in (each.low_sha256, each.high_sha256)]
    names = decisions.names(session, context_id, hashes)
    return [DecisionView.of(each, names) for each in found]
