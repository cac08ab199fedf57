from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import make_context

NIGHTLY = {
    "name": "every night",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "window": {"from": "22:00", "until": "06:00"},
    "job": {"kind": "find_duplicates", "similarity_threshold": 90, "mode": "incremental"},
}


def made(client: httpx.Client, context: str, **values: Any) -> dict[str, Any]:
    answer = client.post(f"{context}/schedules", json={**NIGHTLY, **values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{context}/schedules/{found['id']}"
    return found


def test_a_schedule_is_made_shown_listed_changed_and_deleted(client: httpx.Client, context: str) -> None:
    schedule = made(client, context)
    path = f"{context}/schedules/{schedule['id']}"
    assert {name: schedule[name] for name in NIGHTLY} == NIGHTLY
    assert (schedule["paused"], schedule["last_run"]) == (False, None)
    assert schedule["next_run_at"].endswith("00:00.000000Z")
    assert client.get(path).json() == schedule
    assert client.get(f"{context}/schedules").json()["items"] == [schedule]

    changed = client.patch(path, json={"interval_seconds": 3600, "window": None, "paused": True}).json()
    assert (changed["cron"], changed["interval_seconds"], changed["window"]) == (None, 3600, None)
    assert changed["next_run_at"] is None
    assert client.patch(path, json={"paused": False}).json()["next_run_at"] is not None

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_schedule_that_is_run_by_hand_answers_with_its_job(client: httpx.Client, context: str) -> None:
    schedule = made(client, context, paused=True, job={"kind": "apply_rule", "rule": "keep_original"})
    path = f"{context}/schedules/{schedule['id']}"
    answer = client.post(f"{path}/run", headers={"Idempotency-Key": "once"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["kind"] == "apply_rule"
    assert job["parameters"]["schedule_id"] == schedule["id"]
    again = client.post(f"{path}/run", headers={"Idempotency-Key": "once"})
    assert again.json()["id"] == job["id"]
    refused = client.post(f"{path}/run")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")

    (run,) = client.get(f"{path}/runs").json()["items"]
    assert (run["job_id"], run["state"], run["by_hand"]) == (job["id"], "running", True)
    assert client.get(path).json()["last_run"] == run
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.get(path).json()["last_run"]["state"] == "cancelled"


def test_runs_come_in_pages_newest_first(client: httpx.Client, context: str) -> None:
    schedule = made(client, context, job={"kind": "extract_features"})
    path = f"{context}/schedules/{schedule['id']}"
    jobs = [client.post(f"{path}/run").json()["id"] for _ in range(3)]
    first = client.get(f"{path}/runs", params={"limit": 2}).json()
    rest = client.get(f"{path}/runs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [run["job_id"] for run in first["items"] + rest["items"]] == jobs[::-1]
    assert {run["state"] for run in first["items"]} == {"succeeded"}
    assert rest["next_cursor"] is None


def test_a_schedule_is_found_in_its_own_context_only(client: httpx.Client, context: str) -> None:
    schedule = made(client, context)
    elsewhere = make_context(client)
    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"paused": True}),
        ("DELETE", "", None),
        ("GET", "/runs", None),
        ("POST", "/run", None),
    ]:
        answer = client.request(method, f"{elsewhere}/schedules/{schedule['id']}{path}", json=body)
        assert answer.status_code == 404, (method, path)
    assert client.get(f"{elsewhere}/schedules").json()["items"] == []


@pytest.mark.parametrize(
    ("values", "code", "told"),
    [
        ({"cron": "61 * * * *"}, "invalid_schedule", "bad minute"),
        ({"cron": "0 12 * * *"}, "invalid_schedule", "never due inside its window"),
        ({"timezone": "Europe/Atlantis"}, "invalid_schedule", "no time zone 'Europe/Atlantis'"),
        ({"interval_seconds": 60}, "invalid_schedule", "either a cron expression or interval_seconds"),
        ({"cron": None}, "invalid_schedule", "either a cron expression or interval_seconds"),
        ({"cron": None, "interval_seconds": 0}, "invalid_input", "greater than or equal to 1"),
        ({"window": {"from": "25:00", "until": "06:00"}}, "invalid_input", "pattern"),
        ({"job": {"kind": "paint"}}, "invalid_input", "kind"),
        ({"job": {"kind": "import", "source": "/etc"}}, "invalid_source", "not under an import root"),
        ({"job": {"kind": "extract_features", "mode": "full"}}, "invalid_input", "has no mode"),
        ({"job": {"kind": "find_duplicates", "similarity_threshold": 5}}, "invalid_threshold", "70"),
        ({"job": {"kind": "apply_rule", "dry_run": False}}, "invalid_input", "dry_run"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    client: httpx.Client, context: str, values: dict[str, Any], code: str, told: str
) -> None:
    answer = client.post(f"{context}/schedules", json={**NIGHTLY, **values})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert told in answer.json()["detail"]


def test_a_change_is_held_to_the_same_rules(client: httpx.Client, context: str) -> None:
    schedule = made(client, context)
    path = f"{context}/schedules/{schedule['id']}"
    for change in (
        {"cron": "* * * * *", "interval_seconds": 5},
        {"cron": "0 12 * * *"},
        {"timezone": "Nowhere"},
        {"name": None},
        {"job": {"kind": "import"}},
    ):
        assert client.patch(path, json=change).status_code == 422, change
    assert client.get(path).json() == schedule


def test_a_folder_is_watched_where_it_may_be_imported(
    client: httpx.Client, context: str, import_root: Path
) -> None:
    job = {"kind": "import", "source": str(import_root)}
    schedule = made(client, context, job=job)
    assert schedule["job"] == job
