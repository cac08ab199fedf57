"""Features of images: extracted, shown as bytes, removed."""

from __future__ import annotations

import base64
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.compat import bodies, pictures
from api.compat.calls import Call, ContextId, ImageId, OptionalImageId, TheCall, is_encoded_url
from api.compat.refusals import NotExtracted
from lookalike.errors import InvalidInput
from lookalike.features.keypoints import DESCRIPTOR_BITS, key_points
from lookalike.ids import image_id_of_url, url_of_image_id
from lookalike.paths import checked_path
from storage import contents, images, job_errors

router = APIRouter(prefix="/ai/imageSearch/{context_id}")

ImagesFolder = Annotated[str | None, Query(alias="imagesFolder")]
ImagesSource = Annotated[str, Query(alias="imagesSource", min_length=1, max_length=4096)]


@router.post("/features")
async def create_image_features(
    context_id: ContextId, call: TheCall, image_id: OptionalImageId, images_folder: ImagesFolder = None
) -> Response:
    """Extract features: of a picture in the request, of a file of the storage, or of a folder of it.

    A single image has its features when this returns. For a folder a job goes on: the status is not Idle
    until it has ended.
    """
    if image_id is None and images_folder:
        folder = checked_path(images_folder)
        job_id = await run_in_threadpool(pictures.take_folder, call, context_id, folder)
        return call.face.done(pictures.headers_of(job_id))
    if image_id is None:
        raise InvalidInput("Name an imageId or an imagesFolder.")
    return await _put(context_id, call, image_id)


@router.put("/features")
async def update_image_features(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Extract the features of an image anew: of the picture in the request, or of the storage's file."""
    return await _put(context_id, call, image_id)


@router.post("/features/web")
async def create_web_site_image_features(
    context_id: ContextId, call: TheCall, images_source: ImagesSource
) -> Response:
    """Extract the features of the images that a web page shows; their ids are their URLs."""
    url = unquote(images_source) if is_encoded_url(images_source) else images_source
    job_id = await run_in_threadpool(pictures.take_page, call, context_id, url)
    headers = await pictures.extracted(call, job_id)
    await run_in_threadpool(_check_page, call, job_id, image_id_of_url(url))
    return call.face.done(headers)


@router.get("/features")
async def get_image_features(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Show the features of an image of the search context."""
    headers = await pictures.ready(call, context_id, image_id)
    return call.face.answer(await run_in_threadpool(_stored, call, context_id, image_id), headers)


@router.delete("/features")
def delete_image_features(context_id: ContextId, call: TheCall, image_id: ImageId) -> Response:
    """Remove an image from the search context; its file stays in the storage."""
    pictures.remove(call, context_id, image_id, with_file=False)
    return call.face.done()


@router.get("/image2features")
async def extract_image_features(context_id: ContextId, call: TheCall, image_id: OptionalImageId) -> Response:
    """Show the features of an image, or of a picture in the request, without adding it to the context."""
    async with bodies.picture(call, context_id) as received:
        given = await pictures.given(call, context_id, image_id, received)
        if given is None:
            raise InvalidInput("Name an imageId, or send a picture.")
        if isinstance(given, str):
            return call.face.answer(await run_in_threadpool(_stored, call, context_id, given))
        return call.face.answer(await run_in_threadpool(_extracted, call, image_id or "", given))


async def _put(context_id: ContextId, call: Call, image_id: str) -> Response:
    async with bodies.picture(call, context_id) as received:
        headers = await pictures.put(call, context_id, image_id, received, keeps_file=False)
    return call.face.done(headers)


def _check_page(call: Call, job_id: Any, page_id: str) -> None:
    """Tell why a page could not be had; what is wrong with single images stands in the job's errors."""
    with call.parts.database.reading() as session:
        if error := job_errors.find(session, job_id, page_id):
            raise NotExtracted(error.code, error.detail)


def _stored(call: Call, context_id: Any, image_id: str) -> dict[str, Any]:
    with call.parts.database.reading() as session:
        content = images.get(session, context_id, image_id).content
        if content is None or content.block_id is None:
            raise NotExtracted(*(images.error(images.get(session, context_id, image_id)) or _PENDING))
        place = contents.proxy_places(session, [content.id])[0]
    proxy = call.parts.blobs.read_range(*place)
    return _features(image_id, proxy, content.width or 0, content.height or 0)


_PENDING = ("pending", "The image has no features yet.")


def _extracted(call: Call, image_id: str, data: bytes) -> dict[str, Any]:
    tools = call.parts.tools()
    extracted = tools.extract(data, tools.limits)
    return _features(image_id, extracted.proxy, extracted.width, extracted.height)


def _features(image_id: str, proxy: bytes, width: int, height: int) -> dict[str, Any]:
    found = key_points(proxy, width, height)
    return {
        "imageId": url_of_image_id(image_id),
        "featuresCount": len(found),
        "featureLengthInBits": DESCRIPTOR_BITS,
        "features": base64.b64encode(found.tobytes()).decode(),
    }
