from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from api.browsers import FIRST_PAGE, own_page
from storage import browser_sessions, clients
from storage.clients import Credentials
from storage.db import Database
from storage.models import BrowserSession
from storage.types import utc_now
from tests.api.conftest import Guarded

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def credentials(guarded: Guarded) -> Credentials:
    return guarded.add("<b>phone</b>")


@pytest.fixture
def browser(guarded: Guarded) -> Iterator[httpx.Client]:
    """A browser, as far as cookies go."""
    with httpx.Client(base_url=guarded.stranger.base_url, timeout=60) as client:
        yield client


@pytest.fixture
def logged_in(browser: httpx.Client, credentials: Credentials) -> httpx.Client:
    assert log_in(browser, credentials).status_code == 303
    return browser


def log_in(browser: httpx.Client, credentials: Credentials, **more: str) -> httpx.Response:
    form = {"client_id": f" {credentials.client.id}", "client_secret": f"{credentials.secret}\n", **more}
    return browser.post("/login", data=form)


def csrf_token(browser: httpx.Client) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', browser.get("/account").text)
    assert found is not None
    return found[1]


def test_who_opens_a_page_is_asked_to_log_in_and_led_back_to_it(
    browser: httpx.Client, credentials: Credentials
) -> None:
    asked = browser.get("/v1/contexts?limit=7", headers=PAGE)
    assert (asked.status_code, asked.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert asked.headers["WWW-Authenticate"].startswith("Bearer")
    assert 'name="next" value="/v1/contexts?limit=7"' in asked.text
    answer = log_in(browser, credentials, next="/v1/contexts?limit=7")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/v1/contexts?limit=7")
    assert browser.get("/v1/contexts?limit=7", headers=PAGE).json()["items"] == []


def test_the_cookie_is_for_this_server_alone_and_no_script_reads_it(
    browser: httpx.Client, credentials: Credentials
) -> None:
    cookie = log_in(browser, credentials).headers["Set-Cookie"].split("; ")
    assert cookie[0].startswith("lookalike_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={24 * 3600}"} == set(cookie[1:])


def test_behind_https_the_cookie_is_secure(guarded: Guarded, credentials: Credentials) -> None:
    # As a proxy on this machine says it, whose word is taken.
    headers = {"X-Forwarded-Proto": "https", "Origin": "https://pictures.example", "Host": "pictures.example"}
    with httpx.Client(base_url=guarded.stranger.base_url, headers=headers) as browser:
        cookie = log_in(browser, credentials).headers["Set-Cookie"]
        assert cookie.startswith("__Host-lookalike_session=")
        assert "Secure" in cookie
        sent = {"Cookie": cookie.split(";")[0]}
        assert browser.get("/v1/contexts", headers=sent).status_code == 200
        plain = {"Cookie": cookie.split(";")[0].removeprefix("__Host-")}
        assert browser.get("/v1/contexts", headers=plain).status_code == 401


def test_wrong_credentials_are_told_and_let_nobody_in(
    browser: httpx.Client, credentials: Credentials
) -> None:
    answer = browser.post("/login", data={"client_id": '"><script>', "client_secret": "no", "next": "/docs"})
    assert answer.status_code == 401
    assert "no client with this id and secret" in answer.text
    assert "<script>" not in answer.text
    assert 'name="next" value="/docs"' in answer.text
    swapped = Credentials(clients.Client(id=credentials.secret), credentials.client.id)
    assert "swapped" in log_in(browser, swapped).text
    assert not browser.cookies


def test_the_account_page_shows_ones_own_contexts_as_text(
    guarded: Guarded, logged_in: httpx.Client, credentials: Credentials
) -> None:
    guarded.let_in("other").post("/v1/contexts", json={"name": "another's"})
    made = {"json": {"name": "<i>mine</i>"}, "headers": {"X-CSRF-Token": csrf_token(logged_in)}}
    logged_in.post("/v1/contexts", **made).raise_for_status()
    page = logged_in.get("/account")
    assert "&lt;b&gt;phone&lt;/b&gt;" in page.text
    assert "&lt;i&gt;mine&lt;/i&gt;" in page.text
    assert "another" not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert logged_in.get("/").headers["Location"] == "/account"


def test_a_cookie_alone_changes_nothing(logged_in: httpx.Client) -> None:
    token = csrf_token(logged_in)
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "ü".encode()}):
        for method, path in (("POST", "/v1/contexts"), ("DELETE", "/v1/contexts/x"), ("PUT", "/v1/nothing")):
            answer = logged_in.request(method, path, json={"name": "a"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "wrong_csrf_token")
    made = logged_in.post("/v1/contexts", json={"name": "a"}, headers={"X-CSRF-Token": token})
    assert made.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_nothing_is_done_for_pages_of_other_sites(
    headers: dict[str, str], logged_in: httpx.Client, credentials: Credentials
) -> None:
    token = {"X-CSRF-Token": csrf_token(logged_in)}
    assert logged_in.get("/v1/contexts", headers=headers).status_code == 403
    assert logged_in.post("/v1/contexts", json={"name": "a"}, headers=headers | token).status_code == 403
    form = {"client_id": credentials.client.id, "client_secret": credentials.secret}
    assert logged_in.post("/login", data=form, headers=headers).status_code == 403
    out = {"csrf_token": token["X-CSRF-Token"]}
    assert logged_in.post("/logout", data=out, headers=headers).status_code == 403
    assert logged_in.get("/account").status_code == 200


def test_links_from_elsewhere_lead_in(logged_in: httpx.Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert logged_in.get("/account", headers=link).status_code == 200


def test_who_logs_out_is_out_even_with_the_old_cookie(logged_in: httpx.Client) -> None:
    old = dict(logged_in.cookies)
    assert logged_in.post("/logout", data={"csrf_token": "no"}).status_code == 403
    answer = logged_in.post("/logout", data={"csrf_token": csrf_token(logged_in)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert not logged_in.cookies
    for name, value in old.items():
        again = logged_in.get("/v1/contexts", headers={"Cookie": f"{name}={value}"})
        assert (again.status_code, again.json()["code"]) == (401, "not_authenticated")


def test_a_new_login_ends_the_one_before(logged_in: httpx.Client, credentials: Credentials) -> None:
    old = f"lookalike_session={logged_in.cookies['lookalike_session']}"
    log_in(logged_in, credentials)
    assert logged_in.get("/v1/contexts").status_code == 200
    logged_in.cookies.clear()
    assert logged_in.get("/v1/contexts", headers={"Cookie": old}).status_code == 401


@pytest.mark.parametrize("change", [clients.revoke, clients.renew])
def test_a_browser_is_out_at_once_when_its_client_is(
    guarded: Guarded, logged_in: httpx.Client, credentials: Credentials, change: object
) -> None:
    assert logged_in.get("/account").status_code == 200
    with guarded.database.transaction() as session:
        change(session, credentials.client.id)  # type: ignore[operator]
    assert logged_in.get("/account").status_code == 401
    assert "log in again" in logged_in.get("/v1/contexts").json()["detail"]


def test_sessions_end_by_themselves_and_are_forgotten(database: Database) -> None:
    with database.transaction() as session:
        client_id = clients.add(session, "phone").client.id
        old = browser_sessions.begin(session, client_id, timedelta(hours=1))
        new = browser_sessions.begin(session, client_id, timedelta(hours=3))
        for row in session.query(BrowserSession):
            row.expires_at -= timedelta(hours=2)
    with database.transaction() as session:
        assert browser_sessions.client_of(session, old) is None
        assert browser_sessions.client_of(session, new) == client_id
        assert browser_sessions.expire(session) == 1
        assert [row.expires_at > utc_now() for row in session.query(BrowserSession)] == [True]


@pytest.mark.parametrize(
    "target",
    [
        *("", "docs", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
        *("/\t/evil.example", "https://evil.example", "javascript:alert(1)", "/\n//evil.example"),
        *("http:/docs", "//[", "/a\r\nX: y"),
    ],
)
def test_the_login_leads_nowhere_else(target: str) -> None:
    assert own_page(target) == FIRST_PAGE


@pytest.mark.parametrize("target", ["/", "/docs", "/v1/jobs?limit=3&x=//a", "/v1/contexts/1/content/a%2Fb ü"])
def test_the_login_leads_to_any_page_of_this_server(target: str) -> None:
    assert own_page(target) == target


def test_without_accounts_there_is_nothing_to_log_in_to(client: httpx.Client) -> None:
    assert client.get("/login").status_code == 404
    assert client.get("/account").status_code == 404
