from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import jwt
import pytest

from api.app import create_app
from api.authentication import OPEN_PATHS
from lookalike.errors import Forbidden
from storage import clients, jobs, signing_keys
from storage.blobs import Blobs
from storage.clients import Credentials
from storage.db import Database, clock
from storage.models import Schedule, ScheduleRun
from storage.settings import Settings
from storage.types import utc_now
from tests.api.conftest import METRICS_TOKEN, Guarded
from tests.api.serving import serving
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.schedules import run_now, take

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(client_id: str, secret: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}


def ask(guarded: Guarded, credentials: Credentials, path: str = "/connect/token") -> httpx.Response:
    return guarded.stranger.post(path, data=form(credentials.client.id, credentials.secret))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/connect/token", "/oauth2/token"])
def test_id_and_secret_are_exchanged_for_a_token_that_lets_in(guarded: Guarded, path: str) -> None:
    answer = ask(guarded, guarded.add("phone"), path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    # These keys and no others, compact: the strictest of the SDKs reads them.
    token = answer.json()
    assert list(token) == ["access_token", "expires_in", "token_type"]
    assert (token["expires_in"], token["token_type"]) == (30 * 24 * 3600, "Bearer")
    assert answer.content.startswith(b'{"access_token":"')
    assert guarded.stranger.get("/v1/contexts", headers=bearer(token["access_token"])).json()["items"] == []


def test_http_basic_is_as_good_as_the_form(guarded: Guarded) -> None:
    made = guarded.add("phone")
    body = {"grant_type": "client_credentials"}
    auth = (made.client.id, made.secret)
    assert guarded.stranger.post("/connect/token", data=body, auth=auth).status_code == 200
    for header in ("Basic !", f"Basic {base64.b64encode(b'no colon').decode()}"):
        answer = guarded.stranger.post("/connect/token", data=body, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    both = guarded.stranger.post("/connect/token", data=form(*auth), auth=auth)
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "invalid_request"),
        ("grant_type=", 400, "invalid_request"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials&client_id=a&client_id=b", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=%FF", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=" + "a" * 9000, 400, "invalid_request"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=&client_secret=", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=a%00&client_secret=b", 401, "invalid_client"),
    ],
)
def test_what_is_wrong_with_a_request_for_a_token_is_told(
    guarded: Guarded, body: str, status: int, error: str
) -> None:
    answer = guarded.stranger.post("/connect/token", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert list(answer.json()) == ["error", "error_description"]


def test_json_is_no_form(guarded: Guarded) -> None:
    answer = guarded.stranger.post("/connect/token", json=form("a", "b"))
    assert answer.status_code == 400
    assert "application/x-www-form-urlencoded" in answer.json()["error_description"]


def test_swapped_and_revoked_credentials_are_told_so(guarded: Guarded) -> None:
    made = guarded.add("phone")
    swapped = guarded.stranger.post("/connect/token", data=form(made.secret, made.client.id))
    assert (swapped.status_code, swapped.json()["error"]) == (401, "invalid_client")
    assert "swapped" in swapped.json()["error_description"]
    with guarded.database.transaction() as session:
        clients.revoke(session, made.client.id)
    assert "revoked" in ask(guarded, made).json()["error_description"]


def test_all_tokens_of_a_client_end_with_it_at_once_and_those_of_others_do_not(guarded: Guarded) -> None:
    made, other = guarded.add("phone"), guarded.add("laptop")
    tokens = [ask(guarded, made).json()["access_token"] for _ in range(2)]
    others = ask(guarded, other).json()["access_token"]
    with guarded.database.transaction() as session:
        clients.revoke(session, made.client.id)
    for token in tokens:
        answer = guarded.stranger.get("/v1/contexts", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="lookalike", error="invalid_token"'
    assert guarded.stranger.get("/v1/contexts", headers=bearer(others)).status_code == 200
    with guarded.database.transaction() as session:
        clients.renew(session, made.client.id)
    assert guarded.stranger.get("/v1/contexts", headers=bearer(tokens[0])).status_code == 401


def test_only_what_this_server_has_signed_is_a_token(guarded: Guarded) -> None:
    made = guarded.add("phone")
    now = utc_now()
    claims = {"sub": made.client.id, "gen": 1, "iat": now, "exp": now + timedelta(hours=1)}
    key = _key(guarded.database)

    def status(text: str) -> int:
        return guarded.stranger.get("/v1/contexts", headers=bearer(text)).status_code

    assert status(jwt.encode(claims, key, "HS256")) == 200
    assert status(jwt.encode(claims, b"k" * 32, "HS256")) == 401
    assert status(jwt.encode(claims, "", "none")) == 401
    assert status(jwt.encode({**claims, "exp": now - timedelta(hours=1)}, key, "HS256")) == 401
    assert status(jwt.encode({**claims, "gen": 2}, key, "HS256")) == 401
    assert status(jwt.encode({**claims, "sub": "nobody"}, key, "HS256")) == 401
    assert status(jwt.encode({n: v for n, v in claims.items() if n != "exp"}, key, "HS256")) == 401
    assert status("nonsense") == 401


def test_other_schemes_are_refused_with_a_word_about_the_right_one(guarded: Guarded) -> None:
    for header in ("Basic abc", "Bearer", "nonsense"):
        answer = guarded.stranger.get("/v1/contexts", headers={"Authorization": header})
        assert answer.status_code == 401
        assert "Authorization: Bearer TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("body", [form("", ""), form("any", "thing"), {"grant_type": "client_credentials"}])
def test_without_accounts_everybody_gets_a_token_and_nobody_needs_one(
    client: httpx.Client, body: dict[str, str]
) -> None:
    answer = client.post("/connect/token", data=body)
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token", "expires_in", "token_type"]
    assert answer.json()["access_token"]
    for headers in ({}, bearer(answer.json()["access_token"]), bearer("anything")):
        assert client.get("/v1/contexts", headers=headers).status_code == 200


def test_metrics_are_the_operators_alone(guarded: Guarded) -> None:
    assert guarded.let_in("owner").get("/metrics").status_code == 401
    shown = guarded.stranger.get("/metrics", headers=bearer(METRICS_TOKEN))
    assert shown.status_code == 200
    assert 'lookalike_jobs{state="queued"}' in shown.text


def test_without_an_operators_token_nobody_sees_metrics_of_all_clients(settings: Settings) -> None:
    settings = settings.model_copy(update={"auth": "clients", "broker_url": "redis+socket:///nowhere"})
    database = Database(settings.database_url)
    dispatcher = Dispatcher(database, make_app(str(settings.broker_url), settings))
    with serving(create_app(settings, database, Blobs(settings.blob_url), dispatcher)) as client:
        for headers in ({}, bearer("x"), {"Authorization": ""}):
            answer = client.get("/metrics", headers=headers)
            assert answer.status_code == 401
            assert "LOOKALIKE_METRICS_TOKEN" in answer.json()["detail"]
    database.dispose()


def test_a_client_imports_from_the_folders_that_it_was_given_and_no_others(guarded: Guarded) -> None:
    (root,) = guarded.settings.import_roots
    for name in ("mine", "mine/2026", "yours"):
        (root / name).mkdir(exist_ok=True)
    outside = root.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    made = guarded.add("importer", root / "mine", outside)
    client = guarded.let_in("importer", made)
    context = client.post("/v1/contexts", json={"name": "a"}).headers["Location"]

    def imported(source: Path) -> httpx.Response:
        return client.post(f"{context}/imports", json={"source": str(source)})

    assert imported(root / "mine" / "2026").status_code == 202
    # The last is granted by the client's rights, but not by the server's roots.
    for source in (root, root / "yours", root / "mine" / ".." / "yours", outside):
        refused = imported(source)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_source")
        assert "import root" in refused.json()["detail"]
    nightly = {"name": "n", "cron": "0 3 * * *", "job": {"kind": "import", "source": str(root / "yours")}}
    assert client.post(f"{context}/schedules", json=nightly).status_code == 422
    nobody = guarded.let_in("owner")
    context = nobody.post("/v1/contexts", json={"name": "a"}).headers["Location"]
    refused = nobody.post(f"{context}/imports", json={"source": str(root / "mine")})
    assert "not under an import root of this client; `lookalike clients imports`" in refused.json()["detail"]
    with guarded.database.transaction() as session:
        clients.give_import_roots(session, made.client.id, [])
    context = client.post("/v1/contexts", json={"name": "a"}).headers["Location"]
    assert imported(root / "mine").status_code == 422


def test_schedules_of_a_revoked_client_make_no_jobs(guarded: Guarded) -> None:
    made = guarded.add("planner")
    client = guarded.let_in("planner", made)
    context = client.post("/v1/contexts", json={"name": "a"}).json()["id"]
    nightly = {"name": "n", "cron": "0 3 * * *", "job": {"kind": "find_duplicates"}}
    path = f"/v1/contexts/{context}/schedules"
    schedule = UUID(client.post(path, json=nightly).json()["id"])
    with guarded.database.transaction() as session:
        clients.revoke(session, made.client.id)
    with guarded.database.transaction() as session:
        now = clock(session)
        with pytest.raises(Forbidden, match="revoked"):
            run_now(session, UUID(context), schedule, now, guarded.settings)
        session.get_one(Schedule, schedule).fire_at = now - 1
    with guarded.database.transaction() as session:
        assert take(session, now, guarded.settings) == [None]
        run = session.query(ScheduleRun).filter_by(schedule_id=schedule, by_hand=False).one()
        assert (run.state, run.reason_code) == ("failed", "forbidden")


def test_who_follows_a_job_sees_no_more_of_it_once_revoked(guarded: Guarded) -> None:
    made = guarded.add("follower")
    client = guarded.let_in("follower", made)
    context = client.post("/v1/contexts", json={"name": "a"}).headers["Location"]
    client.put(f"{context}/images/a", content=b"x")
    job = client.post(f"{context}/jobs", json={"kind": "find_duplicates"}).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        lines = stream.iter_lines()
        assert any(line == "event: job" for line in lines)
        with guarded.database.transaction() as session:
            clients.revoke(session, made.client.id)
            jobs.cancel(session, UUID(job), expiry_days=1)
        assert not any(line.startswith("event:") for line in lines)


def test_the_description_tells_who_may_ask(guarded: Guarded) -> None:
    described = guarded.stranger.get("/openapi.json").json()
    flow = described["components"]["securitySchemes"]["client"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/connect/token"
    for path, methods in described["paths"].items():
        for operation in methods.values():
            is_open = path in OPEN_PATHS
            assert ("security" in operation) is not is_open, path
            assert is_open or "application/problem+json" in operation["responses"]["401"]["content"]
    assert "/connect/token --data grant_type=client_credentials" in guarded.stranger.get("/docs").text


def test_without_accounts_the_description_says_so(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    asked = [operation for methods in described["paths"].values() for operation in methods.values()]
    assert not any("security" in operation for operation in asked)
    assert "asks nobody who they are" in client.get("/docs").text


def _key(database: Database) -> bytes:
    with database.transaction() as session:
        return signing_keys.ensure(session)
