"""Open mode has no credentials, so nobody may be led here by a web page: Host and Origin are checked.

A page of any site can make the browser of somebody on this machine post to 127.0.0.1, and with a name that it
points there (DNS rebinding) even read the answers. A name with a dot belongs to somebody in the DNS;
addresses, `localhost` and names without a dot do not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems


class OriginCheck:
    """Middleware that refuses requests led here by a web page of another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from here."""
        if scope["type"] == "http" and (detail := refusal(Headers(scope=scope))):
            await problems.answer(403, "foreign_origin", detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal(headers: Headers) -> str | None:
    """Say why a request is refused, or None."""
    host = headers.get("host", "")
    if not is_own_name(_name_of(f"//{host}")):
        return (
            f"Without accounts this server answers to addresses and to localhost, not to the Host {host!r}: "
            "any web page could reach it by such a name."
        )
    origin = headers.get("origin")
    if origin is not None and _place_of(origin) != _place_of(f"//{host}"):
        return f"Without accounts this server does not answer to web pages of other sites ({origin!r})."
    return None


def is_own_name(name: str) -> bool:
    """Tell whether a host name can only mean this machine or this network."""
    if name.endswith(".localhost") or ("." not in name and ":" not in name and name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_of(url: str) -> str:
    return _place_of(url)[0]


def _place_of(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or {"http": 80, "https": 443}.get(
            parts.scheme, 80
        )
    except ValueError:
        return "", None
