"""Folders of the server, URLs and archives, taken into a context where they are."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response

from api import submitting
from api.dependencies import ClientId, TheParts
from api.once import TheOnce, fingerprint
from api.problems import documented
from api.schemas.images import NewImport
from api.schemas.jobs import JobView
from api.submitting import ACCEPTED, TheAccepting
from lookalike.jobs import EXTRACT_FEATURES
from storage import contexts
from worker.permitted import permitted

router = APIRouter(prefix="/v1/contexts/{context_id}/imports", tags=["images"])


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={**ACCEPTED, **documented(404, 409, 415, 422)},
)
async def import_folder(
    context_id: uuid.UUID,
    body: NewImport,
    parts: TheParts,
    client_id: ClientId,
    once: TheOnce,
    accepting: TheAccepting,
) -> Response:
    """Take the images of a folder, a URL or an archive into a context, and extract their features.

    Folders and archives (zip, tar, also compressed) lie on the server, under one of the roots in
    `LOOKALIKE_IMPORT_ROOTS`; URLs such as `s3://photos/2026` begin as `LOOKALIKE_IMPORT_URLS` says. Files are
    read where they are, and never changed. Importing again finds what is new and what has changed, and
    opens nothing else.
    """

    def act() -> Response:
        # First of all: what is wrong with the source is told to the context's owner only.
        with parts.database.reading() as session:
            context = contexts.get(session, context_id, client_id)
            source = permitted(session, context, body.source, parts.settings)
        parameters = {"source": source, "copy": body.copies, "complete": body.complete}
        return once.do(
            fingerprint(body),
            lambda session: submitting.submit(
                session,
                parts,
                client_id=client_id,
                context_id=context_id,
                kind=EXTRACT_FEATURES,
                parameters=parameters,
            ),
        )

    return await accepting.answer(act)
