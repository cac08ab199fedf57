"""Images of a context."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api import receiving, submitting, uploading
from api.dependencies import ClientId, Cursor, ImageId, Limit, Reading, TheParts
from api.once import Done, TheOnce
from api.parts import Parts
from api.problems import documented
from api.schemas.images import ImageView
from api.schemas.jobs import JobView
from api.schemas.values import PageView
from api.submitting import ACCEPTED, TheAccepting
from lookalike.errors import EmptyFile, NotFound
from lookalike.jobs import EXTRACT_FEATURES
from storage import contexts, images, removals, uploads
from storage.blobs import Received
from storage.db import Session
from storage.models import Image
from storage.uploads import Upload

router = APIRouter(prefix="/v1/contexts/{context_id}/images", tags=["images"], responses=documented(404, 422))

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "The images, as many as you like.",
                        },
                        "image_id": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "One for each file, in their order; else the file names.",
                        },
                    },
                },
                "encoding": {"files": {"contentType": "application/octet-stream"}},
            }
        },
    }
}
_RAW: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={**ACCEPTED, **documented(409, 413)},
    openapi_extra=_FORM,
)
async def upload_images(
    context_id: uuid.UUID,
    request: Request,
    parts: TheParts,
    client_id: ClientId,
    once: TheOnce,
    accepting: TheAccepting,
) -> Response:
    """Upload images, and start a job that extracts their features.

    An image whose id exists is replaced. If one file is refused, none is stored. A file that turns out not to
    be an image is told in the job's errors.
    """
    await _check_context_first(request, parts, context_id, client_id)
    async with receiving.form(request, parts.settings.max_image_bytes, parts.blobs) as form:
        found = uploading.named(form)
        act = partial(_store, parts=parts, client_id=client_id, context_id=context_id, found=found)
        return await accepting.answer(lambda: once.do(uploading.fingerprint(found), act))


def _store(
    session: Session, *, parts: Parts, client_id: str | None, context_id: uuid.UUID, found: list[Upload]
) -> Done:
    *first, last = uploading.batches(found)
    row_ids: list[int] = []
    for batch in first:
        # Before the session's own transaction begins, which is with its first statement.
        with parts.database.transaction() as another:
            row_ids += uploads.put_many(another, parts.blobs, context_id, batch).values()
    row_ids += uploads.put_many(session, parts.blobs, context_id, last).values()
    return submitting.submit(
        session,
        parts,
        client_id=client_id,
        context_id=context_id,
        kind=EXTRACT_FEATURES,
        image_rows=row_ids,
    )


@router.get("")
def list_images(
    context_id: uuid.UUID,
    session: Reading,
    client_id: ClientId,
    state: Annotated[
        Literal["pending", "ready", "failed"] | None, Query(description="Only those in this state.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> PageView[ImageView]:
    """List the images of a context by id."""
    contexts.get(session, context_id, client_id)
    page = images.page(session, context_id, limit, cursor, state)
    returned = removals.of_images(session, context_id, page.items)
    return PageView.of(page.map(lambda image: ImageView.of(image, returned)))


@router.put(
    "/{image_id:path}",
    responses={201: {"model": ImageView, "description": "The image is new."}, **documented(413)},
    response_model=ImageView,
    openapi_extra=_RAW,
)
async def put_image(
    context_id: uuid.UUID,
    image_id: ImageId,
    request: Request,
    parts: TheParts,
    client_id: ClientId,
) -> Response:
    """Store an image under its id, in place of the one that has it. The body is the file itself.

    Its features are extracted by the next job of the context.
    """
    await _check_context_first(request, parts, context_id, client_id)
    async with receiving.body(request, parts.settings.max_image_bytes) as received:
        if received.byte_count == 0:
            raise EmptyFile("The body is empty: send the image file itself as the body.")
        return await run_in_threadpool(_put, parts, client_id, context_id, image_id, received)


def _put(
    parts: Parts, client_id: str | None, context_id: uuid.UUID, image_id: str, received: Received
) -> Response:
    with parts.database.transaction() as session:
        contexts.get(session, context_id, client_id)
        is_new = not _exists(session, context_id, image_id)
        image = uploads.put(session, parts.blobs, context_id, [Upload(image_id, received)])[0]
        content = _shown(session, context_id, image).model_dump_json()
    return Response(content, 201 if is_new else 200, media_type="application/json")


@router.get("/{image_id:path}")
def get_image(context_id: uuid.UUID, image_id: ImageId, session: Reading, client_id: ClientId) -> ImageView:
    """Show an image: its state, size and format."""
    contexts.get(session, context_id, client_id)
    return _shown(session, context_id, images.get(session, context_id, image_id))


@router.delete("/{image_id:path}", status_code=204)
def delete_image(context_id: uuid.UUID, image_id: ImageId, parts: TheParts, client_id: ClientId) -> None:
    """Remove an image from its context. Uploaded bytes go with it; an imported file stays where it is."""
    _check_context(parts, context_id, client_id)
    uploads.remove(parts.database, parts.blobs, context_id, image_id)


async def _check_context_first(
    request: Request, parts: Parts, context_id: uuid.UUID, client_id: str | None
) -> None:
    try:
        await run_in_threadpool(_check_context, parts, context_id, client_id)
    except NotFound:
        if "expect" not in request.headers:
            await receiving.drain(request.stream())
        raise


def _check_context(parts: Parts, context_id: uuid.UUID, client_id: str | None) -> None:
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)


def _shown(session: Session, context_id: uuid.UUID, image: Image) -> ImageView:
    return ImageView.of(image, removals.of_images(session, context_id, [image]))


def _exists(session: Session, context_id: uuid.UUID, image_id: str) -> bool:
    try:
        images.get(session, context_id, image_id)
    except NotFound:
        return False
    return True
