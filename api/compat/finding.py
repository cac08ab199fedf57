"""What is alike: duplicates, similar images, images of a tag, and two pictures compared."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.compat import bodies, pictures
from api.compat.calls import Call, ContextId, MaxCount, OptionalImageId, TheCall, Threshold, plain_image_id
from api.compat.refusals import NotDone
from lookalike.decisions import NOT_DUPLICATES
from lookalike.errors import InvalidInput
from lookalike.ids import url_of_image_id
from storage import tags
from storage.blobs import Received
from storage.groups import ShownGroup
from storage.types import utc_now
from worker import comparison, duplicates, showing
from worker.comparison import MOST_VERIFIED, Given

router = APIRouter(prefix="/ai/imageSearch/{context_id}")

TagName = Annotated[str, Query(alias="tagName", min_length=1)]


@router.get("/findDuplicates")
async def find_image_duplicates(context_id: ContextId, call: TheCall, threshold: Threshold) -> Response:
    """Find groups of duplicates, the original of each first.

    A job underneath: one that works already is joined, and one that has found them is not done again as long
    as the context is as it was.
    """
    await run_in_threadpool(call.check_context, context_id)
    job_id = await _found(call, context_id, threshold)
    found = await run_in_threadpool(_groups, call, job_id, threshold)
    return call.face.answer({"duplicates": found}, pictures.headers_of(job_id))


@router.get("/findSimilar")
async def find_similar_images(
    context_id: ContextId, call: TheCall, threshold: Threshold, count: MaxCount, image_id: OptionalImageId
) -> Response:
    """Find the images of the context that are like one of them, or like a picture in the request."""
    async with bodies.picture(call, context_id) as received:
        given = await pictures.given(call, context_id, image_id, received)
    if given is None:
        raise InvalidInput("Name an imageId, or send a picture.")
    return _results(call, await run_in_threadpool(_similar, call, context_id, [given], threshold, count))


@router.post("/findByTags")
async def find_images_by_tags(
    context_id: ContextId, call: TheCall, threshold: Threshold, count: MaxCount
) -> Response:
    """Find the images of the context that are like the pictures of any of the tags in the request."""
    names = await bodies.tags(call, context_id)
    standing = await run_in_threadpool(_pictures_of, call, context_id, names)
    return _results(call, await run_in_threadpool(_similar, call, context_id, standing, threshold, count))


@router.post("/addTag")
async def create_image_tag(context_id: ContextId, call: TheCall, name: TagName) -> Response:
    """Let the picture in the request stand for a tag."""
    async with bodies.picture(call, context_id) as received:
        if received is None:
            raise InvalidInput("Send the picture that is to stand for the tag.")
        await run_in_threadpool(_add_tag, call, context_id, name, received)
    return call.face.done()


@router.post("/compare")
async def compare_images(
    context_id: ContextId,
    call: TheCall,
    first: Annotated[str, Query(alias="imageId1", min_length=1)],
    second: Annotated[str | None, Query(alias="imageId2")] = None,
) -> Response:
    """Tell how much of its detail an image shares with another, or with a picture in the request."""
    async with bodies.picture(call, context_id) as received:
        one = await pictures.given(call, context_id, plain_image_id(first), None)
        other_id = plain_image_id(second) if second else None
        other = await pictures.given(call, context_id, other_id, received)
    if one is None or other is None:
        raise InvalidInput("Name an imageId2, or send a picture.")
    similarity = await run_in_threadpool(_shared, call, context_id, one, other)
    return _results(call, [(other_id or "", similarity)])


async def _found(call: Call, context_id: uuid.UUID, threshold: float) -> uuid.UUID:
    """Return a job that has found the duplicates of the context as it was when we were asked."""
    parts, asked_at = call.parts, utc_now()
    for since in (None, asked_at):
        job_id = await run_in_threadpool(
            duplicates.ask, parts.database, parts.dispatcher, context_id, threshold, since=since
        )
        job = await pictures.ended(call, job_id)
        if await run_in_threadpool(_answers, call, job_id, asked_at):
            return job_id
    raise NotDone(f"The job {job_id} has {job.state}" + (f": {job.error.detail}" if job.error else "."))


def _answers(call: Call, job_id: uuid.UUID, asked_at: Any) -> bool:
    with call.parts.database.reading() as session:
        return duplicates.answers(session, job_id, asked_at)


def _groups(call: Call, job_id: uuid.UUID, threshold: float) -> list[dict[str, Any]]:
    found = showing.every(call.parts.database, call.parts.cache_dir, job_id, threshold)
    return [{"duplicateImages": _members(group)} for group in found]


def _members(group: ShownGroup) -> list[dict[str, Any]]:
    return [_result(image.image_id, image.similarity) for image in group.images]


def _similar(
    call: Call, context_id: uuid.UUID, given: Iterable[Given], threshold: float, count: int
) -> list[tuple[str, float]]:
    tools, best = call.parts.tools(), dict[str, float]()
    for picture in given:
        limit = min(count, MOST_VERIFIED)
        for each in comparison.similar(tools, context_id, picture, threshold=threshold, limit=limit):
            if each.decision == NOT_DUPLICATES:
                continue
            best[each.image_id] = max(each.similarity, best.get(each.image_id, 0.0))
    return sorted(best.items(), key=lambda each: (-each[1], each[0]))[:count]


def _shared(call: Call, context_id: uuid.UUID, one: Given, other: Given) -> float:
    return comparison.shared_detail(comparison.compare(call.parts.tools(), context_id, one, other))


def _add_tag(call: Call, context_id: uuid.UUID, name: str, received: Received) -> None:
    tools = call.parts.tools()
    # What cannot be read would find nothing later: it is refused now.
    tools.extract(received.file.read(), tools.limits)
    with call.parts.database.transaction() as session:
        tags.add(session, call.parts.blobs, context_id, name, received)


def _pictures_of(call: Call, context_id: uuid.UUID, names: list[str]) -> list[Given]:
    with call.parts.database.reading() as session:
        digests = tags.pictures(session, context_id, names)
    return [call.parts.blobs.read_content(sha256) for sha256 in digests]


def _results(call: Call, found: Iterable[tuple[str, float]]) -> Response:
    return call.face.answer({"results": [_result(image_id, similarity) for image_id, similarity in found]})


def _result(image_id: str, similarity: float) -> dict[str, Any]:
    return {"imageId": url_of_image_id(image_id), "similarity": float(similarity)}
