"""Which images a command is about: those of folders that were searched, or of a context of the service."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.serve import DATA_DIR_HELP
from lookalike.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from storage.db import Database, Session

Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--in",
        metavar="PATH",
        help="What `find` was given, --against too; as often as needed.",
        show_default=False,
    ),
]
ContextId = Annotated[
    uuid.UUID | None,
    typer.Option("--context", metavar="ID", help="Or a context of the service.", show_default=False),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP, show_default=False)
]


@contextmanager
def opened(data_dir: Path | None, context: uuid.UUID | None) -> Iterator[Database]:
    """Open the database of `find`; of a context the one that the settings name, unless told otherwise."""
    from cli.data_dir import embedded_settings
    from cli.schema import check_schema, migrate
    from storage.db import Database
    from storage.settings import Settings

    is_embedded = data_dir is not None or context is None
    settings = embedded_settings(data_dir) if is_embedded else Settings.load()
    database = Database(settings.database_url)
    try:
        migrate(database) if is_embedded else check_schema(database)
        yield database
    finally:
        database.dispose()


def context_id(session: Session, folders: list[Path] | None, context: uuid.UUID | None) -> uuid.UUID:
    """Return the context that is meant. Raises InvalidInput, NotFound."""
    from cli.places import Places
    from storage import contexts

    if (context is None) == (not folders):
        raise InvalidInput("Say for which images: --in PATH as for `find`, or --context ID.")
    if context is not None:
        return contexts.get(session, context).id
    places = Places(folders or [])
    found = contexts.of_folder(session, places.key)
    if found is None:
        raise NotFound(f"{places.name} has not been searched yet: run `lookalike find` on it first.")
    return found.id
