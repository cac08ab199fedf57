"""The database's tables, looked at before anything else begins."""

from __future__ import annotations

from lookalike.errors import Unavailable
from storage.db import Database


def check_schema(database: Database) -> None:
    """Raise Unavailable unless the database answers and has the tables of this version."""
    try:
        is_current = database.schema_is_current()
    except Exception as error:
        raise Unavailable(_unreachable(error)) from error
    if not is_current:
        raise Unavailable("The database's tables are not of this version: run `lookalike migrate` first.")


def migrate(database: Database) -> None:
    """Bring the tables up to date, or raise Unavailable."""
    try:
        if not database.schema_is_current():
            database.migrate()
    except Exception as error:
        raise Unavailable(_unreachable(error)) from error


def _unreachable(error: Exception) -> str:
    # The first line names the cause; what follows is SQLAlchemy's advice to programmers.
    cause = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"The database cannot be used: {cause}. Is LOOKALIKE_DATABASE_URL (or the data directory) right?"
