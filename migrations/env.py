"""Alembic's entry: runs the migrations on the connection that storage.schema hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from storage.models import Base
from storage.types import UtcDateTime


def rendered(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write our own column types as what they are in the database: old migrations outlive our modules."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=rendered,
    # SQLite alters a table by building it anew.
    render_as_batch=True,
    # SQLite can roll back changes of schema; Alembic does not know that we let it.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
