"""The database of a service, for commands that look after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.serve import DATA_DIR_HELP

if TYPE_CHECKING:
    from storage.db import Database
    from storage.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP, show_default=False)
]


@contextmanager
def opened(data_dir: Path | None) -> Iterator[tuple[Settings, Database]]:
    """Give the settings and the database that they name; the data directory's if they name none."""
    from cli.schema import check_schema
    from storage.db import Database
    from storage.settings import Settings
    from worker import logs

    logs.set_up("error")
    settings = Settings.load(**({"data_dir": data_dir} if data_dir else {}))
    database = Database(settings.database_url)
    try:
        check_schema(database)
        yield settings, database
    finally:
        database.dispose()
