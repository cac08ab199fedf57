from __future__ import annotations

import uuid

import httpx
import pytest


def test_a_context_lives_from_its_creation_to_its_end(client: httpx.Client) -> None:
    made = client.post("/v1/contexts", json={"name": "holiday"})
    assert made.status_code == 201
    path = made.headers["Location"]
    shown = client.get(path).json()
    assert shown == made.json()
    assert (shown["similarity_threshold"], shown["match_floor"]) == (90.0, 70.0)
    assert shown["image_counts"] == {"pending": 0, "ready": 0, "failed": 0}
    assert shown["created_at"].endswith("Z")
    changed = client.patch(path, json={"name": "summer", "match_floor": 60}).json()
    assert (changed["name"], changed["match_floor"], changed["similarity_threshold"]) == (
        "summer",
        60.0,
        90.0,
    )
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_contexts_come_in_pages(client: httpx.Client) -> None:
    made = [client.post("/v1/contexts", json={"name": f"{n}"}).json()["id"] for n in range(5)]
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = client.get("/v1/contexts", params=query).json()
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen[-5:] == made
    wrong = client.get("/v1/contexts", params={"cursor": "bm9uc2Vuc2U"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("threshold", [130, -1, "NaN", None, "ninety"])
def test_a_threshold_is_a_number_from_0_to_100(client: httpx.Client, threshold: object) -> None:
    if threshold == "NaN":
        answer = client.post(
            "/v1/contexts",
            content='{"name": "x", "similarity_threshold": NaN}',
            headers={"Content-Type": "application/json"},
        )
    else:
        answer = client.post("/v1/contexts", json={"name": "x", "similarity_threshold": threshold})
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["errors"][0]["pointer"] == "/similarity_threshold"


def test_an_unknown_context_is_not_found_wherever_it_is_named(client: httpx.Client) -> None:
    for context_id in (uuid.uuid4(), "nonsense"):
        path = f"/v1/contexts/{context_id}"
        answers = [
            client.get(path),
            client.delete(path),
            client.patch(path, json={"name": "x"}),
            client.get(f"{path}/images"),
            client.post(f"{path}/images", files={"files": b"x"}),
            client.put(f"{path}/images/a", content=b"x"),
            client.get(f"{path}/content/a"),
            client.post(f"{path}/jobs", json={"kind": "find_duplicates"}),
            client.post(f"{path}/compare", json={"image_ids": ["a", "b"]}),
            client.get("/v1/jobs", params={"context_id": str(uuid.uuid4())}),
        ]
        assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "not_found")] * len(
            answers
        )
