from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.errors import InvalidInput
from storage.settings import Settings


def test_everything_lies_in_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/lookalike.db"
    assert settings.blob_url == f"{tmp_path}/blobs"
    assert settings.is_embedded


def test_import_roots_are_separated_like_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.setenv("LOOKALIKE_IMPORT_ROOTS", f"{tmp_path}/a:{tmp_path}/b")
    assert Settings.load().import_roots == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_IMAGE_BYTES", "many"),
        ("MAX_IMAGE_PIXELS", "0"),
        ("AUTH", "maybe"),
        ("IMPORT_ROOTS", "/no/such/folder"),
        ("DATABASE_URL", "mysql://host/name"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LOOKALIKE_{name}", value)
    with pytest.raises(InvalidInput, match=f"LOOKALIKE_{name}"):
        Settings.load()
