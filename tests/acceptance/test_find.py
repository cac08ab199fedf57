"""`lookalike find` on drawn pictures, from the command line to the files it writes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import COMMAND, PATIENCE_SECONDS, environment, run
from tests.pictures import jpeg, photo, png, webp


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures with copies, two without, and what else lies about in folders."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "trip").mkdir()
    lake, hill = photo(1), photo(2)
    (folder / "lake.png").write_bytes(png(lake))
    (folder / "trip/lake small.webp").write_bytes(webp(lake.resize((320, 240))))
    (folder / "trip/lake.jpg").write_bytes(jpeg(lake, quality=60))
    (folder / "hill.jpg").write_bytes(jpeg(hill))
    shutil.copy(folder / "hill.jpg", folder / "hill (1).jpg")
    for seed in (3, 4):
        (folder / f"single{seed}.jpg").write_bytes(jpeg(photo(seed)))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.png").write_bytes(png(photo(5))[:2000])
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".thumbnail.jpg").write_bytes(jpeg(lake))
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for the module: later searches know what earlier ones learnt."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def first(photos: Path, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return run("find", photos, "--data-dir", data_dir, "--json", data_dir / "first.json")


def _groups(result: dict[str, Any]) -> list[set[str]]:
    return sorted(({i["image_id"] for i in group["images"]} for group in result["groups"]), key=sorted)


HILLS = {"hill.jpg", "hill (1).jpg"}
LAKES = {"lake.png", "trip/lake.jpg", "trip/lake small.webp"}


def test_a_search_finds_the_groups_and_writes_them(
    first: subprocess.CompletedProcess[str], data_dir: Path
) -> None:
    assert first.returncode == 0, first.stderr
    result = json.loads((data_dir / "first.json").read_text())
    assert result["threshold"] == 90.0
    assert result["image_count"] == 9
    assert _groups(result) == [HILLS, LAKES]
    lake = next(group["images"] for group in result["groups"] if len(group["images"]) == 3)
    assert (lake[0]["image_id"], lake[0]["similarity"], lake[0]["relation"]) == (
        "lake.png",
        100.0,
        "original",
    )
    assert all(90 <= image["similarity"] <= 100 for image in lake)
    hill = next(group["images"] for group in result["groups"] if len(group["images"]) == 2)
    assert (hill[1]["similarity"], hill[1]["relation"]) == (100.0, "identical_file")
    codes = {error["image_id"]: error["code"] for error in result["errors"]}
    assert codes == {"empty.jpg": "empty_file", "cut.png": "corrupt_image", "notes.txt": "not_an_image"}
    assert all(error["detail"] for error in result["errors"])


def test_the_table_is_on_standard_output_and_a_pipe_gets_no_progress_bars(
    first: subprocess.CompletedProcess[str],
) -> None:
    assert "lake.png" in first.stdout
    assert "identical file" in first.stdout
    assert "2 groups with 3 copies" in first.stdout
    assert "2 files could not be looked at: 1 corrupt image, 1 empty file" in first.stdout
    assert "1 other file passed over" in first.stdout
    assert "\x1b" not in first.stdout + first.stderr


def test_files_are_left_as_they_are(
    first: subprocess.CompletedProcess[str], photos: Path, data_dir: Path
) -> None:
    assert len(list(photos.rglob("*"))) == 12
    content = data_dir / "blobs/content"
    assert not content.exists() or not any(path.is_file() for path in content.rglob("*"))


@pytest.mark.usefixtures("first")
def test_a_second_search_extracts_only_what_is_new(photos: Path, data_dir: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    (moved / "new.jpg").write_bytes(jpeg(photo(6)))
    before = _blocks(data_dir)
    done = run("find", moved, "--data-dir", data_dir, "--json", "-")
    assert done.returncode == 0, done.stderr
    assert _groups(json.loads(done.stdout)) == [HILLS, LAKES]
    assert _blocks(data_dir) - before == 1
    assert "Since the last search" not in done.stderr
    # The same place once more, with one new group and one that has grown.
    shutil.copyfile(moved / "new.jpg", moved / "newer.jpg")
    shutil.copyfile(moved / "lake.png", moved / "lake-again.png")
    done = run("find", moved, "--data-dir", data_dir)
    assert "Since the last search: 1 group new, 1 group changed." in done.stdout


def _blocks(data_dir: Path) -> int:
    """How many images were ever extracted."""
    import sqlite3

    with sqlite3.connect(f"file:{data_dir / 'lookalike.db'}?mode=ro", uri=True) as connection:
        (count,) = connection.execute("SELECT coalesce(sum(image_count), 0) FROM feature_blocks").fetchone()
    connection.close()
    return int(count)


@pytest.mark.usefixtures("first")
def test_against_shows_what_the_other_collection_has(photos: Path, data_dir: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / "from-phone.jpg").write_bytes((photos / "trip/lake.jpg").read_bytes())
    (new / "twice.jpg").write_bytes(png(photo(7)))
    (new / "twice-again.jpg").write_bytes(png(photo(7)))
    done = run("find", new, "--against", photos, "--data-dir", data_dir, "--json", "-")
    assert done.returncode == 0, done.stderr
    (group,) = _groups(json.loads(done.stdout))
    assert {Path(image_id).name for image_id in group} == {Path(name).name for name in LAKES} | {
        "from-phone.jpg"
    }


@pytest.mark.usefixtures("first")
def test_originals_and_copies_are_organized_apart(photos: Path, data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "sorted"
    arguments = ("find", photos, "--data-dir", data_dir, "--organize", target, "--link")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    placed = {path.relative_to(target).as_posix() for path in target.rglob("*.*") if path.suffix != ".jsonl"}
    originals = {name.removeprefix("originals/") for name in placed if name.startswith("originals/")}
    copies = {name.split("/", 2)[2] for name in placed if name.startswith("copies/")}
    assert originals | copies == HILLS | LAKES
    assert len(originals) == 2
    assert "lake.png" in originals
    assert (target / "originals/lake.png").samefile(photos / "lake.png")
    again = run(*arguments)
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_an_empty_folder_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("find", tmp_path / "empty", "--data-dir", tmp_path / "data", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"threshold": 90.0, "image_count": 0, "errors": [], "groups": []}
    assert "no files" in done.stderr


def test_a_file_that_is_no_picture_is_told_to_be_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    done = run("find", tmp_path / "notes.txt", "--data-dir", tmp_path / "data")
    assert (done.returncode, "1 other file passed over" in done.stdout) == (0, True), done.stderr


def test_ctrl_c_cancels_the_job_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    # One picture in as many files, each with bytes of its own behind it: every pair has to be compared.
    picture = jpeg(photo(1))
    for number in range(150):
        (folder / f"{number}.jpg").write_bytes(picture + bytes([number]))
    arguments = ["find", str(folder), "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Where the tests run in the background, Ctrl-C is ignored, and who is ignored hands it on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    _wait_for_job(tmp_path / "data/lookalike.db", process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "ancelled" in told
    assert _rows(tmp_path / "data/lookalike.db", "SELECT state FROM jobs") == [("cancelled",)]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def _wait_for_job(database: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if database.exists() and _rows(database, "SELECT state FROM jobs WHERE state = 'running'"):
            return
        time.sleep(0.02)


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    import sqlite3

    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()
