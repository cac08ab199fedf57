"""Questions about pictures, asked as JSON or as a form with the pictures themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from api import receiving
from api.receiving import Form, ReceivedFile
from api.uploading import FILES
from lookalike.errors import InvalidInput

MOST_BODY_BYTES = 64 * 1024

Asked = TypeVar("Asked", bound=BaseModel)


@asynccontextmanager
async def question(
    request: Request, max_bytes: int, model: type[Asked], lists: Mapping[str, str]
) -> AsyncIterator[tuple[Asked, list[ReceivedFile]]]:
    """Give what is asked and the files that came with it.

    `lists` names the form fields that may be repeated, and what their list is called in the model.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        yield checked(model, await _json(request)), []
    elif kind == "multipart/form-data":
        async with receiving.form(request, max_bytes) as form:
            if any(file.field != FILES for file in form.files) or form.values(FILES):
                raise InvalidInput("Send each picture in a part named 'files' with a file name.")
            yield checked(model, _values(form, lists)), form.files
    else:
        raise HTTPException(415, "Send application/json, or multipart/form-data with pictures in 'files'.")


def checked(model: type[Asked], values: object) -> Asked:
    """Return values as a model; raise RequestValidationError as FastAPI does for a body."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_input=False)]
        raise RequestValidationError(found) from None


def _values(form: Form, lists: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: value for name, value in form.fields if name not in lists}
    return values | {plural: form.values(name) for name, plural in lists.items()}


async def _json(request: Request) -> Any:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY_BYTES:
            raise HTTPException(413, f"A JSON body here has at most {MOST_BODY_BYTES:,} bytes.")
    return _parsed(bytes(data))


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        problem = {"type": "json_invalid", "loc": ("body",), "msg": "The body is not valid JSON."}
        raise RequestValidationError([problem]) from None
