"""Comparing pictures while the client waits."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api import asked
from api.dependencies import ClientId, TheParts
from api.parts import Parts
from api.problems import documented
from api.receiving import ReceivedFile
from api.schemas.comparisons import (
    LARGEST_LIMIT,
    ComparisonAsked,
    ExplainedView,
    SimilarAsked,
    SimilarList,
    SimilarView,
)
from lookalike.errors import InvalidInput
from storage import contexts
from worker import comparison

router = APIRouter(
    prefix="/v1/contexts/{context_id}", tags=["comparison"], responses=documented(404, 413, 415, 422)
)

_IDS = {"type": "array", "items": {"type": "string"}}
_SIMILAR_FIELDS = {
    "image_id": {"type": "string"},
    "similarity_threshold": {"type": "number", "minimum": 0, "maximum": 100, "default": 70},
    "limit": {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": 20},
}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}


def _body(model: str, form: dict[str, Any]) -> dict[str, Any]:
    properties = {"type": "object", "properties": {**form, "files": _FILES}}
    content = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}},
        "multipart/form-data": {"schema": properties},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.post("/compare", openapi_extra=_body("ComparisonAsked", {"image_id": _IDS}))
async def compare_images(
    context_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId
) -> ExplainedView:
    """Compare two pictures: two images of the context, one of them and an upload, or two uploads.

    As JSON with `image_ids`; or as a form with pictures in `files`, and an `image_id` if there is only one.
    """
    await run_in_threadpool(_check_context, parts, context_id, client_id)
    most = parts.settings.max_image_bytes
    async with asked.question(request, most, ComparisonAsked, {"image_id": "image_ids"}) as (pair, files):
        given: list[str | ReceivedFile] = [*pair.image_ids, *files]
        if len(given) != 2:
            raise InvalidInput(f"A comparison takes two pictures, not {len(given)}.")
        return await run_in_threadpool(_compared, parts, context_id, given)


@router.post("/similar", openapi_extra=_body("SimilarAsked", _SIMILAR_FIELDS))
async def find_similar(
    context_id: uuid.UUID, request: Request, parts: TheParts, client_id: ClientId
) -> SimilarList:
    """Find the images of a context that are like one of them, or like an uploaded picture.

    As JSON with `image_id`; or as a form with the picture in `files`, which is not kept.
    """
    await run_in_threadpool(_check_context, parts, context_id, client_id)
    async with asked.question(request, parts.settings.max_image_bytes, SimilarAsked, {}) as (wanted, files):
        given: list[str | ReceivedFile] = [*_named(wanted), *files]
        if len(given) != 1:
            raise InvalidInput("Name one image_id, or send one picture in 'files'.")
        return await run_in_threadpool(_similar, parts, context_id, given[0], wanted)


def _check_context(parts: Parts, context_id: uuid.UUID, client_id: str | None) -> None:
    with parts.database.reading() as session:
        contexts.get(session, context_id, client_id)


def _compared(parts: Parts, context_id: uuid.UUID, given: list[str | ReceivedFile]) -> ExplainedView:
    first, second = map(_picture, given)
    return ExplainedView.of(comparison.compare(parts.tools(), context_id, first, second))


def _similar(
    parts: Parts, context_id: uuid.UUID, given: str | ReceivedFile, wanted: SimilarAsked
) -> SimilarList:
    found = comparison.similar(
        parts.tools(),
        context_id,
        _picture(given),
        threshold=wanted.similarity_threshold,
        limit=wanted.limit,
    )
    return SimilarList(items=[SimilarView.of_similar(each) for each in found])


def _named(wanted: SimilarAsked) -> list[str]:
    return [] if wanted.image_id is None else [wanted.image_id]


def _picture(given: str | ReceivedFile) -> str | bytes:
    return given if isinstance(given, str) else given.received.file.read()
