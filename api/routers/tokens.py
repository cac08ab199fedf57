"""Tokens for clients: OAuth 2.0 client credentials."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api import forms, oauth
from api.dependencies import TheParts
from api.oauth import OAuthError, TokenProblem
from lookalike.errors import WrongCredentials

router = APIRouter(tags=["accounts"])

# Nobody guesses a secret of 256 bits; but who tries shall not keep the server busy. No thread waits.
FAILURE_SECONDS = 0.5
_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenView(BaseModel):
    """A token. These keys and no others: the SDK for Java fails on any other."""

    access_token: str
    expires_in: int = Field(description="Seconds.", examples=[2592000])
    token_type: str = "Bearer"


_FORM_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            forms.MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": [oauth.GRANT]},
                        "client_id": {"type": "string", "description": "Or id and secret by HTTP Basic."},
                        "client_secret": {"type": "string"},
                    },
                }
            }
        },
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": TokenProblem, "description": "This is no request for a token."},
    401: {"model": TokenProblem, "description": "There is no client with this id and secret."},
}


@router.post("/oauth2/token", include_in_schema=False)
@router.post("/connect/token", response_model=TokenView, responses=_RESPONSES, openapi_extra=_FORM_BODY)
async def issue_token(request: Request, parts: TheParts) -> JSONResponse:
    """Get a token for a client's id and secret, to be sent as `Authorization: Bearer …`.

    Where there are no accounts, everybody gets a token and nobody needs one.
    """
    try:
        client_id, secret = await oauth.credentials(request)
        token = await run_in_threadpool(parts.accounts.token, client_id, secret)
    except OAuthError as error:
        return _refused(400, error.problem)
    except WrongCredentials as error:
        await asyncio.sleep(FAILURE_SECONDS)
        return _refused(401, TokenProblem(error="invalid_client", error_description=error.detail))
    view = TokenView(access_token=token.text, expires_in=token.lifetime_seconds)
    return JSONResponse(view.model_dump(), headers=_NOT_STORED)


def _refused(status: int, problem: TokenProblem) -> JSONResponse:
    # RFC 6749: a client that tried HTTP Basic is told so; it harms no other.
    challenge = {"WWW-Authenticate": 'Basic realm="lookalike"'} if status == 401 else {}
    return JSONResponse(problem.model_dump(), status, headers={**_NOT_STORED, **challenge})
