from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.app import create_app
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from tests.api.serving import serving
from worker.celery_app import make_app
from worker.dispatch import Dispatcher


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "no_such_route"),
        ("GET", "/", 404, "no_such_route"),
        ("DELETE", "/v1/contexts", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/v1/contexts?limit=0", 422, "invalid_input"),
        ("GET", "/v1/contexts?limit=1001", 422, "invalid_input"),
        ("GET", "/v1/contexts?cursor=%00", 422, "invalid_input"),
    ],
)
def test_each_refusal_is_a_problem(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"urn:lookalike:problem:{code}"
    assert problem["title"]
    assert problem["detail"]


def test_all_methods_of_a_path_are_named(client: httpx.Client) -> None:
    assert client.delete("/v1/contexts").headers["Allow"] == "GET, POST"
    path = "/v1/contexts/0198c0de-7a11-7000-8000-5ca1ab1e0000"
    assert client.put(path).headers["Allow"] == "DELETE, GET, PATCH"
    assert client.post(f"{path}/images/a/b").headers["Allow"] == "DELETE, GET, PUT"


def test_a_body_that_is_not_json_is_told_how_to_send_it(client: httpx.Client) -> None:
    unmarked = client.post("/v1/contexts", data={"name": "a"})
    assert (unmarked.status_code, unmarked.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in unmarked.json()["detail"]
    broken = client.post("/v1/contexts", content=b'{"a', headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (422, "json_invalid")


@pytest.mark.parametrize(
    "body", [b'{"name": NaN}', b'"\xff\xfe"', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}']
)
def test_what_was_wrong_is_not_echoed(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/contexts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert "NaN" not in answer.text


@pytest.mark.parametrize(
    ("headers", "is_answered"),
    [
        ({"Host": "localhost:8080"}, True),
        ({"Host": "[::1]:8080"}, True),
        ({"Host": "api:8080"}, True),
        ({"Host": "192.168.1.5"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1.evil.example:8080"}, False),
        ({"Host": "localhost.evil.example"}, False),
        ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, True),
        ({"Host": "localhost:8080", "Origin": "http://localhost:3000"}, False),
        ({"Host": "localhost:8080", "Origin": "https://evil.example"}, False),
        ({"Host": "localhost:8080", "Origin": "null"}, False),
        ({"Host": "localhost:8080", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, True),
        ({"Host": "localhost:8080", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
        ({"Host": "localhost:8080", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, False),
    ],
)
def test_no_web_page_of_another_site_is_answered(
    client: httpx.Client, headers: dict[str, str], is_answered: bool
) -> None:
    answer = client.post("/v1/contexts", json={"name": "a"}, headers=headers)
    assert answer.status_code == (201 if is_answered else 403)
    assert is_answered or answer.json()["code"] == "foreign_origin"


def test_a_database_or_broker_that_is_away_is_told(tmp_path: Path) -> None:
    settings = Settings.load(
        data_dir=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'none' / 'lookalike.db'}",
        broker_url=f"redis+socket://{tmp_path / 'none.sock'}",
    )
    database = Database(settings.database_url)
    dispatcher = Dispatcher(database, make_app(str(settings.broker_url), settings))
    with serving(create_app(settings, database, Blobs(settings.blob_url), dispatcher)) as client:
        answer = client.get("/v1/contexts")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert all(told != "ok" for told in ready.json()["parts"].values())
        assert client.get("/healthz").status_code == 200


def test_the_server_tells_whether_it_is_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert ready == {"status": "ready", "parts": {"database": "ok", "schema": "ok", "broker": "ok"}}
    client.get("/v1/contexts/0198c0de-7a11-7000-8000-5ca1ab1e0000")
    counted = client.get("/metrics").text
    labels = 'method="GET",route="/v1/contexts/{context_id}",status="404"'
    assert f"lookalike_http_requests_total{{{labels}}}" in counted
    assert 'lookalike_jobs{state="queued"}' in counted
