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
    if page := foreign_page(headers):
        return f"Without accounts this server does nothing for {page}."
    return None


def foreign_page(headers: Headers) -> str | None:
    """Say which page of another site has made a browser send this, or None."""
    origin = headers.get("origin")
    if origin is not None and _place_of(origin) != _place_of(f"//{headers.get('host', '')}"):
        return f"web pages of other sites ({origin!r})"
    # Pictures and the like are asked for without an Origin; browsers tell in this way who wants them. Another
    # port of this host is "same-site", and another site nevertheless.
    is_led = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return "web pages of other sites" if is_led and not is_link else None


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
    """Return host and port; None for 80 and 443, as a proxy hides which of the two it is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None
    return (parts.hostname or "").rstrip("."), None if port in (80, 443) else port
