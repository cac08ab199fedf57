"""With accounts, every request says who asks before any route sees it; what is open to all is listed here."""

from __future__ import annotations

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api import browsers, pages, receiving, refusals
from api.accounts import Accounts
from lookalike.errors import InvalidToken, LookalikeError, NotAuthenticated
from storage.db import OperationalError

OPEN_PATHS = frozenset(
    {
        # Nothing under these is anybody's: how the server is, how it is asked, and where one gets a token.
        *("/healthz", "/readyz", "/docs", "/openapi.json", "/connect/token", "/oauth2/token"),
        # No client's either: the operator has a token for it alone.
        "/metrics",
        # They look for themselves who comes.
        *("/login", "/logout"),
    }
)


class Authentication:
    """Middleware that lets a request through with its client's id, or answers 401.

    A route that is forgotten here is closed, not open, and nothing is read of a body before it is known whose
    it is.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app, self._accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            request = Request(scope, receive)
            try:
                request.state.client_id = await run_in_threadpool(self._client_of, request)
            except (LookalikeError, OperationalError) as error:
                if "expect" not in request.headers:
                    await receiving.drain(request.stream())
                await _refused(request, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _client_of(self, request: Request) -> str:
        given = request.headers.get("authorization")
        if given is None:
            return self._client_of_browser(request)
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken(f"Send `Authorization: Bearer TOKEN`, not {scheme!r}.")
        return self._accounts.client_of(token.strip())

    def _client_of_browser(self, request: Request) -> str:
        token = browsers.session_token(request)
        if token is None:
            raise NotAuthenticated
        browsers.check(request, token)
        client_id = self._accounts.client_of_session(token)
        if client_id is None:
            raise NotAuthenticated("Your session has ended: log in again at /login.")
        return client_id


def _refused(request: Request, error: LookalikeError | OperationalError) -> Response:
    refusal = refusals.answer(request, error)
    if isinstance(error, NotAuthenticated) and _is_for_people(request):
        # The same status, with something to do about it.
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        page = pages.page("login.html", refusal.status_code, target=browsers.own_page(target))
        page.headers["WWW-Authenticate"] = refusal.headers["WWW-Authenticate"]
        return page
    return refusal


def _is_for_people(request: Request) -> bool:
    """Tell whether a browser asks for a page: programs and pictures do not ask for text/html."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")
