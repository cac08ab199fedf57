"""The schema in the database against the models, through Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import migrations
from storage.models import Base

# Any number will do, as long as nothing else on this database uses it.
ADVISORY_LOCK = 7_266_355_001


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; the scripts are found beside the installed package."""
    result = Config()
    result.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    result.set_main_option("path_separator", "os")
    result.attributes["connection"] = connection
    return result


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, in the transaction that is open."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    command.upgrade(config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Tell whether no migration is missing."""
    heads = ScriptDirectory.from_config(config()).get_heads()
    return MigrationContext.configure(connection).get_current_heads() == tuple(heads)


def differences(connection: Connection) -> list[str]:
    """Say what Alembic would change to make the database fit the models."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [str(difference) for difference in compare_metadata(context, Base.metadata)]
