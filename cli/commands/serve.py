"""`lookalike serve`: the API, a worker and a private broker in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.settings import Settings

HOST_HELP = (
    "Address to listen on; 0.0.0.0 lets other machines in, and needs accounts: LOOKALIKE_AUTH=clients."
)
OPEN_HELP = "Serve without accounts on any address: whoever reaches it may read and delete everything."

OpenToEverybody = Annotated[bool, typer.Option("--open-to-everybody", help=OPEN_HELP)]
DATA_DIR_HELP = "Where features and results are kept; your own data folder if not given."


def serve(
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8080,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP, show_default=False)
    ] = None,
    open_to_everybody: OpenToEverybody = False,
) -> None:
    """Serve the HTTP API on this machine: broker, worker and database in one command. Ctrl-C stops it."""
    from cli.data_dir import embedded_settings
    from cli.http import listening, run, url_of

    settings = embedded_settings(data_dir)
    with listening(host, port, settings, is_open=open_to_everybody) as listener:
        from cli import wiring

        wiring.log_to_standard_error(settings.log_level)
        with wiring.embedded(settings, attach=False) as parts:
            _announce(url_of(listener), settings)
            run(parts, listener)


def _announce(url: str, settings: Settings) -> None:
    asked = "asks for a client's id and secret" if settings.auth == "clients" else "asks nobody who they are"
    typer.echo(
        f"Lookalike serves {url} (documentation: {url}/docs) and {asked}; data in {settings.data_dir}. "
        "Ctrl-C stops it.",
        err=True,
    )
