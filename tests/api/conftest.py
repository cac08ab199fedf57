"""Servers for the tests: one without a worker on either database, and one with a worker."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from storage import clients
from storage.blobs import Blobs
from storage.clients import Credentials
from storage.db import Database
from storage.settings import Settings
from tests import servers
from tests.api.serving import serving
from tests.worker.installations import Installation, installed
from worker.celery_app import make_app
from worker.dispatch import Dispatcher

MOST_BYTES = 400_000
METRICS_TOKEN = "the operator's"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker_url: str
) -> Iterator[tuple[httpx.Client, Settings]]:
    """A server on one of the two databases, with no worker. Each test has a context for itself."""
    folder = tmp_path_factory.mktemp(f"served-{request.param}")
    (folder / "import root").mkdir()
    with _database_url(request, folder) as url:
        settings = Settings.load(
            data_dir=folder,
            database_url=url,
            broker_url=broker_url,
            max_image_bytes=MOST_BYTES,
            import_roots=[folder / "import root"],
        )
        database = Database(url)
        dispatcher = Dispatcher(database, make_app(broker_url, settings))
        with serving(create_app(settings, database, Blobs(settings.blob_url), dispatcher)) as client:
            yield client, settings
        database.dispose()


@contextmanager
def _database_url(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), folder / "lookalike.db")
        yield f"sqlite:///{folder / 'lookalike.db'}"
        return
    server: servers.Postgresql = request.getfixturevalue("postgresql")
    name = f"api_{uuid.uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('migrated_template')}")
    yield server.url_of(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Guarded:
    """A server with accounts; `stranger` has none."""

    app: FastAPI
    settings: Settings
    database: Database
    stranger: httpx.Client
    known: dict[str, httpx.Client]

    def add(self, name: str, *import_roots: Path) -> Credentials:
        """Make a client."""
        with self.database.transaction() as session:
            return clients.add(session, name, [str(root) for root in import_roots])

    def let_in(self, name: str, given: Credentials | None = None) -> httpx.Client:
        """Return an HTTP client with a token; for one name always the same."""
        if name not in self.known:
            made = given or self.add(name)
            body = {
                "grant_type": "client_credentials",
                "client_id": made.client.id,
                "client_secret": made.secret,
            }
            token = self.stranger.post("/connect/token", data=body).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            self.known[name] = httpx.Client(base_url=self.stranger.base_url, headers=headers, timeout=60)
        return self.known[name]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker_url: str
) -> Iterator[Guarded]:
    """A server with accounts on one of the two databases, with no worker."""
    folder = tmp_path_factory.mktemp(f"guarded-{request.param}")
    (folder / "import root").mkdir()
    with _database_url(request, folder) as url:
        settings = Settings.load(
            data_dir=folder,
            database_url=url,
            broker_url=broker_url,
            auth="clients",
            metrics_token=METRICS_TOKEN,
            import_roots=[folder / "import root"],
        )
        database = Database(url)
        dispatcher = Dispatcher(database, make_app(broker_url, settings))
        app = create_app(settings, database, Blobs(settings.blob_url), dispatcher)
        with serving(app) as stranger, ExitStack() as stack:
            made = Guarded(app, settings, database, stranger, {})
            yield made
            for client in made.known.values():
                stack.callback(client.close)
        database.dispose()


@pytest.fixture
def client(served: tuple[httpx.Client, Settings]) -> httpx.Client:
    return served[0]


@pytest.fixture
def import_root(served: tuple[httpx.Client, Settings]) -> Path:
    return served[1].import_roots[0]


@pytest.fixture
def context(client: httpx.Client) -> str:
    """The path of an empty context."""
    return make_context(client)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Installation]:
    """An installation with a worker of two processes, for all tests of the API."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copyfile(migrated_file, folder / "lookalike.db")
    with servers.broker() as broker_url:
        settings = Settings.load(
            data_dir=folder,
            database_url=f"sqlite:///{folder / 'lookalike.db'}",
            broker_url=broker_url,
            import_roots=[folder],
        )
        with installed(settings, folder) as made:
            made.start_worker()
            yield made


@pytest.fixture(scope="session")
def working(installation: Installation) -> Iterator[httpx.Client]:
    """A client of a server whose jobs are worked on."""
    settings = installation.settings
    blobs = Blobs(settings.blob_url)
    app = create_app(settings, installation.database, blobs, installation.dispatcher)
    with serving(app) as client:
        yield client


def make_context(client: httpx.Client, **values: object) -> str:
    made = client.post("/v1/contexts", json={"name": "pictures", **values})
    assert made.status_code == 201, made.text
    return made.headers["Location"]
