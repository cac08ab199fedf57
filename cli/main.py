"""The `lookalike` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.commands.clients import clients
from cli.commands.compare import compare
from cli.commands.decisions import decisions
from cli.commands.differences import differences
from cli.commands.find import find
from cli.commands.schedules import schedules
from cli.commands.serve import serve
from cli.commands.servers import api, migrate, worker
from cli.commands.webhooks import webhooks
from lookalike.errors import LookalikeError

# Light imports only, here and at the top of the commands: `--help` must answer at once.

app = typer.Typer(
    name="lookalike",
    help="Find exact and near-duplicate images in large collections.",
    epilog="Start with: lookalike find FOLDER. Files are never changed, copied or removed unless you ask.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"lookalike {version('lookalike')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


on_this_machine = "On this machine, nothing to install beside it"
with_servers = "With PostgreSQL and a Redis-compatible broker (settings: LOOKALIKE_… in the environment)"

app.command(rich_help_panel=on_this_machine)(find)
app.command(rich_help_panel=on_this_machine)(compare)
app.command(rich_help_panel=on_this_machine)(serve)
app.command(rich_help_panel=on_this_machine)(differences)
app.add_typer(decisions, name="decisions", rich_help_panel=on_this_machine)
app.add_typer(schedules, name="schedules", rich_help_panel=on_this_machine)
app.add_typer(webhooks, name="webhooks", rich_help_panel=on_this_machine)
app.command(rich_help_panel=with_servers)(api)
app.command(rich_help_panel=with_servers)(worker)
app.command(rich_help_panel=with_servers)(migrate)
app.add_typer(clients, name="clients", rich_help_panel="Accounts, on one machine or with servers")


def main() -> None:
    """Run the command; what a user can mend is told in a sentence, with exit code 2."""
    try:
        app()
    except LookalikeError as error:
        typer.echo(f"lookalike: {error.detail}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
