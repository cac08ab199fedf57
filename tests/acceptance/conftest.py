from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo import copies
from tests.acceptance import services
from tests.acceptance.command import ROOT
from tests.acceptance.services import Service


@pytest.fixture(scope="session")
def demo_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photos with their copies."""
    folder = tmp_path_factory.mktemp("demo")
    copies.make(ROOT / "demo/photos", folder)
    return folder


@pytest.fixture(scope="session", params=["open", "clients"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`lookalike serve` without accounts, and with them."""
    with services.serving(request.param, tmp_path_factory.mktemp(f"aspose-{request.param}")) as running:
        yield running
