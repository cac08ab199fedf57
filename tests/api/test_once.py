from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from storage import idempotency
from storage.db import Database
from storage.settings import Settings


def test_a_request_sent_twice_is_done_once(client: httpx.Client, context: str) -> None:
    headers = {"Idempotency-Key": "upload-1"}
    # Each time with another boundary, as clients do.
    first, second = (
        client.post(f"{context}/images", files={"files": ("a", b"x")}, headers=headers) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert (second.content, second.headers["Location"]) == (first.content, first.headers["Location"])
    assert second.headers["Idempotent-Replayed"] == "true"
    other = client.post(f"{context}/images", files={"files": ("a", b"y")}, headers=headers)
    assert other.status_code == 422
    elsewhere = client.post(f"{context}/jobs", json={"kind": "find_duplicates"}, headers=headers)
    assert elsewhere.json()["id"] != first.json()["id"]


def test_the_first_answer_is_given_again_however_the_body_is_written(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "context-1", "Content-Type": "application/json"}
    bodies = ['{"name":"a","match_floor":60}', '{ "match_floor": 60.0, "name": "a" }']
    made = [client.post("/v1/contexts", content=body, headers=headers).json()["id"] for body in bodies]
    assert made[0] == made[1]


def test_a_request_that_failed_may_be_tried_again(client: httpx.Client, context: str) -> None:
    headers = {"Idempotency-Key": "threshold"}
    body = {"kind": "find_duplicates", "similarity_threshold": 60}
    assert client.post(f"{context}/jobs", json=body, headers=headers).status_code == 422
    client.patch(context, json={"match_floor": 50}).raise_for_status()
    assert client.post(f"{context}/jobs", json=body, headers=headers).status_code == 202


def test_a_request_that_still_runs_is_a_conflict(served: tuple[httpx.Client, Settings], context: str) -> None:
    client, settings = served
    database = Database(settings.database_url)
    path = f"{context}/jobs"
    running = idempotency.Request("", "POST", path, "slow", _hash({"kind": "find_duplicates"}))
    with database.transaction() as session:
        idempotency.begin(session, running)
    database.dispose()
    answer = client.post(path, json={"kind": "find_duplicates"}, headers={"Idempotency-Key": "slow"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_many_at_once_make_one(client: httpx.Client, context: str) -> None:
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(
            client.post(f"{context}/jobs", json={"kind": "find_duplicates"}, headers={"Idempotency-Key": "k"})
        )

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    jobs = client.get("/v1/jobs", params={"context_id": context.rpartition("/")[2]}).json()["items"]
    assert len(jobs) == 1


@pytest.mark.parametrize("key", ["", "with space", "ü", "k" * 256])
def test_a_key_that_is_none_is_refused(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = client.post("/v1/contexts", json={"name": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, "header")


def _hash(body: dict[str, Any]) -> bytes:
    from hashlib import sha256

    from api.once import fingerprint
    from api.schemas.jobs import NewJob

    return sha256(fingerprint(NewJob(**body))).digest()
