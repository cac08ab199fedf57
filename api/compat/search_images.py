"""Images of a search context. An image id is a path in the storage, and what is uploaded lies there too."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api import pictures as shown
from api.compat import bodies, pictures
from api.compat.calls import ContextId, ImageId, TheCall
from lookalike.errors import NotFound
from storage import contexts, files, images

router = APIRouter(prefix="/ai/imageSearch/{context_id}/image")


@router.post("")
@router.put("")
async def put_search_image(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Put an image and its features into a search context, in place of the one that has its id.

    With a picture in the request it is stored under that path; without one, the storage's file is taken.
    """
    async with bodies.picture(call, context_id) as received:
        headers = await pictures.put(call, context_id, image_id, received, keeps_file=True)
    return call.face.done(headers)


@router.get("")
async def get_search_image(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Return the file of an image as it is."""
    return await run_in_threadpool(_file, context_id, call, image_id)


@router.delete("")
def delete_search_image(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Remove an image and its features, and the file that was uploaded with it; other files stay."""
    pictures.remove(call, context_id, image_id, with_file=True)
    return call.face.done()


def _file(context_id: ContextId, call: TheCall, image_id: str) -> Response:
    with call.parts.database.reading() as session:
        contexts.get(session, context_id, call.client_id)
        try:
            image = images.get(session, context_id, image_id)
        except NotFound:
            file = files.find(session, call.storage, call.path_of(image_id))
            # Its features were deleted, the image was not.
            if file is None or file.context_id != context_id:
                raise
            return shown.stored(call.request, call.parts.blobs, files.content_of(file).sha256, image_id)
    return shown.original(call.request, call.parts.blobs, image, call.parts.settings.max_image_bytes)
