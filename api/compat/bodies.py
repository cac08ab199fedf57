"""Pictures and tags in request bodies, in all the ways in which SDKs and curl lines send them.

A picture is the first part of a form, whatever its name, or the raw body, whatever it calls itself. The SDK
for Python sends GETs that call themselves multipart but have neither boundary nor body: that is no picture.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from api import receiving
from api.compat.calls import Call
from api.receiving import Form, ReceivedFile
from lookalike.errors import InvalidInput, NotFound
from storage.blobs import Blobs, Received

TAGS = "tags"
MOST_TAGS = 100
MOST_TAGS_BYTES = 64 * 1024


@asynccontextmanager
async def picture(call: Call, context_id: uuid.UUID) -> AsyncIterator[Received | None]:
    """Give the picture that was sent, None if none was.

    Raises NotFound if there is no such context, before anything is read; ImageTooLarge, BadForm.
    """
    await _check_context(call, context_id)
    parts = call.parts
    async with files(call.request, parts.settings.max_image_bytes, parts.blobs) as form:
        filled = [file.received for file in form.files if file.received.byte_count]
        yield filled[0] if filled else None


@asynccontextmanager
async def files(request: Request, max_bytes: int, blobs: Blobs | None = None) -> AsyncIterator[Form]:
    """Give all parts of a form as files, or a raw body as the only one if it is not empty."""
    if _has_boundary(request):
        async with receiving.form(request, max_bytes, blobs, all_are_files=True) as form:
            yield form
        return
    async with receiving.body(request, max_bytes) as received:
        body = ReceivedFile("", "", received)
        yield Form(files=[body] if received.byte_count else [])


async def tags(call: Call, context_id: uuid.UUID) -> list[str]:
    """Return the tags that were sent as a JSON list: in a form's field or file, or as the body."""
    await _check_context(call, context_id)
    async with files(call.request, MOST_TAGS_BYTES) as form:
        named = [file for file in form.files if file.field == TAGS] or form.files
        data = named[0].received.file.read() if named else b""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        given = None
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise InvalidInput('Send the tags as a JSON list of texts, such as ["TestTag"].')
    if not 1 <= len(found) <= MOST_TAGS:
        raise InvalidInput(f"Send 1 to {MOST_TAGS} tags.")
    return found


async def _check_context(call: Call, context_id: uuid.UUID) -> None:
    try:
        await run_in_threadpool(call.check_context, context_id)
    except NotFound:
        if "expect" not in call.request.headers:
            await receiving.drain(call.request.stream())
        raise


def _has_boundary(request: Request) -> bool:
    kind, options = parse_options_header(request.headers.get("content-type"))
    return kind == b"multipart/form-data" and bool(options.get(b"boundary"))
