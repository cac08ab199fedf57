from __future__ import annotations

from pathlib import Path

import pytest

from cli.places import Places
from lookalike.errors import InvalidInput


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos/cats").mkdir(parents=True)
    return tmp_path / "photos"


def test_the_inner_place_decides_whose_an_image_is(photos: Path) -> None:
    dog, cat = photos / "dog.jpg", photos / "cats/cat.jpg"
    inside = Places([photos / "cats"], against=photos)
    assert [inside.is_searched(path) for path in (dog, cat)] == [False, True]
    around = Places([photos], against=photos / "cats")
    assert [around.is_searched(path) for path in (dog, cat)] == [True, False]


def test_the_same_places_have_the_same_key(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert Places([Path()]).key == Places([photos / "cats/..", photos]).key != Places([photos / "cats"]).key


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no folder or file .*nowhere"):
        Places([tmp_path / "nowhere"])
