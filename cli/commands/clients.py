"""`lookalike clients`: who may ask a server that has accounts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.report import counted
from lookalike.errors import InvalidInput

if TYPE_CHECKING:
    from storage.clients import Credentials
    from storage.db import Database
    from storage.models import Client

ID_LENGTH = 36
PIPE_WIDTH = 200

clients = typer.Typer(
    help="Add, list, renew and revoke the clients of a server that has accounts (LOOKALIKE_AUTH=clients).",
    no_args_is_help=True,
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data directory of `lookalike serve`; else LOOKALIKE_DATABASE_URL, or your own data folder.",
        show_default=False,
    ),
]
ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="As `lookalike clients list` shows it.")]
ImportRoots = Annotated[
    list[str] | None,
    typer.Option(
        "--import-root",
        metavar="DIR|URL",
        help="A folder on the server under one of LOOKALIKE_IMPORT_ROOTS, or what URLs begin with as in "
        "LOOKALIKE_IMPORT_URLS, that this client may import from. "
        "May be given several times; without it, none.",
        show_default=False,
    ),
]


@clients.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it: a person, a program.")],
    import_roots: ImportRoots = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Give it the contexts that were made without accounts.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a client, and print its id and its secret. The secret is shown this once."""
    from storage import clients as stored

    roots = [_root(each) for each in import_roots or []]
    with _database(data_dir) as database:
        with database.transaction() as session:
            made = stored.add(session, name, roots)
            adopted = stored.adopt(session, made.client.id) if adopt else 0
        _show(made)
        if adopt:
            typer.echo(f"It has {counted(adopted, 'context')} made without accounts.", err=True)


@clients.command("list")
def list_clients(data_dir: DataDir = None) -> None:
    """List all clients, oldest first. Secrets are not kept, so they cannot be shown."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from storage import clients as stored

    with _database(data_dir) as database, database.reading() as session:
        found = stored.listed(session)
    if not found:
        typer.echo("There are no clients yet: `lookalike clients add NAME` makes one.", err=True)
        return
    table = Table(box=None, pad_edge=False)
    # Never cut: it is there to be copied.
    table.add_column("client id", no_wrap=True, min_width=ID_LENGTH)
    for heading in ("name", "state", "contexts", "may import from"):
        table.add_column(heading, overflow="fold")
    for client, context_count in found:
        roots = "\n".join(client.import_roots) or "nothing"
        table.add_row(client.id, Text(client.name), _state(client), f"{context_count:,}", Text(roots))
    # In a pipe there is no screen to fit into.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


@clients.command()
def revoke(client_id: ClientId, data_dir: DataDir = None) -> None:
    """Let a client in no more: its secret, tokens and browsers' sessions end at once. Its contexts stay."""
    from storage import clients as stored

    with _database(data_dir) as database, database.transaction() as session:
        client = stored.revoke(session, client_id)
    typer.echo(f"{client.name!r} is let in no more; `lookalike clients renew` would undo it.", err=True)


@clients.command()
def renew(client_id: ClientId, data_dir: DataDir = None) -> None:
    """Print a new secret of a client; the old one, and all that it opened, end at once."""
    from storage import clients as stored

    with _database(data_dir) as database:
        with database.transaction() as session:
            renewed = stored.renew(session, client_id)
        _show(renewed)


@clients.command()
def imports(
    client_id: ClientId,
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR|URL]...", help="Folders on the server, URLs.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Say from which folders and URLs a client may import, in place of those before; from none if none."""
    from storage import clients as stored

    roots = [_root(each) for each in folders or []]
    with _database(data_dir) as database, database.transaction() as session:
        client = stored.give_import_roots(session, client_id, roots)
    told = f"{client.name!r} may import from {', '.join(roots) or 'nowhere'}."
    typer.echo(f"{told} LOOKALIKE_IMPORT_ROOTS or _URLS must allow it too." if roots else told, err=True)


def _show(made: Credentials) -> None:
    # Standard output is what a shell can read: eval "$(lookalike clients add phone)"
    typer.echo(f"client_id={made.client.id}\nclient_secret={made.secret}")
    typer.echo(
        f"Keep the secret of {made.client.name!r} now: it is not stored, and not shown again. "
        "POST /connect/token gives a token for both.",
        err=True,
    )


def _state(client: Client) -> str:
    if client.revoked_at is not None:
        return f"revoked {client.revoked_at:%Y-%m-%d}"
    return f"since {client.created_at:%Y-%m-%d}"


def _root(given: str) -> str:
    if "://" in given:
        return given
    if not Path(given).expanduser().is_absolute():
        raise InvalidInput(f"The import root {given} is neither an absolute path on the server nor a URL.")
    return str(Path(given).expanduser())


@contextmanager
def _database(data_dir: Path | None) -> Iterator[Database]:
    """Give the database of a data directory, or the one that the environment names."""
    from cli.data_dir import embedded_settings
    from cli.schema import check_schema, migrate
    from storage.db import Database
    from storage.settings import Settings

    settings = Settings.load() if data_dir is None else embedded_settings(data_dir)
    is_own = settings.database_url == f"sqlite:///{settings.data_dir / 'lookalike.db'}"
    database = Database(settings.database_url)
    try:
        # As `serve` does; a server's tables are the business of `lookalike migrate`.
        (migrate if is_own else check_schema)(database)
        yield database
    finally:
        database.dispose()
