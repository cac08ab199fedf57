from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import pytest

from tests import pictures
from tests.api.conftest import make_context
from tests.api.test_jobs import FIND, upload

QUALITIES = {"best": 95, "good": 75, "poor": 50}


def three_alike(seed: int) -> dict[str, bytes]:
    """An original and two copies, each of which matches the two others."""
    picture = pictures.photo(seed, (192, 144))
    return {
        "best": pictures.jpeg(picture, 95),
        "good": pictures.jpeg(picture, 75),
        "poor": pictures.jpeg(picture, 50),
    }


def find(client: httpx.Client, context: str, **values: Any) -> str:
    asked = client.post(f"{context}/jobs", json={**FIND, **values}, headers={"Prefer": "wait=60"})
    assert asked.json()["state"] == "succeeded", asked.text
    return str(asked.headers["Location"])


def groups(client: httpx.Client, job: str, **params: Any) -> list[tuple[list[str], list[str]]]:
    """The images and the related images of each group."""
    answer = client.get(f"{job}/groups", params={"sort": "number", **params}).raise_for_status()
    return [
        ([i["image_id"] for i in group["images"]], sorted(i["image_id"] for i in group["related"]))
        for group in answer.json()["items"]
    ]


def _first_id(client: httpx.Client, job: str, **params: Any) -> str:
    return str(client.get(f"{job}/groups", params=params).json()["items"][0]["id"])


def decide(client: httpx.Client, context: str, verdict: str, *image_ids: str) -> list[dict[str, Any]]:
    made = client.post(f"{context}/decisions", json={"verdict": verdict, "image_ids": image_ids})
    assert made.status_code == 201, made.text
    items: list[dict[str, Any]] = made.json()["items"]
    return items


def test_a_decision_outlasts_runs_names_imports_and_thresholds(working: httpx.Client) -> None:
    context = make_context(working)
    files = three_alike(901)
    job = upload(working, context, **files).headers["Location"]
    working.get(job, headers={"Prefer": "wait=60"})
    first = find(working, context)
    assert groups(working, first) == [(["best", "good", "poor"], [])]

    made_with_none = f"{first}/groups/{_first_id(working, first, similarity_threshold=85)}"
    assert working.get(made_with_none).status_code == 200

    (made,) = decide(working, context, "not_duplicates", "best", "poor")
    assert made["image_ids"] in ([["best"], ["poor"]], [["poor"], ["best"]])
    # Poor is still a copy of good, which is a member: seen, and never removed.
    apart = [(["best", "good"], ["poor"])]
    # At another threshold the first job's groups follow at once; its own were found before.
    assert groups(working, first) == [(["best", "good", "poor"], [])]
    assert groups(working, first, similarity_threshold=85) == apart
    assert working.get(made_with_none).status_code == 404
    made_with_one = _first_id(working, first, similarity_threshold=85)
    assert working.get(f"{first}/groups/{made_with_one}").json()["image_count"] == 2
    incremental = find(working, context, mode="incremental")
    assert groups(working, incremental) == groups(working, find(working, context)) == apart
    difference = working.get(f"{incremental}/differences").json()["items"]
    assert [each["changes"] for each in difference] == [["shrunk"]]

    # Gone and back under other names, and with other images.
    for name in files:
        working.delete(f"{context}/images/{name}").raise_for_status()
    again = upload(working, context, **{f"again/{name}": data for name, data in files.items()})
    working.get(again.headers["Location"], headers={"Prefer": "wait=60"})
    job = find(working, context, mode="incremental")
    assert groups(working, job) == [(["again/best", "again/good"], ["again/poor"])]
    # That they were here before is told too, though nothing was kept when all went.
    back = working.get(f"{job}/returned").json()["items"]
    assert [(each["image_id"], each["removed_as"], each["kept"]) for each in back] == [
        ("again/best", "best", "again/good"),
        ("again/good", "good", None),
        ("again/poor", "poor", None),
    ]
    assert working.get(job).json()["counts"]["returned"] == 3
    shown = working.get(f"{context}/images/again/best").json()
    assert shown["removed_before"]["kept"] == "again/good"
    working.delete(f"{context}/removals/{shown['sha256']}").raise_for_status()
    assert working.get(f"{context}/images/again/best").json()["removed_before"] is None

    working.delete(f"{context}/decisions/{made['id']}").raise_for_status()
    assert working.get(f"{context}/decisions/{made['id']}").status_code == 404
    found = groups(working, find(working, context, mode="incremental"))
    assert found == [(["again/best", "again/good", "again/poor"], [])]


def test_files_with_the_same_bytes_can_all_stay(working: httpx.Client) -> None:
    context = make_context(working)
    best = three_alike(905)["best"]
    job = upload(working, context, one=best, twin=best).headers["Location"]
    working.get(job, headers={"Prefer": "wait=60"})
    assert groups(working, find(working, context)) == [(["one", "twin"], [])]
    told_apart = {"verdict": "not_duplicates", "image_ids": ["one", "twin"]}
    refused = working.post(f"{context}/decisions", json=told_apart)
    assert (refused.status_code, "byte for byte" in refused.json()["detail"]) == (422, True)
    same = {"verdict": "keep_both", "image_ids": ["one", "one"]}
    assert working.post(f"{context}/decisions", json=same).status_code == 422
    (made,) = decide(working, context, "keep_both", "one", "twin")
    assert made["image_ids"] == [["one", "twin"], ["one", "twin"]]
    assert groups(working, find(working, context, mode="incremental")) == []
    exported = working.get(f"{context}/decisions/export").content
    working.delete(f"{context}/decisions/{made['id']}").raise_for_status()
    assert groups(working, find(working, context, mode="incremental")) == [(["one", "twin"], [])]
    taken = working.post(f"{context}/decisions/import", content=exported)
    assert taken.json()["added"] == 1, taken.text
    assert groups(working, find(working, context)) == []


def test_copies_to_keep_are_seen_and_no_copies_of_one_another(working: httpx.Client) -> None:
    context = make_context(working)
    upload(working, context, **three_alike(902))
    made = decide(working, context, "keep_both", "best", "good", "poor")
    assert len(made) == 3
    job = find(working, context)
    assert groups(working, job) == []
    compared = working.post(f"{context}/compare", json={"image_ids": ["best", "poor"]}).json()
    assert (compared["decision"], compared["similarity"] >= 90) == ("keep_both", True)
    # Of the group of a third image they may well be members.
    decide(working, context, "not_duplicates", "good", "poor")
    working.delete(f"{context}/decisions/{_about(working, context, 'best', 'good')}").raise_for_status()
    assert groups(working, find(working, context)) == [(["best", "good"], ["poor"])]
    similar = working.post(f"{context}/similar", json={"image_id": "poor"}).json()["items"]
    assert {each["image_id"]: each["decision"] for each in similar} == {
        "best": "keep_both",
        "good": "not_duplicates",
    }


def _about(client: httpx.Client, context: str, one: str, other: str) -> str:
    found = client.get(f"{context}/decisions").json()["items"]
    (wanted,) = (each["id"] for each in found if sorted(each["image_ids"]) == sorted([[one], [other]]))
    return str(wanted)


def test_decisions_go_to_another_context_as_a_file(client: httpx.Client) -> None:
    here, there = make_context(client), make_context(client)
    hashes = [hashlib.sha256(f"decided {number}".encode()).hexdigest() for number in range(3)]
    body = {"verdict": "keep_both", "sha256": hashes, "note": "Täglich\nanders"}
    client.post(f"{here}/decisions", json=body).raise_for_status()
    exported = client.get(f"{here}/decisions/export")
    head, *lines = exported.text.splitlines()
    assert json.loads(head) == {"format": "lookalike-decisions", "version": 1}
    assert exported.headers["Content-Type"].startswith("application/jsonl")
    assert len(lines) == 3

    def take_in(content: str) -> dict[str, int]:
        answer = client.post(f"{there}/decisions/import", content=content.encode())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    nothing = {"added": 0, "replaced": 0, "unchanged": 0, "outdated": 0, "unknown": 0}
    assert take_in(exported.text) == nothing | {"added": 3, "unknown": 3}
    assert take_in(exported.text) == nothing | {"unchanged": 3, "unknown": 3}
    assert client.get(f"{there}/decisions/export").text == exported.text
    # Of two about a pair the later one holds, wherever it was made.
    client.post(
        f"{here}/decisions", json={"verdict": "not_duplicates", "sha256": hashes[:2]}
    ).raise_for_status()
    newer = client.get(f"{here}/decisions/export").text
    assert take_in(newer) == nothing | {"replaced": 1, "unchanged": 2, "unknown": 3}
    assert take_in(exported.text) == nothing | {"outdated": 1, "unchanged": 2, "unknown": 3}
    about = client.get(f"{there}/decisions", params={"sha256": hashes[0], "verdict": "not_duplicates"}).json()
    assert [each["sha256"] for each in about["items"]] == [sorted(hashes[:2])]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format":"lookalike-decisions","version":2}',
        b'{"format":"lookalike-decisions","version":1}\n{"sha256":["00","11"],"verdict":"keep_both"}',
        b'{"format":"lookalike-decisions","version":1}\n{"sha256":1}',
        b'{"format":"lookalike-decisions","version":1}\n' + b"[" * 100_000,
    ],
)
def test_a_file_that_is_none_of_decisions_is_refused(
    client: httpx.Client, context: str, content: bytes
) -> None:
    answer = client.post(f"{context}/decisions/import", content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert client.get(f"{context}/decisions").json()["items"] == []


def test_what_cannot_be_decided_is_refused(client: httpx.Client, context: str) -> None:
    same = pictures.jpeg(pictures.photo(903, (64, 48)))
    upload(client, context, a=same, b=same)

    def refused(**values: object) -> int:
        return client.post(f"{context}/decisions", json={"verdict": "keep_both", **values}).status_code

    assert refused(image_ids=["a", "b"], verdict="not_duplicates") == 422
    assert refused(image_ids=["a", "nobody"]) == 404
    assert refused(image_ids=["a", "b"], sha256=["0" * 64, "1" * 64]) == 422
    assert refused(sha256=["0" * 64, "1" * 64], verdict="perhaps") == 422
    elsewhere = client.post(
        f"{context}/decisions", json={"verdict": "keep_both", "sha256": ["0" * 64, "1" * 64]}
    )
    other = make_context(client)
    decision_id = elsewhere.json()["items"][0]["id"]
    assert client.delete(f"{other}/decisions/{decision_id}").status_code == 404
    assert client.get(f"{context}/decisions/{decision_id}").status_code == 200
