"""Small forms, as browsers and OAuth clients send them."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qsl

from fastapi import Request

from lookalike.errors import InvalidInput

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_BYTES = 8 * 1024


class WrongForm(InvalidInput):
    """The body is not a form."""

    code = "bad_form"


async def fields(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises WrongForm unless it is one, small, with each field once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != MEDIA_TYPE:
        raise WrongForm(f"Send a form: Content-Type: {MEDIA_TYPE}.")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise WrongForm("The form is too long.")
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise WrongForm("The form is not text in UTF-8.") from None
    if repeated := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise WrongForm(f"The form has {repeated[0]!r} more than once.")
    return dict(pairs)
