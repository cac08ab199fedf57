"""From whatever goes wrong in a request to the problem that is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api import allowed, problems
from api.compat.faces import face_of
from api.problems import CODE_OF, FieldProblem
from lookalike.errors import InvalidToken, LookalikeError, NotAuthenticated, Unavailable
from storage.db import OperationalError

# What pydantic says when it was given the bare bytes of a body that did not call itself JSON.
_NOT_AN_OBJECT = {"model_attributes_type", "dict_type", "model_type"}

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Let every error of the app be answered as a problem."""
    app.add_exception_handler(LookalikeError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _refused)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)


def answer(request: Request, error: LookalikeError | OperationalError) -> Response:
    """Return what is answered to a request that came to an error."""
    if isinstance(error, OperationalError):
        log.error("database.away", method=request.method, path=request.url.path, error=repr(error))
        error = Unavailable("The database does not answer now: try again in a moment, and see /readyz.")
    headers = {"WWW-Authenticate": _challenge(error)} if isinstance(error, NotAuthenticated) else {}
    status = problems.status_of(error)
    if face := face_of(request.url.path):
        return face.refused(status, error.code, error.detail, headers)
    return problems.answer(status, error.code, error.detail, headers=headers)


def _challenge(error: NotAuthenticated) -> str:
    """Return what RFC 6750 answers with: an error only to those who have sent something."""
    wrong = ', error="invalid_token"' if isinstance(error, InvalidToken) else ""
    return f'Bearer realm="lookalike"{wrong}'


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, LookalikeError | OperationalError)
    return answer(request, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found and all(each["loc"][0] == "path" for each in found):
        # An id that cannot be one is an id that does not exist.
        return problems.answer(404, "not_found", f"There is nothing at {request.url.path!r}.")
    if _lacks_json(request, found):
        detail = "The body of this request is JSON: send it with Content-Type: application/json."
        return problems.answer(415, CODE_OF[415], detail)
    fields = [_field(each) for each in found]
    return problems.answer(422, "invalid_input", _summary(fields), errors=fields)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == 404:
        detail = f"There is no route {request.url.path!r}; see /docs for those there are."
    if error.status_code == 405:
        headers["Allow"] = allowed.methods(request)
        detail = f"{request.method} is not possible here, only {headers['Allow']}."
    code = CODE_OF.get(error.status_code, "bad_request" if error.status_code < 500 else "internal_error")
    return problems.answer(error.status_code, code, detail, headers=headers)


async def _gone(request: Request, error: Exception) -> JSONResponse:
    # Nobody hears it; but it is no failure of ours.
    return problems.answer(400, CODE_OF[400], "The client went away before it had sent all.")


async def _failed(request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback; it is not for clients.
    log.error("request.failed", method=request.method, path=request.url.path, error=repr(error))
    return problems.answer(500, CODE_OF[500], "Something went wrong here; the server's log tells more.")


def _lacks_json(request: Request, found: Sequence[Any]) -> bool:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    is_json = content_type == "application/json" or content_type.endswith("+json")
    is_whole_body = any(each["loc"] == ("body",) and each["type"] in _NOT_AN_OBJECT for each in found)
    return is_whole_body and not is_json


def _field(error: Any) -> FieldProblem:
    # Only place, kind and message: input and context may hold bytes or NaN, or what others should not read.
    location, *place = error["loc"]
    pointer = "".join(f"/{_escaped(str(part))}" for part in place)
    return FieldProblem(
        location=str(location), pointer=pointer, code=str(error["type"]), detail=str(error["msg"])
    )


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _summary(fields: Sequence[FieldProblem]) -> str:
    return "; ".join(f"{field.location}{field.pointer}: {field.detail}" for field in fields[:5])
