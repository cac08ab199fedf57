"""What a user is told who asks for what cannot be done: one sentence on standard error, and exit code 2."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.acceptance.command import run
from tests.pictures import jpeg, photo


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "picture.jpg"
    path.write_bytes(jpeg(photo(1, (160, 120))))
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["find"], "Missing argument"),
        (["find", "{folder}/nowhere"], "There is no folder or file"),
        (["find", "{folder}", "--threshold", "130"], "less than or equal to 100"),
        (["find", "{folder}", "--threshold", "many"], "--threshold"),
        (["find", "{folder}", "--against", "{folder}/nowhere"], "There is no folder or file"),
        (["find", "{folder}", "--link"], "--link needs --organize"),
        (
            ["find", "{folder}", "--organize", "{folder}/sorted", "--link", "--move"],
            "one of --link, --copy and --move",
        ),
        (["find", "{folder}", "--organize", "{folder}"], "not empty"),
        (["find", "{folder}", "--json", "{folder}/nowhere/groups.json"], "there is no folder"),
        (["find", "{folder}", "--data-dir", "{picture}"], "data directory"),
        (["compare", "{picture}", "{folder}/nowhere.jpg"], "nowhere.jpg"),
        (["serve", "--port", "99999"], "--port"),
        (["serve", "--data-dir", "{picture}"], "data directory"),
        (["api"], "LOOKALIKE_BROKER_URL is not set"),
        (["worker"], "LOOKALIKE_BROKER_URL is not set"),
        (["finde"], "Did you mean 'find'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_wrong_use_is_told_in_a_sentence(picture: Path, arguments: list[str], told: str) -> None:
    values = {"picture": picture, "folder": picture.parent}
    done = run(*(argument.format(**values) for argument in arguments), COLUMNS="200")
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(picture.parent.iterdir()) == [picture]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_folder_without_rights_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    try:
        for arguments, told in (
            (["find", closed], "not readable"),
            (["find", tmp_path, "--data-dir", closed / "data"], "Permission denied"),
        ):
            done = run(*arguments)
            assert done.returncode == 2, done.stderr
            assert told in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        closed.chmod(0o700)


def test_a_wrong_setting_is_named(picture: Path) -> None:
    done = run("find", picture, LOOKALIKE_MAX_IMAGE_BYTES="plenty")
    assert done.returncode == 2
    assert "LOOKALIKE_MAX_IMAGE_BYTES" in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--port", taken.getsockname()[1], "--data-dir", tmp_path)
    assert done.returncode == 2
    assert "Cannot listen on 127.0.0.1" in done.stderr


def test_help_and_version_answer_at_once(picture: Path) -> None:
    assert run("--version").stdout.startswith("lookalike 0.")
    assert "--organize" in run("find", "--help", COLUMNS="120").stdout
