"""docker-compose.yml without Docker: the services' commands and settings on a real broker and PostgreSQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests import servers
from tests.acceptance.command import ROOT, environment, free_port, run, running, wait_until_ready
from tests.acceptance.test_readme import check, needs_curl, walk

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def command(service: str, port: int) -> list[str]:
    """A service's command; only the address differs from the container's."""
    changes = {"0.0.0.0": "127.0.0.1", "8080": str(port)}
    return [changes.get(argument, argument) for argument in SERVICES[service]["command"]]


def variables(service: str, values: dict[str, str]) -> dict[str, str]:
    """A service's environment; what names another container or a volume is replaced."""
    given: dict[str, str] = SERVICES[service]["environment"]
    defaults = {name: value.split(":-", 1)[-1].rstrip("}") for name, value in given.items()}
    return {**defaults, **{name: value for name, value in values.items() if name in given}}


@pytest.fixture(scope="module")
def values(
    postgresql: servers.Postgresql, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What the compose file's variables stand for here."""
    name, data = f"compose_{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("compose")
    postgresql.execute(f"CREATE DATABASE {name}")
    yield {
        "LOOKALIKE_DATABASE_URL": postgresql.url_of(name),
        "LOOKALIKE_BROKER_URL": broker_url,
        "LOOKALIKE_DATA_DIR": str(data),
        "LOOKALIKE_BLOB_URL": str(data / "blobs"),
    }
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_api_says_what_to_do_before_the_first_migration(values: dict[str, str]) -> None:
    done = run(*command("api", free_port()), **variables("api", values))
    assert done.returncode == 2
    assert "lookalike migrate" in done.stderr


@pytest.fixture(scope="module")
def compose(values: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All services of the compose file, with two workers."""
    logs, port = tmp_path_factory.mktemp("logs"), free_port()
    for _ in range(2):  # a restarted `compose up` migrates again
        migrated = run(*command("migrate", port), **variables("migrate", values))
        assert migrated.returncode == 0, migrated.stderr
    with ExitStack() as stack:
        for name in ("worker-1", "worker-2", "api"):
            service = name.split("-")[0]
            env, log = environment(**variables(service, values)), logs / name
            process = stack.enter_context(running(*command(service, port), log=log, env=env))
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, logs / "api")
        yield url


@pytest.fixture(scope="module")
def token(compose: str, values: dict[str, str]) -> str:
    """A token of a client that was added as the compose file says."""
    added = run("clients", "add", "demo", **variables("api", values))
    assert added.returncode == 0, added.stderr
    printed = dict(line.split("=") for line in added.stdout.splitlines())
    form = {"grant_type": "client_credentials", **printed}
    return str(httpx.post(f"{compose}/connect/token", data=form).raise_for_status().json()["access_token"])


def test_compose_comes_up_with_accounts(compose: str) -> None:
    assert httpx.get(f"{compose}/v1/contexts").status_code == 401


@needs_curl
def test_the_readme_walk_through_runs_in_servers_mode_too(
    compose: str, token: str, demo_photos: Path, tmp_path: Path
) -> None:
    (tmp_path / ".curlrc").write_text(f'header = "Authorization: Bearer {token}"\n')
    check(walk(compose, demo_photos, CURL_HOME=str(tmp_path)))


def test_a_job_over_http_gives_the_demo_groups(compose: str, token: str, demo_photos: Path) -> None:
    from cli.demo.__main__ import expected

    paths = sorted(demo_photos.rglob("*.*"))
    headers = {"Prefer": "wait=60", "Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=compose, timeout=90, headers=headers) as client:
        context = client.post("/v1/contexts", json={"name": "demo"}).raise_for_status().json()["id"]
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        ids = {"image_id": [path.relative_to(demo_photos).as_posix() for path in paths]}
        client.post(f"/v1/contexts/{context}/images", files=files, data=ids).raise_for_status()
        job = (
            client.post(f"/v1/contexts/{context}/jobs", json={"kind": "find_duplicates"})
            .raise_for_status()
            .json()
        )
        assert job["state"] == "succeeded", json.dumps(job)
        groups = client.get(f"/v1/jobs/{job['id']}/groups").raise_for_status().json()["items"]
    assert sorted(sorted(i["image_id"] for i in group["images"]) for group in groups) == expected(demo_photos)
