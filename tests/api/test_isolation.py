"""Walks over every route that the application has, those of later versions too."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple, cast

import httpx
from fastapi.routing import iter_route_contexts

from tests.api.conftest import Guarded
from tests.pictures import jpeg, photo

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("POST", "/connect/token"),
    ("POST", "/oauth2/token"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
}
# The operator's: no client has anything there.
OPERATION = {("GET", "/metrics")}
PICTURE = jpeg(photo(1))


class Operation(NamedTuple):
    """One method of one route."""

    method: str
    path: str

    def url(self, values: dict[str, str]) -> str:
        """Fill in what is known; what is not is an id that nobody has."""
        url = self.path
        while "{" in url:
            head, _, rest = url.partition("{")
            name, _, tail = rest.partition("}")
            url = head + values.get(name.split(":")[0], str(uuid.UUID(int=7))) + tail
        return url


class Owned(NamedTuple):
    """Something of a client's, fresh for each operation as some delete it."""

    values: dict[str, str]
    shown: dict[str, Any]


def operations(guarded: Guarded) -> list[Operation]:
    routes = iter_route_contexts(guarded.app.routes)
    found = {(m, str(route.path)) for route in routes for m in (route.methods or ())}
    return [Operation(*each) for each in sorted(found) if each[0] != "HEAD"]


def test_every_route_asks_who_you_are(guarded: Guarded) -> None:
    asked = [each for each in operations(guarded) if each not in OPEN]
    assert len(asked) > 20
    for operation in asked:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = guarded.stranger.request(operation.method, operation.url({}), headers=headers)
            assert answer.status_code == 401, operation
            assert answer.headers["WWW-Authenticate"].startswith("Bearer"), operation
            assert answer.headers["Content-Type"] == "application/problem+json", operation
            assert answer.json()["code"] in ("not_authenticated", "invalid_token")


def test_what_is_no_route_asks_too_and_what_is_open_does_not(guarded: Guarded) -> None:
    assert guarded.stranger.get("/v1/nothing").status_code == 401
    assert guarded.stranger.get("/v1/contexts/").status_code == 401
    assert guarded.stranger.get("//healthz").status_code == 401
    for method, path in OPEN:
        assert guarded.stranger.request(method, path).status_code in (200, 303, 400, 422), path


def test_every_route_hides_what_is_another_clients(guarded: Guarded) -> None:
    owner, other = guarded.let_in("owner"), guarded.let_in("other")
    described = owner.get("/openapi.json").json()
    tried, owned = 0, cast(Owned | None, None)
    for operation in operations(guarded):
        if "{" not in operation.path:
            continue
        tried += 1
        owned = owned or _owned(owner)
        body = _body(described, operation)
        url = operation.url(owned.values)
        refused = other.request(operation.method, url, **body)
        assert refused.status_code == 404, (operation, refused.text)
        # Word for word what is answered when there is no such thing at all.
        unknown = {name: str(uuid.UUID(int=7)) for name in owned.values}
        nothing = other.request(operation.method, operation.url(unknown), **body)
        assert _without_ids(refused.text, owned.values) == _without_ids(nothing.text, unknown), operation
        assert _shown(owner, owned.values) == owned.shown, operation
        assert _answered(owner, operation, url, body) != refused.text, operation
        if operation.method != "GET":
            owned = None
    assert tried > 20


def test_lists_have_only_what_is_ones_own(guarded: Guarded) -> None:
    owner, other = guarded.let_in("owner"), guarded.let_in("other")
    values = _owned(owner).values
    lists = [each for each in operations(guarded) if each.method == "GET" and "{" not in each.path]
    for operation in lists:
        if operation in OPEN | OPERATION:
            continue
        assert not any(each in other.get(operation.path).text for each in values.values()), operation
    assert all(
        values["context_id"] in owner.get(path).text for path in ("/v1/contexts", "/v1/jobs", "/account")
    )
    assert other.get("/v1/jobs", params={"context_id": values["context_id"]}).status_code == 404


def test_one_idempotency_key_of_two_clients_is_two(guarded: Guarded) -> None:
    made = [
        guarded.let_in(name).post("/v1/contexts", json={"name": "a"}, headers={"Idempotency-Key": "k"})
        for name in ("owner", "other")
    ]
    assert [each.status_code for each in made] == [201, 201]
    assert made[0].json()["id"] != made[1].json()["id"]
    assert "Idempotent-Replayed" not in made[1].headers


def _owned(owner: httpx.Client) -> Owned:
    context = owner.post("/v1/contexts", json={"name": "mine"}).json()["id"]
    put = owner.put(f"/v1/contexts/{context}/images/private.jpg", content=PICTURE)
    assert put.status_code == 201, put.text
    job = owner.post(f"/v1/contexts/{context}/jobs", json={"kind": "find_duplicates"}).json()["id"]
    scheduled = {"name": "daily", "interval_seconds": 86400, "job": {"kind": "extract_features"}}
    schedule = owner.post(f"/v1/contexts/{context}/schedules", json=scheduled).json()["id"]
    pair = {"verdict": "keep_both", "sha256": ["0" * 64, "1" * 64]}
    decision = owner.post(f"/v1/contexts/{context}/decisions", json=pair).json()["items"][0]["id"]
    hook = owner.post("/v1/webhooks", json={"url": "https://1.1.1.1/hook"}).json()["id"]
    delivery = owner.post(f"/v1/webhooks/{hook}/test").json()["id"]
    values = {
        "context_id": context,
        "job_id": job,
        "schedule_id": schedule,
        "image_id": "private.jpg",
        "decision_id": decision,
        "webhook_id": hook,
        "delivery_id": delivery,
    }
    return Owned(values, _shown(owner, values))


def _answered(owner: httpx.Client, operation: Operation, url: str, body: dict[str, Any]) -> str:
    # Streamed: events never end as long as nobody works on the job.
    with owner.stream(operation.method, url, **body) as answer:
        return answer.read().decode() if answer.status_code == 404 else str(answer.status_code)


def _shown(owner: httpx.Client, values: dict[str, str]) -> dict[str, Any]:
    context = f"/v1/contexts/{values['context_id']}"
    return {
        path: owner.get(path).json()
        for path in (
            context,
            f"{context}/images",
            f"{context}/decisions",
            f"{context}/schedules",
            f"/v1/webhooks/{values['webhook_id']}/deliveries",
            f"/v1/jobs/{values['job_id']}",
        )
    }


def _body(described: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """What the description says to send: the example of a JSON body, a file for a form, bytes."""
    path = operation.path.replace(":path}", "}")
    found = described["paths"].get(path, {}).get(operation.method.lower(), {})
    content = found.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        return {"json": described["components"]["schemas"][name]["examples"][0]}
    if "multipart/form-data" in content:
        return {"files": {"files": ("a.jpg", PICTURE)}}
    return {"content": PICTURE} if content else {}


def _without_ids(text: str, values: dict[str, str]) -> str:
    for value in values.values():
        text = text.replace(value, "…")
    return text
