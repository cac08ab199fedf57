from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def data_dir(tmp_path: Path, migrated_file: Path) -> Path:
    """A data directory with an empty, migrated database."""
    shutil.copyfile(migrated_file, tmp_path / "lookalike.db")
    return tmp_path
