"""Browsers cannot send a bearer token with pictures and event streams: they have a cookie, guarded here.

A browser sends its cookie whoever asks it to, so what changes something needs a second secret that only our
own pages know (X-CSRF-Token), and nothing is done for pages of other sites.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response

from api import origins
from lookalike.errors import Forbidden

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIRST_PAGE = "/account"

COOKIE = "lookalike_session"
# Browsers take this one from nobody but this very host, over https.
_SECURE_COOKIE = f"__Host-{COOKIE}"


class ForeignPage(Forbidden):
    """A web page of another site has led the browser here."""

    code = "foreign_origin"


class WrongCsrfToken(Forbidden):
    """A browser's session changes things only with the page's X-CSRF-Token; programs use a bearer token."""

    code = "wrong_csrf_token"


def session_token(request: Request) -> str | None:
    """Return what a browser is known by, or None if it has not logged in."""
    return request.cookies.get(_cookie(request))


def csrf_token(token: str) -> str:
    """Return what our pages show to prove that they are ours; it tells nothing about the session's token."""
    return hmac.digest(token.encode(), b"csrf", hashlib.sha256).hex()


def check(request: Request, token: str) -> None:
    """Raise Forbidden unless a request by cookie is one that our own pages make."""
    check_page(request)
    if request.method not in SAFE_METHODS:
        check_csrf_token(token, request.headers.get(CSRF_HEADER, ""))


def check_page(request: Request) -> None:
    """Raise ForeignPage if a page of another site made the browser ask."""
    if page := origins.foreign_page(request.headers):
        raise ForeignPage(f"This is not done for {page}.")


def check_csrf_token(token: str, given: str) -> None:
    """Raise WrongCsrfToken unless this is the one of the session."""
    if not hmac.compare_digest(csrf_token(token).encode(), given.encode("utf-8", "surrogatepass")):
        raise WrongCsrfToken


def remember(request: Request, response: Response, token: str, lifetime: timedelta) -> None:
    """Have the browser keep the session's token where no script can read it."""
    response.set_cookie(
        _cookie(request),
        token,
        max_age=round(lifetime.total_seconds()),
        secure=_is_secure(request),
        httponly=True,
        # Lax, not Strict: who follows a link to a group from a chat shall not have to log in again.
        samesite="lax",
    )


def forget(request: Request, response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(_cookie(request), secure=_is_secure(request), httponly=True, samesite="lax")


def own_page(target: str) -> str:
    """Return where to go after the login: a path of this server, never an address elsewhere."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return FIRST_PAGE
    # Browsers read a backslash as a slash, and leave out line breaks and tabs: //elsewhere in disguise.
    is_own = target.startswith("/") and not target.startswith("//") and target.isprintable()
    return target if is_own and "\\" not in target and not (parts.scheme or parts.netloc) else FIRST_PAGE


def _cookie(request: Request) -> str:
    return _SECURE_COOKIE if _is_secure(request) else COOKIE


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
