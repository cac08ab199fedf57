"""Search contexts: made, looked at, deleted."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.compat.calls import ContextId, Text, TheCall
from lookalike import jobs as life
from storage import contexts, jobs

router = APIRouter(prefix="/ai/imageSearch")

NAME = "imageSearch"
# What the matches of these contexts are kept down to: the SDKs ask at any threshold, and cannot lower it.
MATCH_FLOOR = 0.0

IDLE, EXTRACTING, MATCHING, SEARCHING = "Idle", "ExtractingFeatures", "MatchingFeatures", "Searching"
# The first that is at work decides.
_STATUSES = (
    ({life.IMPORT, life.EXTRACT}, EXTRACTING),
    ({life.JOIN, life.VERIFY}, MATCHING),
    ({life.GROUP}, SEARCHING),
)


@router.post("/create")
def create_image_search(
    call: TheCall,
    detector: Text = None,
    matching_algorithm: Annotated[str | None, Query(alias="matchingAlgorithm")] = None,
) -> Response:
    """Create a search context. The engine is one: detector and matching algorithm are taken and not used."""
    with call.parts.database.transaction() as session:
        context = contexts.create(session, name=NAME, client_id=call.client_id, match_floor=MATCH_FLOOR)
    return call.face.answer(_status(context.id, IDLE))


@router.delete("/{context_id}")
def delete_image_search(context_id: ContextId, call: TheCall) -> Response:
    """Delete a search context with its images and jobs; files of the storage stay."""
    with call.parts.database.transaction() as session:
        contexts.delete(session, context_id, call.client_id)
    return call.face.done()


@router.get("/{context_id}/status")
def get_image_search_status(context_id: ContextId, call: TheCall) -> Response:
    """Tell whether any job works on a search context, and how far it has come."""
    with call.parts.database.reading() as session:
        contexts.get(session, context_id, call.client_id)
        at_work = jobs.stages_at_work(session, context_id)
    status = next((status for stages, status in _STATUSES if stages & at_work), IDLE)
    return call.face.answer(_status(context_id, status))


def _status(context_id: uuid.UUID, status: str) -> dict[str, str]:
    return {"id": str(context_id), "searchStatus": status}
