from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.command import run
from tests.pictures import jpeg, photo, png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    lake = photo(1)
    (folder / "lake.png").write_bytes(png(lake))
    (folder / "same.png").write_bytes(png(lake))
    (folder / "turned.jpg").write_bytes(jpeg(lake.rotate(90, expand=True)))
    (folder / "hill.jpg").write_bytes(jpeg(photo(2)))
    (folder / "empty.jpg").write_bytes(b"")
    return folder


def test_two_pictures_are_compared_without_leaving_anything_behind(folder: Path, tmp_path: Path) -> None:
    done = run(
        "compare", folder / "lake.png", folder / "turned.jpg", "--json", "-", LOOKALIKE_DATA_DIR=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"similarity", "relation", "transform", "evidence"}
    assert result["relation"] == "rotated"
    assert 90 <= result["similarity"] <= 100
    assert result["transform"]["angle"] == 90.0
    assert list(tmp_path.iterdir()) == []


def test_the_same_bytes_are_an_identical_file(folder: Path) -> None:
    done = run("compare", folder / "lake.png", folder / "same.png")
    assert done.stdout.splitlines() == [
        "100.0  identical file",
        "  The two files are the same, byte for byte.",
    ]


def test_unrelated_pictures_are_called_so(folder: Path) -> None:
    done = run("compare", folder / "lake.png", folder / "hill.jpg")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("unrelated")
    assert "No match." in done.stdout


def test_both_are_drawn_side_by_side(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "both.png"
    done = run("compare", folder / "lake.png", folder / "turned.jpg", "--picture", picture)
    assert done.returncode == 0, done.stderr
    with Image.open(picture) as image:
        assert image.width > 1000
    wrong = run("compare", folder / "lake.png", folder / "turned.jpg", "--picture", tmp_path / "both.txt")
    assert wrong.returncode == 2
    assert "must end with" in wrong.stderr


def test_what_is_no_image_is_told(folder: Path) -> None:
    done = run("compare", folder / "lake.png", folder / "empty.jpg")
    assert done.returncode == 2
    assert "empty.jpg cannot be compared (empty_file)" in done.stderr
