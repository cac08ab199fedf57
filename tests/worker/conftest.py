"""Installations with a running worker, shared by the tests of a module where they do not kill it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.settings import Settings
from tests import servers
from tests.worker.installations import Installation, installed


@pytest.fixture
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation of its own, without a worker; on SQLite unless the test says otherwise."""
    url = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    with servers.broker() as broker_url:
        settings = Settings.load(data_dir=tmp_path / "data", database_url=url, broker_url=broker_url)
        with installed(settings, tmp_path) as made:
            yield made


@pytest.fixture(scope="session")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, postgresql: servers.Postgresql, migrated_template: str
) -> Iterator[Installation]:
    """An installation on PostgreSQL with a worker of two processes: each test has a context for itself."""
    folder = tmp_path_factory.mktemp("lasting")
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    with servers.broker() as broker_url:
        settings = Settings.load(
            data_dir=folder / "data",
            database_url=postgresql.url_of(name),
            broker_url=broker_url,
            allow_private_addresses=True,
            webhooks_over_http=True,
        )
        with installed(settings, folder) as made:
            made.start_worker()
            yield made
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")
