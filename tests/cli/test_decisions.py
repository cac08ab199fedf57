"""`lookalike decisions`, on a data directory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.places import Places
from lookalike.errors import InvalidInput, NotFound
from storage import contexts, images
from storage.db import Database
from tests.storage import samples
from tests.storage.test_groups import new_groups


@pytest.fixture
def data_dir(tmp_path: Path, migrated_file: Path) -> Path:
    (tmp_path / "data").mkdir()
    shutil.copyfile(migrated_file, tmp_path / "data/lookalike.db")
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """A folder that has been searched, with two files in it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_text(name)
    database = Database(f"sqlite:///{data_dir / 'lookalike.db'}")
    with database.transaction() as session:
        contexts.for_folder(session, Places([folder]).key, name="photos")
    database.dispose()
    return folder


def run(data_dir: Path, *words: object) -> str:
    arguments = ["decisions", *map(str, words), "--data-dir", str(data_dir)]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout.strip()


def test_decisions_are_added_listed_carried_and_taken_back(data_dir: Path, folder: Path) -> None:
    pair = (folder / "a.jpg", folder / "b.jpg", "--in", folder)
    run(data_dir, "add", "keep_both", *pair, "--note", "Both are good")
    listed = run(data_dir, "list", "--in", folder)
    assert "keep_both" in listed
    assert listed.endswith("# Both are good")
    head, line = run(data_dir, "export", "-", "--in", folder).splitlines()
    assert json.loads(head) == {"format": "lookalike-decisions", "version": 1}
    assert json.loads(line)["verdict"] == "keep_both"
    run(data_dir, "export", folder.parent / "kept.jsonl", "--in", folder)
    run(data_dir, "remove", *pair)
    assert run(data_dir, "list", "--in", folder) == ""
    run(data_dir, "import", folder.parent / "kept.jsonl", "--in", folder)
    assert run(data_dir, "list", "--in", folder).split()[1:] == listed.split()[1:]


def test_what_is_asked_wrongly_is_told(data_dir: Path, folder: Path) -> None:
    a, b = folder / "a.jpg", folder / "b.jpg"
    with pytest.raises(NotFound, match="has not been searched yet"):
        run(data_dir, "add", "keep_both", a, b, "--in", folder.parent)
    with pytest.raises(InvalidInput, match="--in PATH"):
        run(data_dir, "add", "keep_both", a, b)
    with pytest.raises(InvalidInput, match="at least two images"):
        run(data_dir, "add", "keep_both", a, a, "--in", folder)
    twin = folder / "twin.jpg"
    twin.write_bytes(a.read_bytes())
    with pytest.raises(InvalidInput, match="byte for byte"):
        run(data_dir, "add", "not_duplicates", a, twin, "--in", folder)
    with pytest.raises(InvalidInput, match="not_duplicates, keep_both"):
        run(data_dir, "add", "perhaps", a, b, "--in", folder)


def test_what_the_last_search_changed_is_shown(data_dir: Path, folder: Path) -> None:
    def differences(*words: str) -> str:
        arguments = ["differences", "--in", str(folder), "--data-dir", str(data_dir), *words]
        result = CliRunner().invoke(app, arguments)
        if result.exception is not None:
            raise result.exception
        return result.stdout.strip()

    with pytest.raises(NotFound, match="Nothing has been searched yet"):
        differences()
    database = Database(f"sqlite:///{data_dir / 'lookalike.db'}")
    with database.reading() as session:
        found = contexts.of_folder(session, Places([folder]).key)
        assert found is not None
    samples.add_images(database, found.id, "a.jpg", "b.jpg")
    with database.transaction() as session:
        rows = [images.get(session, found.id, name).id for name in ("a.jpg", "b.jpg")]
        job_id = samples.add_job(session, found.id)
        pair = [(rows[0], 1000, "original", 0), (rows[1], 990, "resized", 0)]
        samples.publish(session, job_id, 900, new_groups(pair, reclaimable=[1]))
    database.dispose()
    assert differences().split("  ")[1:] == ["new", "0 → 2 images", "a.jpg, b.jpg"]
    assert differences("--change", "gone") == ""
    with pytest.raises(InvalidInput, match="A change is one of"):
        differences("--change", "odd")
