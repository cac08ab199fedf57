"""With accounts, every request says who asks before any route sees it; what is open to all is listed here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

EVENT_STREAM = "text/event-stream"


class Authentication:
    """Middleware that lets a request through with its client's id, or answers 401.

    A route that is forgotten here is closed, not open, and nothing is read of a body before it is known whose
    it is.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app, self._accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            request.state.client_id = await run_in_threadpool(_client_of, request, self._accounts)
        except (LookalikeError, OperationalError) as error:
            if "expect" not in request.headers:
                await receiving.drain(request.stream())
            await _refused(request, error)(scope, receive, send)
            return
        guarded = _GuardedStream(send, partial(_is_let_in, request, self._accounts))
        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if not guarded.is_cut:
                raise


class _GuardedStream:
    """Sends an answer on, and ends a stream of events when its client may not see any more of it.

    A stream outlives the token that opened it, so before each event it is asked again who listens.
    """

    def __init__(self, send: Send, is_let_in: Callable[[], bool]) -> None:
        self._send, self._is_let_in = send, is_let_in
        self._is_stream = self.is_cut = False

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer. Raises OSError, as for a client that has gone, once it is cut."""
        if message["type"] == "http.response.start":
            self._is_stream = Headers(raw=message["headers"]).get("content-type", "").startswith(EVENT_STREAM)
        elif self._is_stream and message.get("more_body") and not await run_in_threadpool(self._is_let_in):
            self.is_cut = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.is_cut:
            raise OSError("the client may not see any more")
        await self._send(message)


def _is_let_in(request: Request, accounts: Accounts) -> bool:
    try:
        return bool(_client_of(request, accounts) == request.state.client_id)
    except LookalikeError:
        return False
    except OperationalError:
        # While the database is away there is nothing new to be seen either.
        return True


def _client_of(request: Request, accounts: Accounts) -> str:
    given = request.headers.get("authorization")
    if given is None:
        return _client_of_browser(request, accounts)
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken(f"Send `Authorization: Bearer TOKEN`, not {scheme!r}.")
    return accounts.client_of(token.strip())


def _client_of_browser(request: Request, accounts: Accounts) -> str:
    token = browsers.session_token(request)
    if token is None:
        raise NotAuthenticated
    browsers.check(request, token)
    client_id = accounts.client_of_session(token)
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
