"""From errors to answers of the compatible API."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from api import problems
from api.compat.faces import Face, Headers
from api.problems import CODE_OF
from lookalike.errors import DecodingError, InvalidInput, LookalikeError, Unavailable
from storage.db import OperationalError

# An SDK that honours it asks again so soon, and joins the job that still runs.
RETRY_AFTER_SECONDS = 1

log = structlog.get_logger()


class StillRunning(Unavailable):
    """The job goes on: ask again, and you join it."""

    code = "still_running"

    def __init__(self, detail: str, headers: Headers) -> None:
        super().__init__(detail)
        self.headers = headers


class NotDone(LookalikeError):
    """The job that was to answer failed or was cancelled."""

    code = "not_done"


class NotExtracted(DecodingError):
    """The picture cannot be read; `code` says why, as everywhere."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def install(app: FastAPI) -> None:
    """Let every error of the app be answered in its face."""
    app.add_exception_handler(LookalikeError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)


def status_of(error: LookalikeError) -> int:
    """Return the status of an error: what version 1 calls 422 is 400 here, as the SDKs know it."""
    status = problems.status_of(error)
    return 400 if status == 422 and isinstance(error, InvalidInput | DecodingError) else status


def _face(request: Request) -> Face:
    face: Face = request.app.state.face
    return face


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, LookalikeError)
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    if isinstance(error, StillRunning):
        headers |= error.headers
    return _face(request).refused(status, error.code, error.detail, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:5])
    return _face(request).refused(400, InvalidInput.code, told)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    code = CODE_OF.get(error.status_code, "bad_request" if error.status_code < 500 else "internal_error")
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"There is no operation {request.method} {request.url.path!r}."
    return _face(request).refused(error.status_code, code, detail, dict(error.headers or {}))


async def _away(request: Request, error: Exception) -> Response:
    log.error("database.away", method=request.method, path=request.url.path, error=repr(error))
    return await _refused(request, Unavailable("The database does not answer now: try again in a moment."))


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody hears it; but it is no failure of ours.
    return _face(request).refused(400, CODE_OF[400], "The client went away before it had sent all.")


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request.failed", method=request.method, path=request.url.path, error=repr(error))
    return _face(request).refused(
        500, CODE_OF[500], "Something went wrong here; the server's log tells more."
    )
