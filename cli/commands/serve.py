"""`lookalike serve`: the API, a worker and a private broker in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HOST_HELP = "Address to listen on; 0.0.0.0 lets other machines in."
DATA_DIR_HELP = "Where features and results are kept; your own data folder if not given."


def serve(
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8080,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP, show_default=False)
    ] = None,
) -> None:
    """Serve the HTTP API on this machine: broker, worker and database in one command. Ctrl-C stops it."""
    from cli.data_dir import embedded_settings
    from cli.http import listening, run, url_of

    settings = embedded_settings(data_dir)
    with listening(host, port) as listener:
        from cli import wiring

        wiring.log_to_standard_error(settings.log_level)
        with wiring.embedded(settings, attach=False) as parts:
            _announce(url_of(listener), settings.data_dir)
            run(parts, listener)


def _announce(url: str, data_dir: Path) -> None:
    typer.echo(
        f"Lookalike serves {url} (documentation: {url}/docs), data in {data_dir}. Ctrl-C stops it.", err=True
    )
