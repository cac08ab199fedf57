"""Walks over every route that the application has, those of later versions too."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

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
# An id that nothing has.
NOBODYS = str(uuid.UUID(int=7))
PICTURE, OTHER_PICTURE = jpeg(photo(1)), jpeg(photo(2))
NIGHTLY = {"name": "every night", "cron": "0 3 * * *", "job": {"kind": "find_duplicates"}}


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
            url = head + values.get(name.split(":")[0], NOBODYS) + tail
        return url

    @property
    def names_more_than_a_context(self) -> bool:
        """Whether a path leads into a context to something with an id of the server's own."""
        rest = self.path.partition("{context_id}")[2]
        return "{" in rest and "{image_id" not in rest


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
    named = [each for each in operations(guarded) if "{" in each.path]
    assert len(named) > 20
    owned = owned_by(owner)
    mixed = {**owned, "context_id": owned_by(other)["context_id"]}
    before = _shown(owner, owned)
    refusals = {}
    for operation in named:
        body = _body(described, operation)
        refused = other.request(operation.method, operation.url(owned), **body)
        assert refused.status_code == 404, (operation, refused.text)
        # Word for word what is answered when there is no such thing at all.
        nothing = other.request(operation.method, operation.url({}), **body)
        assert _without_ids(refused.text, owned) == nothing.text.replace(NOBODYS, "…"), operation
        if operation.names_more_than_a_context:
            answer = other.request(operation.method, operation.url(mixed), **body)
            assert answer.status_code == 404, (operation, answer.text)
        refusals[operation] = refused.text
    assert _shown(owner, owned) == before
    # And nothing of this was refused because the request as such made no sense. What deletes comes last.
    for operation in sorted(named, key=lambda each: (each.method == "DELETE", -len(each.path))):
        body = _body(described, operation)
        assert _answered(owner, operation, operation.url(owned), body) != refusals[operation], operation


def test_lists_have_only_what_is_ones_own(guarded: Guarded) -> None:
    owner, other = guarded.let_in("owner"), guarded.let_in("other")
    values = owned_by(owner)
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


def owned_by(client: httpx.Client) -> dict[str, str]:
    """Make one of each thing for a client; return their ids by the names that paths have for them."""
    context = client.post("/v1/contexts", json={"name": "mine"}).json()["id"]
    path = f"/v1/contexts/{context}"
    for image_id, picture in (("private.jpg", PICTURE), ("other.jpg", OTHER_PICTURE)):
        assert client.put(f"{path}/images/{image_id}", content=picture).status_code == 201
    decision = {"verdict": "keep_both", "image_ids": ["private.jpg", "other.jpg"]}
    hook = client.post("/v1/webhooks", json={"url": "https://1.1.1.1/hook"}).json()["id"]
    # A route that names something else needs one of it here, or its owner would not find it either.
    made = {
        "job_id": client.post(f"{path}/jobs", json={"kind": "find_duplicates"}).json()["id"],
        "schedule_id": client.post(f"{path}/schedules", json=NIGHTLY).json()["id"],
        "decision_id": client.post(f"{path}/decisions", json=decision).json()["items"][0]["id"],
        "webhook_id": hook,
        "delivery_id": client.post(f"/v1/webhooks/{hook}/test").json()["id"],
    }
    return {"context_id": context, "image_id": "private.jpg", **made}


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
