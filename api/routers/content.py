"""What an image looks like: its bytes, and a thumbnail."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api import pictures
from api.dependencies import ClientId, ImageId, TheParts
from api.problems import documented
from lookalike.errors import NotFound
from storage import contents, contexts, images

router = APIRouter(prefix="/v1/contexts/{context_id}", tags=["images"], responses=documented(404, 422))

LARGEST_THUMBNAIL = 400

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed since the ETag was given."}}


@router.get(
    "/content/{image_id:path}",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"image/*": _BINARY}}, **_UNCHANGED},
)
def get_content(
    context_id: uuid.UUID, image_id: ImageId, request: Request, parts: TheParts, client_id: ClientId
) -> Response:
    """Return an image's file as it is."""
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)
        image = images.get(session, context_id, image_id)
    return pictures.original(request, parts.blobs, image, parts.settings.max_image_bytes)


@router.get(
    "/thumbnails/{image_id:path}",
    response_class=Response,
    responses={200: {"description": "A JPEG, upright.", "content": {"image/jpeg": _BINARY}}, **_UNCHANGED},
)
def get_thumbnail(
    context_id: uuid.UUID,
    image_id: ImageId,
    request: Request,
    parts: TheParts,
    client_id: ClientId,
    size: Annotated[int, Query(ge=16, le=LARGEST_THUMBNAIL, description="Longest side in pixels.")] = 256,
) -> Response:
    """Return a small version of an image; there is one as soon as its features have been extracted."""
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)
        image = images.get(session, context_id, image_id)
        if image.content is None or image.content.block_id is None:
            raise NotFound(f"The image is {images.state(image)}: it has a thumbnail when it has features.")
        place = contents.proxy_places(session, [image.content.id])[0]
        tag = f'"{image.content.sha256.hex()[:32]}-{image.content.extractor_version}-{size}"'
    return pictures.thumbnail(request, parts.blobs.read_range(*place), tag, size)
