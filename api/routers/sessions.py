"""Logging in and out with a browser, where there are accounts."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api import browsers, forms, pages
from api.dependencies import ClientId, Reading, TheParts
from api.routers.tokens import FAILURE_SECONDS
from lookalike.errors import WrongCredentials
from storage import clients, contexts

router = APIRouter(include_in_schema=False)

SHOWN_CONTEXTS = 100
# What one browser shows must not be kept for the next who sits before it.
_NOT_STORED = {"Cache-Control": "no-store"}


@router.get("/login")
def show_login(request: Request, next: str = browsers.FIRST_PAGE) -> Response:  # noqa: A002 (of the URL)
    """Ask for a client's id and secret."""
    return pages.page("login.html", target=browsers.own_page(next))


@router.post("/login")
async def log_in(request: Request, parts: TheParts) -> Response:
    """Begin a browser's session, and lead to the page that was asked for."""
    # Or a page elsewhere could log somebody in under a name that is not theirs.
    browsers.check_page(request)
    given = await forms.fields(request)
    client_id, target = given.get("client_id", "").strip(), browsers.own_page(given.get("next", ""))
    secret = given.get("client_secret", "").strip()
    try:
        token = await run_in_threadpool(parts.accounts.log_in, client_id, secret)
    except WrongCredentials as error:
        await asyncio.sleep(FAILURE_SECONDS)
        return pages.page("login.html", 401, target=target, client_id=client_id, problem=error.detail)
    if earlier := browsers.session_token(request):
        await run_in_threadpool(parts.accounts.log_out, earlier)
    response = RedirectResponse(target, 303, _NOT_STORED)
    browsers.remember(request, response, token, parts.accounts.session_lifetime)
    return response


@router.post("/logout")
async def log_out(request: Request, parts: TheParts) -> Response:
    """End a browser's session."""
    browsers.check_page(request)
    response = RedirectResponse("/login", 303, _NOT_STORED)
    if token := browsers.session_token(request):
        given = await forms.fields(request)
        browsers.check_csrf_token(token, given.get(browsers.CSRF_FIELD, ""))
        await run_in_threadpool(parts.accounts.log_out, token)
        browsers.forget(request, response)
    return response


@router.get("/account")
def show_account(request: Request, client_id: ClientId, session: Reading) -> Response:
    """Show who is logged in, and their contexts."""
    assert client_id is not None, "this page is served where there are accounts"
    page = contexts.page(session, client_id, SHOWN_CONTEXTS)
    token = browsers.session_token(request)
    response = pages.page(
        "account.html",
        client=clients.get(session, client_id),
        contexts=page.items,
        has_more=page.next_cursor is not None,
        csrf_token=browsers.csrf_token(token) if token else None,
    )
    response.headers.update(_NOT_STORED)
    return response


@router.get("/")
def lead_to_first_page() -> Response:
    """Lead to the first page."""
    return RedirectResponse(browsers.FIRST_PAGE, 303)
