from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest

from tests import pictures
from tests.api.conftest import make_context

FIND = {"kind": "find_duplicates"}


def upload(client: httpx.Client, context: str, **files: bytes) -> httpx.Response:
    parts = [("files", (name, data)) for name, data in files.items()]
    return client.post(f"{context}/images", files=parts).raise_for_status()


def pictures_and_copies(first: int, count: int) -> dict[str, bytes]:
    drawn = {f"{seed}": pictures.photo(seed, (192, 144)) for seed in range(first, first + count)}
    originals = {name: pictures.jpeg(picture, 92) for name, picture in drawn.items()}
    return originals | {f"{name}-copy": pictures.jpeg(picture, 60) for name, picture in drawn.items()}


def events(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_a_job_is_waited_for_and_its_groups_are_read(working: httpx.Client) -> None:
    context = make_context(working)
    upload(working, context, **pictures_and_copies(100, 3), alone=pictures.jpeg(pictures.photo(190)))
    answer = working.post(f"{context}/jobs", json=FIND, headers={"Prefer": "respond-async, wait=60"})
    job = answer.json()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=60")
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert [stage["name"] for stage in job["stages"]] == ["extract", "join", "verify", "group"]
    assert all(stage["state"] == "done" and stage["done"] == stage["total"] for stage in job["stages"])
    assert job["started_at"] <= job["finished_at"] < job["expires_at"]
    page = working.get(f"/v1/jobs/{job['id']}/groups", params={"limit": 2, "sort": "number"}).json()
    rest = working.get(
        f"/v1/jobs/{job['id']}/groups", params={"cursor": page["next_cursor"], "sort": "number"}
    ).json()
    groups = page["items"] + rest["items"]
    assert len(page["items"]) == 2
    assert {tuple(image["image_id"] for image in group["images"]) for group in groups} == {
        (f"{seed}", f"{seed}-copy") for seed in (100, 101, 102)
    }
    original, copy = groups[0]["images"]
    assert (original["similarity"], original["relation"]) == (100.0, "original")
    assert (copy["similarity"] > 95, copy["relation"]) == (True, "reencoded")
    assert (copy["width"], copy["height"], copy["format"]) == (192, 144, "JPEG")
    assert page["grouping"]["duplicate_count"] == 3
    assert working.get(f"/v1/jobs/{job['id']}/groups/{groups[0]['id']}").json() == groups[0]
    looser = working.get(
        f"/v1/jobs/{job['id']}/groups", params={"similarity_threshold": 80, "limit": 2}
    ).json()
    assert (len(looser["items"]), looser["grouping"]["group_count"]) == (2, 3)
    derived = looser["items"][0]
    assert working.get(f"/v1/jobs/{job['id']}/groups/{derived['id']}").json() == derived
    assert working.get(f"/v1/jobs/{job['id']}/groups/800.3").status_code == 404
    stricter = working.get(f"/v1/jobs/{job['id']}/groups", params={"similarity_threshold": 100}).json()
    assert (stricter["items"], stricter["grouping"]["similarity_threshold"]) == ([], 100.0)
    below = working.get(f"/v1/jobs/{job['id']}/groups", params={"similarity_threshold": 20})
    assert (below.status_code, below.json()["code"]) == (422, "invalid_threshold")


def test_a_job_tells_what_is_different_from_the_one_before(working: httpx.Client) -> None:
    context = make_context(working)
    wait = {"Prefer": "wait=60"}
    given = pictures_and_copies(300, 3)
    late = {"302-copy": given.pop("302-copy")}
    upload(working, context, **given)
    first = working.post(f"{context}/jobs", json=FIND, headers=wait).json()
    told = working.get(f"/v1/jobs/{first['id']}/differences").json()
    assert (told["since_job_id"], [each["changes"] for each in told["items"]]) == (None, [["new"], ["new"]])
    upload(working, context, **late, **{"300-again": given["300"]})
    assert working.delete(f"{context}/images/301").status_code == 204
    second = working.post(f"{context}/jobs", json={**FIND, "mode": "incremental"}, headers=wait).json()
    address = f"/v1/jobs/{second['id']}/differences"
    page = working.get(address, params={"limit": 2}).json()
    rest = working.get(address, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    grown, new, gone = page["items"] + rest["items"]
    assert (page["since_job_id"], rest["next_cursor"]) == (first["id"], None)
    assert (grown["changes"], grown["previous_image_count"], grown["image_count"]) == (["grown"], 2, 3)
    assert grown["group_id"] in {each["group_id"] for each in told["items"]}
    assert [image["image_id"] for image in new["group"]["images"]] == ["302", "302-copy"]
    assert (new["changes"], gone["changes"], gone["group"], gone["went_to"]) == (["new"], ["gone"], None, [])
    counts = ("groups_new", "groups_changed", "groups_gone")
    assert [second["counts"][name] for name in counts] == [1, 1, 1]
    only_new = working.get(address, params={"change": "new"}).json()
    assert only_new["items"] == [new]
    assert working.get(address, params={"change": "prettier"}).status_code == 422
    # The groups of the job before stay what they were.
    before = working.get(f"/v1/jobs/{first['id']}/groups/{gone['group_id']}").json()
    assert [image["image_id"] for image in before["images"]] == ["301", "301-copy"]


def test_events_tell_a_job_from_its_beginning_to_its_end(working: httpx.Client) -> None:
    context = make_context(working)
    started = upload(working, context, **pictures_and_copies(200, 20))
    path = started.headers["Location"]
    with working.stream("GET", f"{path}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        told = list(events(stream.iter_lines()))
    assert [name for name, _ in told] == ["job"] * (len(told) - 1) + ["end"]
    done = [job["stages"][0]["done"] for _, job in told]
    assert (done, done[-1]) == (sorted(done), 40)
    assert told[-1][1] == working.get(path).json()
    again = working.get(f"{path}/events", headers={"Last-Event-ID": "end"})
    assert (again.status_code, again.content) == (204, b"")


def test_what_is_no_image_is_an_error_of_its_job(working: httpx.Client) -> None:
    context = make_context(working)
    fine = pictures.jpeg(pictures.photo(300, (160, 120)))
    files = {"fine": fine, "cut": fine[:2000], "words": b"only words", "empty": b""}
    path = upload(working, context, **files).headers["Location"]
    job = working.get(path, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded"
    errors = working.get(f"{path}/errors").json()["items"]
    assert {each["image_id"]: each["code"] for each in errors} == {
        "cut": "corrupt_image",
        "empty": "empty_file",
        "words": "not_an_image",
    }
    shown = working.get(f"{context}/images/words").json()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "not_an_image")
    assert working.get(context).json()["image_counts"] == {"pending": 0, "ready": 1, "failed": 3}


def test_a_hundred_waiters_hold_nobody_up(client: httpx.Client, context: str) -> None:
    path = client.post(f"{context}/jobs", json={"kind": "extract_features"}).headers["Location"]
    path = client.post(f"{context}/images", files={"files": b"x"}).headers["Location"]
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=client.base_url, limits=limits, timeout=60) as many:
        waiting = [
            threading.Thread(target=many.get, args=(path,), kwargs={"headers": {"Prefer": "wait=60"}})
            for _ in range(100)
        ]
        for thread in waiting:
            thread.start()
        _until(lambda: _waiters(client) == 100)
        # All others still wait when these are answered.
        assert client.get("/healthz").status_code == 200
        assert client.get(path).json()["state"] == "queued"
        assert _waiters(client) == 100
        assert client.post(f"{path}/cancel").json()["state"] == "cancelled"
        for thread in waiting:
            thread.join(20)
    assert _waiters(client) == 0


def test_who_has_gone_is_waited_for_no_longer(client: httpx.Client, context: str) -> None:
    path = client.post(f"{context}/images", files={"files": b"x"}).headers["Location"]
    with client.stream("GET", f"{path}/events") as stream:
        # Kept, as a stream is closed with its last reader.
        lines = stream.iter_lines()
        next(lines)
        _until(lambda: _waiters(client) == 1)
    with httpx.Client(base_url=client.base_url, timeout=0.3) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.get(path, headers={"Prefer": "wait=60"})
    _until(lambda: _waiters(client) == 0)


def test_a_job_in_the_wrong_state_is_a_conflict(client: httpx.Client, context: str) -> None:
    path = client.post(f"{context}/images", files={"files": b"x"}).headers["Location"]

    def done(act: str) -> tuple[int, str]:
        answer = client.post(f"{path}/{act}")
        return answer.status_code, answer.json().get("state", answer.json().get("code"))

    assert done("retry") == (409, "conflict")
    assert done("resume") == (409, "conflict")
    assert done("pause") == (200, "paused")
    assert done("resume") == (200, "queued")
    assert done("cancel") == (200, "cancelled")
    assert done("cancel") == (409, "conflict")
    assert done("retry") == (200, "queued")


def test_a_job_without_groups_says_why(client: httpx.Client, context: str) -> None:
    client.post(f"{context}/images", files={"files": b"x"})
    running = client.post(f"{context}/jobs", json=FIND).headers["Location"]
    answer = client.get(f"{running}/groups")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_done")
    extracting = client.post(f"{context}/jobs", json={"kind": "extract_features"}).headers["Location"]
    answer = client.get(f"{extracting}/groups")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**FIND, "similarity_threshold": 130}, "/similarity_threshold"),
        ({**FIND, "mode": "fast"}, "/mode"),
        ({**FIND, "threshold": 90}, "/threshold"),
        ({"kind": "extract_features", "mode": "full"}, ""),
        ({"kind": "findDuplicates"}, "/kind"),
        ([], ""),
    ],
)
def test_a_job_that_cannot_be_is_refused(client: httpx.Client, context: str, body: Any, pointer: str) -> None:
    answer = client.post(f"{context}/jobs", json=body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_threshold_below_the_floor_says_what_to_change(client: httpx.Client, context: str) -> None:
    answer = client.post(f"{context}/jobs", json={**FIND, "similarity_threshold": 50})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_threshold")
    assert "match_floor" in answer.json()["detail"]


def test_an_unknown_job_is_not_found_wherever_it_is_named(client: httpx.Client) -> None:
    for job_id in (uuid.uuid4(), "nonsense"):
        routes = ["", "/events", "/errors", "/groups", "/groups/1.0", "/differences"]
        answers = [client.get(f"/v1/jobs/{job_id}{route}") for route in routes]
        answers += [client.post(f"/v1/jobs/{job_id}/{act}") for act in ("cancel", "retry", "pause", "resume")]
        assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}


def test_jobs_are_listed_newest_first_and_by_state(client: httpx.Client, context: str) -> None:
    made = [client.post(f"{context}/images", files={"files": (f"{n}", b"x")}).json()["id"] for n in range(3)]
    client.post(f"/v1/jobs/{made[0]}/cancel")
    mine = {"context_id": context.rpartition("/")[2]}

    def listed(**query: Any) -> list[str]:
        answer = client.get("/v1/jobs", params={**mine, **query})
        return [each["id"] for each in answer.json()["items"]]

    assert listed() == made[::-1]
    assert listed(state="cancelled") == [made[0]]
    assert listed(kind="find_duplicates") == []
    page = client.get("/v1/jobs", params={**mine, "limit": 2}).json()
    assert listed(cursor=page["next_cursor"]) == [made[0]]
    assert client.get("/v1/jobs", params={"state": "done"}).status_code == 422


def _waiters(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("lookalike_http_waiters "))))


def _until(look: Any) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)
