"""The parts put together: embedded on one machine, or connected to servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cli.schema import check_schema, migrate
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from worker import logs
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.embedded import Embedded


@dataclass(frozen=True)
class Parts:
    """What the API and the commands work with."""

    settings: Settings
    database: Database
    blobs: Blobs
    dispatcher: Dispatcher


@contextmanager
def embedded(settings: Settings, *, attach: bool) -> Iterator[Parts]:
    """Run a private broker and worker, or join those of the process that has the data directory."""
    database = Database(settings.database_url)
    try:
        migrate(database)
        with Embedded(settings, attach=attach) as children:
            yield _parts(settings, database, children.broker_url)
    finally:
        database.dispose()


@contextmanager
def connected(settings: Settings, broker_url: str) -> Iterator[Parts]:
    """Use the database and broker that the settings name."""
    database = Database(settings.database_url)
    try:
        check_schema(database)
        yield _parts(settings, database, broker_url)
    finally:
        database.dispose()


def log_to_standard_error(level: str) -> None:
    """Keep log lines out of standard output, which is for results."""
    logs.set_up(level)


def _parts(settings: Settings, database: Database, broker_url: str) -> Parts:
    dispatcher = Dispatcher(database, make_app(broker_url, settings), expiry_days=settings.job_expiry_days)
    return Parts(settings, database, Blobs(settings.blob_url), dispatcher)
