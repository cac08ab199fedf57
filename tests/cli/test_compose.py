"""No Docker engine is needed to see whether the containers would be given sense to do."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli.main import app
from storage.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the last stage of the Dockerfile, with their arguments."""
    text = re.sub(r"\\\n", " ", (ROOT / "docker/Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [tuple(line.split(maxsplit=1)) for line in lines]
    last_from = max(n for n, (word, _) in enumerate(instructions) if word == "FROM")
    return [(word, argument) for word, argument in instructions[last_from:]]


def parsed(arguments: list[str]) -> str:
    """Parse arguments as the command line would, without running anything; return the command's name."""
    command = typer.main.get_command(app)
    with command.make_context("lookalike", list(arguments)) as context:
        name, sub, rest = command.resolve_command(context, list(arguments))
        sub.make_context(name, rest, parent=context).close()
    return str(name)


@pytest.mark.parametrize("service", OURS)
def test_every_service_runs_a_command_that_exists(service: str) -> None:
    assert parsed(OURS[service]["command"]) == service


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service: str) -> None:
    fields = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(OURS[service]["environment"]) <= fields


def test_the_image_starts_a_command_that_exists_and_is_not_root() -> None:
    instructions = dict(dockerfile())
    assert json.loads(instructions["ENTRYPOINT"]) == ["lookalike"]
    assert parsed(json.loads(instructions["CMD"])) == "serve"
    assert instructions["USER"] not in ("root", "0")
    fields = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    variables = {part.split("=")[0] for part in shlex.split(instructions["ENV"])}
    assert {name for name in variables if name.startswith(PREFIX)} <= fields


def test_the_image_gets_locked_versions_and_every_package() -> None:
    text = (ROOT / "docker/Dockerfile").read_text()
    assert "--require-hashes -r requirements/runtime.txt" in text
    packages = re.search(r"^packages = (\[.*\])", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    copied = set(re.findall(r"^COPY (\w+) \1$", text, re.MULTILINE))
    assert copied == set(json.loads(packages[1]))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)


def test_services_wait_for_what_they_need() -> None:
    for service in OURS.values():
        for name, needed in service["depends_on"].items():
            one_shot = SERVICES[name].get("restart") == "no"
            assert needed["condition"] == (
                "service_completed_successfully" if one_shot else "service_healthy"
            )
            assert one_shot or "test" in SERVICES[name]["healthcheck"]


def test_nobody_is_let_in_without_an_account_unless_that_is_said_in_words() -> None:
    given = OURS["api"]["environment"]
    assert "0.0.0.0" in OURS["api"]["command"]
    assert given["LOOKALIKE_AUTH"] == "${LOOKALIKE_AUTH:-clients}"
    assert given["LOOKALIKE_OPEN_TO_EVERYBODY"] == "${LOOKALIKE_OPEN_TO_EVERYBODY:-no}"
    instructions = dict(dockerfile())
    assert "0.0.0.0" in instructions["CMD"]
    assert "LOOKALIKE_AUTH=clients" in shlex.split(instructions["ENV"])


def test_the_port_is_open_to_this_machine_only_and_no_secret_is_written_down() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["${LOOKALIKE_BIND:-127.0.0.1}:${LOOKALIKE_PORT:-8080}:8080"]
    assert "${POSTGRES_PASSWORD:?" in SERVICES["db"]["environment"]["POSTGRES_PASSWORD"]
    assert all("${POSTGRES_PASSWORD:?" in s["environment"]["LOOKALIKE_DATABASE_URL"] for s in OURS.values())
