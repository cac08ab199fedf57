"""Requests for a token as OAuth 2.0 spells them (RFC 6749): the form, HTTP Basic, and refusals."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from fastapi import Request
from pydantic import BaseModel, Field

from api import forms

GRANT = "client_credentials"


class TokenProblem(BaseModel):
    """Why there is no token, as OAuth 2.0 tells it."""

    error: str = Field(examples=["invalid_client"])
    error_description: str = Field(examples=["There is no client with this id and secret."])


class OAuthError(Exception):
    """A refusal in the shape of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.problem = TokenProblem(error=error, error_description=description)


async def credentials(request: Request) -> tuple[str, str]:
    """Return the client id and secret that a request for a token names, empty if it names none.

    Raises OAuthError.
    """
    try:
        fields = await forms.fields(request)
    except forms.WrongForm as error:
        raise OAuthError("invalid_request", error.detail) from None
    if (grant := fields.get("grant_type")) != GRANT:
        if not grant:
            raise OAuthError("invalid_request", f"Send grant_type={GRANT} in a form ({forms.MEDIA_TYPE}).")
        raise OAuthError("unsupported_grant_type", f"The grant_type here is {GRANT}, no other.")
    header = request.headers.get("authorization", "")
    if header[:6].lower() != "basic ":
        return fields.get("client_id", ""), fields.get("client_secret", "")
    if fields.get("client_secret"):
        raise OAuthError("invalid_request", "Send the client secret in the form or by HTTP Basic, not both.")
    return _basic(header[6:])


def _basic(text: str) -> tuple[str, str]:
    try:
        client_id, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise OAuthError(
            "invalid_request", "The Authorization header is not of the form Basic base64(id:secret)."
        )
    # Form-encoded inside, says the RFC (section 2.3.1).
    return unquote_plus(client_id), unquote_plus(secret)
