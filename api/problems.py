"""Problem details (RFC 9457): the one shape of every error, and one table from errors to statuses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lookalike.errors import (
    Conflict,
    DecodingError,
    Forbidden,
    ImageTooLarge,
    InvalidInput,
    LookalikeError,
    NotAuthenticated,
    NotFound,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"

# The first class in an error's ancestry that is here decides.
STATUS_OF: dict[type[LookalikeError], int] = {
    ImageTooLarge: 413,
    DecodingError: 422,
    InvalidInput: 422,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    LookalikeError: 500,
}

# What HTTP itself refuses, before any of our code has looked at it.
CODE_OF: dict[int, str] = {
    400: "bad_request",
    404: "no_such_route",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    location: str = Field(examples=["body"], description="body, query, path or header")
    pointer: str = Field(
        examples=["/similarity_threshold"], description="JSON pointer (RFC 6901) to the value"
    )
    code: str = Field(examples=["less_than_equal"])
    detail: str = Field(examples=["Input should be less than or equal to 100"])


class Problem(BaseModel):
    """Why a request was not done. `code` is for programs and stable, `detail` for people."""

    type: str = Field(examples=["urn:lookalike:problem:not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no job 0198c0de-0000-7000-8000-000000000000."])
    code: str = Field(examples=["not_found"])
    errors: list[FieldProblem] | None = None


def status_of(error: LookalikeError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def answer(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that tells of a problem."""
    problem = Problem(
        type=f"urn:lookalike:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        errors=errors,
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route or router, for its OpenAPI."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }
