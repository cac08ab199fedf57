"""Requests for a token as OAuth 2.0 spells them (RFC 6749): the form, HTTP Basic, and refusals."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request
from pydantic import BaseModel, Field

FORM = "application/x-www-form-urlencoded"
GRANT = "client_credentials"
MOST_BODY_BYTES = 8 * 1024


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
    fields = await form(request)
    if (grant := fields.get("grant_type")) != GRANT:
        if not grant:
            raise OAuthError("invalid_request", f"Send grant_type={GRANT} in a form ({FORM}).")
        raise OAuthError("unsupported_grant_type", f"The grant_type here is {GRANT}, no other.")
    header = request.headers.get("authorization", "")
    if header[:6].lower() != "basic ":
        return fields.get("client_id", ""), fields.get("client_secret", "")
    if fields.get("client_secret"):
        raise OAuthError("invalid_request", "Send the client secret in the form or by HTTP Basic, not both.")
    return _basic(header[6:])


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a small form. Raises OAuthError unless it is one, with each field once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise OAuthError("invalid_request", f"Send a form: Content-Type: {FORM}.")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY_BYTES:
            raise OAuthError("invalid_request", "The form is too long.")
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", "The form is not text in UTF-8.") from None
    if repeated := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise OAuthError("invalid_request", f"The form has {repeated[0]!r} more than once.")
    return dict(pairs)


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
