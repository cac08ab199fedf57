"""Search contexts."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response

from api.dependencies import ClientId, Cursor, Limit, Reading, Transaction
from api.once import Done, TheOnce, fingerprint
from api.problems import documented
from api.schemas.contexts import ContextChange, ContextView, NewContext
from api.schemas.values import PageView
from storage import contexts, images, removals
from storage.db import Session

router = APIRouter(prefix="/v1/contexts", tags=["contexts"], responses=documented(422))


@router.post(
    "",
    status_code=201,
    responses={201: {"model": ContextView, "description": "The context."}, **documented(409, 415)},
)
def create_context(body: NewContext, client_id: ClientId, once: TheOnce) -> Response:
    """Create a context: a collection inside which duplicates are searched."""

    def act(session: Session) -> Done:
        context = contexts.create(session, client_id=client_id, **body.model_dump())
        view = ContextView.of(context, images.counts(session, context.id))
        return Done(201, view, {"Location": f"/v1/contexts/{context.id}"})

    return once.do(fingerprint(body), act)


@router.get("")
def list_contexts(
    session: Reading, client_id: ClientId, limit: Limit = 50, cursor: Cursor = None
) -> PageView[ContextView]:
    """List contexts, oldest first."""
    return PageView.of(contexts.page(session, client_id, limit, cursor).map(ContextView.of))


@router.get("/{context_id}", responses=documented(404))
def get_context(context_id: uuid.UUID, session: Reading, client_id: ClientId) -> ContextView:
    """Show a context, and how many of its images have features."""
    return _shown(session, context_id, client_id)


@router.patch("/{context_id}", responses=documented(404, 415))
def change_context(
    context_id: uuid.UUID, body: ContextChange, session: Transaction, client_id: ClientId
) -> ContextView:
    """Change a context's name, threshold or match floor."""
    contexts.update(session, context_id, client_id, **body.changes())
    return _shown(session, context_id, client_id)


@router.delete("/{context_id}", status_code=204, responses=documented(404))
def delete_context(context_id: uuid.UUID, session: Transaction, client_id: ClientId) -> None:
    """Delete a context with its images, jobs and groups. Files that were imported stay where they are."""
    contexts.delete(session, context_id, client_id)


@router.delete("/{context_id}/removals/{sha256}", status_code=204, responses=documented(404))
def forget_removal(context_id: uuid.UUID, sha256: str, session: Transaction, client_id: ClientId) -> None:
    """Forget that an image with these bytes was removed: it is not flagged any more when it comes back.

    Of what is removed hash and name are remembered, no bytes, for a year unless the server is set otherwise.
    """
    contexts.get(session, context_id, client_id)
    removals.forget(session, context_id, sha256)


def _shown(session: Session, context_id: uuid.UUID, client_id: str | None) -> ContextView:
    context = contexts.get(session, context_id, client_id)
    return ContextView.of(context, images.counts(session, context_id))
