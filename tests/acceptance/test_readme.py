"""The README's walk through the API, run as it stands, against `lookalike serve`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import ROOT, environment, free_port, run, running, wait_until_ready
from tests.pictures import jpeg, photo

needs_curl = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"
)


def walkthrough() -> str:
    """The block of the README that the comment above it marks."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(
        r"test_readme\.py runs this block as it stands\. -->\n```sh\n(.*?)```", text, re.DOTALL
    )
    return str(block)


def walk(url: str, photos: Path, **variables: str) -> list[Any]:
    """Run the block with bash, and return the JSON values that it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", walkthrough()],
        env=environment(SERVER=url, PHOTOS=str(photos), **variables),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return list(_values(done.stdout))


def _values(text: str) -> Iterator[Any]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        yield value
        position = end + len(text[end:]) - len(text[end:].lstrip())


def check(values: list[Any]) -> None:
    """The walk's answers, in the order in which the README asks."""
    upload, image, job, groups, closer, errors = values
    assert (upload["kind"], upload["state"]) == ("extract_features", "succeeded")
    assert image["image_id"] == "cafe/coffee.jpg"
    assert (job["kind"], job["state"]) == ("find_duplicates", "succeeded")
    found = sorted(sorted(i["image_id"] for i in group["images"]) for group in groups["items"])
    assert found == [["cafe/coffee.jpg", "coffee.png"], ["cat-half.webp", "cat.jpg"]]
    assert all(group["images"][0]["relation"] == "original" for group in groups["items"])
    assert ["cafe/coffee.jpg", "coffee.png"] in [
        sorted(i["image_id"] for i in group["images"]) for group in closer["items"]
    ]
    assert errors["items"] == []


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`lookalike serve` on a port of its own."""
    port, log = free_port(), tmp_path_factory.mktemp("log") / "serve.log"
    with running("serve", "--port", port, "--data-dir", data_dir, log=log, env=environment()) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        yield url


@needs_curl
def test_the_walk_through_runs_as_written(server: str, demo_photos: Path) -> None:
    check(walk(server, demo_photos))


def test_a_second_server_on_one_data_directory_is_refused(server: str, data_dir: Path) -> None:
    done = run("serve", "--port", free_port(), "--data-dir", data_dir)
    assert done.returncode == 2, done.stderr
    assert str(data_dir) in done.stderr
    assert "already serves" in done.stderr
    assert re.search(r"process \d+", done.stderr)


def test_a_search_joins_the_server_that_owns_the_data_directory(
    server: str, data_dir: Path, tmp_path: Path
) -> None:
    for name, quality in (("a.jpg", 90), ("b.jpg", 70)):
        (tmp_path / name).write_bytes(jpeg(photo(1), quality=quality))
    done = run("find", tmp_path, "--data-dir", data_dir, "--json", "-")
    assert done.returncode == 0, done.stderr
    (group,) = json.loads(done.stdout)["groups"]
    assert {image["image_id"] for image in group["images"]} == {"a.jpg", "b.jpg"}


def test_a_server_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    with running(
        "serve", "--port", port, "--data-dir", tmp_path / "data", log=log, env=environment()
    ) as process:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        broker = Path(json.loads((tmp_path / "data/embedded.json").read_text())["folder"])
        assert broker.exists()
    assert process.returncode == 0
    assert not broker.exists()
    assert not (tmp_path / "data/embedded.json").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_the_demo_finds_what_it_should(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.demo", str(tmp_path)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "As expected: 5 groups" in done.stdout
