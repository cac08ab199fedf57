"""`lookalike api`, `worker` and `migrate`: one role a process, with PostgreSQL and a broker of your own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.serve import HOST_HELP, OpenToEverybody
from lookalike.errors import InvalidInput

if TYPE_CHECKING:
    from storage.settings import Settings


def api(
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    open_to_everybody: OpenToEverybody = False,
) -> None:
    """Serve the HTTP API. Workers run elsewhere: start at least one `lookalike worker`."""
    settings, broker_url = _settings_for_servers()
    from cli.http import listening, run

    with listening(host, port, settings, is_open=open_to_everybody) as listener:
        from cli import wiring

        wiring.log_to_standard_error(settings.log_level)
        with wiring.connected(settings, broker_url) as parts:
            run(parts, listener)


def worker(
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes of this worker; the number of cores if not given.", show_default=False
        ),
    ] = None,
) -> None:
    """Work on jobs. Start as many as you like, on as many machines as you like."""
    if processes:
        os.environ["LOOKALIKE_WORKER_PROCESSES"] = str(processes)
    settings, _ = _settings_for_servers()
    from cli.schema import check_schema
    from storage.db import Database

    database = Database(settings.database_url)
    check_schema(database)
    database.dispose()
    # Not at the top: it tells Celery how to stop before Celery is imported.
    from worker import process

    raise typer.Exit(process.main())


def migrate() -> None:
    """Bring the database's tables up to date. Safe to repeat; run it before the other two."""
    from cli import schema
    from storage.db import Database
    from storage.settings import Settings

    database = Database(Settings.load().database_url)
    try:
        schema.migrate(database)
    finally:
        database.dispose()
    typer.echo("The database's tables are up to date.", err=True)


def _settings_for_servers() -> tuple[Settings, str]:
    from storage.settings import Settings

    settings = Settings.load()
    if settings.broker_url is None:
        raise InvalidInput(
            "LOOKALIKE_BROKER_URL is not set; it names a broker, such as redis://localhost:6379/0. "
            "To run everything on this machine without one, use `lookalike serve`."
        )
    return settings, settings.broker_url
