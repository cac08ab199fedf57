from __future__ import annotations

from pathlib import Path

import pytest

from cli.demo import copies
from tests.acceptance.command import ROOT


@pytest.fixture(scope="session")
def demo_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photos with their copies."""
    folder = tmp_path_factory.mktemp("demo")
    copies.make(ROOT / "demo/photos", folder)
    return folder
