"""What happens in a context, as it happens."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies import ClientId, TheParts
from api.listeners import NoticeStream
from api.parts import Parts
from api.problems import documented
from storage import contexts

router = APIRouter(
    prefix="/v1/contexts/{context_id}/events", tags=["webhooks"], responses=documented(404, 422)
)


@router.get(
    "",
    response_class=Response,
    responses={
        200: {
            "description": "Each event has the type of a notice as `event`, and as `data` what webhooks get.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def follow_events(
    context_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId
) -> Response:
    """Follow what happens in a context as server-sent events: how jobs end, new groups, schedules.

    It begins with what was told after the `Last-Event-ID` that a browser sends when it comes back, else with
    what happens from now on. The stream does not end by itself.
    """
    await run_in_threadpool(_check, parts, client_id, context_id)
    return NoticeStream(parts.listeners, context_id, request.headers.get("last-event-id"))


def _check(parts: Parts, client_id: str | None, context_id: uuid.UUID) -> None:
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)
