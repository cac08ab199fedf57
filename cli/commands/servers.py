"""`lookalike api`, `worker` and `migrate`: one role a process, with PostgreSQL and a broker of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from storage.settings import Settings


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
) -> None:
    """Serve the HTTP API. Workers run elsewhere: start at least one `lookalike worker`."""
    from cli import http, wiring

    settings = _settings_for_servers()
    with wiring.connected(settings) as parts:
        http.run(parts, host, port)


def worker(
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes of this worker; the number of cores if not given.")
    ] = None,
) -> None:
    """Work on jobs. Start as many as you like, on as many machines as you like."""
    from cli import wiring

    settings = _settings_for_servers(**({"worker_processes": processes} if processes else {}))
    wiring.work(settings)


def migrate() -> None:
    """Bring the database's tables up to date. Safe to repeat; run it before the other two."""
    from storage.db import Database
    from storage.settings import Settings

    database = Database(Settings.load().database_url)
    try:
        database.migrate()
    except Exception as error:
        raise Unavailable(f"The database cannot be brought up to date: {error}") from error
    finally:
        database.dispose()
    typer.echo("The database is up to date.", err=True)


def _settings_for_servers(**values: int) -> Settings:
    from storage.settings import Settings

    settings = Settings.load(**values)
    if settings.is_embedded:
        raise InvalidInput(
            "LOOKALIKE_BROKER_URL is not set, such as redis://localhost:6379/0. "
            "To run everything on this machine without a broker of your own, use `lookalike serve`."
        )
    return settings
