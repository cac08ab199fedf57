from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cli.folders import Folders
from lookalike.errors import InvalidInput


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("photos/a.jpg", "photos/cats/b.jpg", "photos/.hidden/c.jpg", "photos/.d.jpg", "other/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path / "photos"


def _ids(folders: Folders) -> list[str]:
    return [file.image_id for file in folders.files()]


def test_ids_are_relative_to_the_folder_and_hidden_files_are_left_out(photos: Path) -> None:
    assert _ids(Folders([photos])) == ["a.jpg", "cats/b.jpg"]


def test_ids_of_several_places_are_relative_to_their_common_parent(photos: Path) -> None:
    assert _ids(Folders([photos / "cats", photos.parent / "other/e.jpg"])) == [
        "other/e.jpg",
        "photos/cats/b.jpg",
    ]
    assert _ids(Folders([photos, photos / "cats"])) == ["a.jpg", "cats/b.jpg"]
    assert _ids(Folders([photos / "a.jpg"])) == ["a.jpg"]


def test_two_names_of_one_file_are_one_image(photos: Path) -> None:
    (photos / "link.jpg").hardlink_to(photos / "a.jpg")
    (photos / "symlink.jpg").symlink_to(photos / "cats/b.jpg")
    (photos / "outside.jpg").symlink_to(photos.parent / "other/e.jpg")
    (photos / "dangling.jpg").symlink_to(photos / "nothing")
    folders = Folders([photos])
    assert _ids(folders) == ["a.jpg", "outside.jpg", "cats/b.jpg"]
    assert [(error.image_id, error.code) for error in folders.errors] == [("dangling.jpg", "unreadable")]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes no such names")
def test_a_name_that_is_not_text_is_percent_escaped(photos: Path) -> None:
    (photos / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    assert "caf%E9.jpg" in _ids(Folders([photos]))


def test_the_inner_place_decides_whose_an_image_is(photos: Path) -> None:
    inside = Folders([photos / "cats"], against=photos)
    assert {i: inside.is_searched(i) for i in _ids(inside)} == {"a.jpg": False, "cats/b.jpg": True}
    around = Folders([photos], against=photos / "cats")
    assert {i: around.is_searched(i) for i in _ids(around)} == {"a.jpg": True, "cats/b.jpg": False}


def test_the_same_places_have_the_same_key(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert Folders([Path()]).key == Folders([photos / "cats/.."]).key != Folders([photos / "cats"]).key


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no folder or file .*nowhere"):
        Folders([tmp_path / "nowhere"])
