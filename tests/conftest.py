"""Real parts for the tests: databases, a blob store, a broker. Each test has them for itself."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.blobs import Blobs
from storage.db import Database
from storage.settings import PREFIX, Settings
from tests import servers


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables that the migrations build."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.Postgresql]:
    with servers.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgresql: servers.Postgresql) -> Iterator[str]:
    """The name of a PostgreSQL database with the tables that the migrations build."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    postgresql.execute(f"CREATE DATABASE {name}")
    database = Database(postgresql.url_of(name))
    database.migrate()
    database.dispose()
    yield name
    postgresql.execute(f"DROP DATABASE {name}")


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    path = tmp_path / "lookalike.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: servers.Postgresql, migrated_template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield postgresql.url_of(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.dispose()


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database; the test runs once on each of the two."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"))


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """A private broker, shared by all tests: use names of your own, or flush it."""
    with servers.broker() as url:
        yield url


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    """Settings of an embedded installation with an empty, migrated SQLite database."""
    return Settings.load(data_dir=tmp_path, database_url=sqlite_url, blob_url=str(tmp_path / "blobs"))
