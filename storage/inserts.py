"""INSERT … ON CONFLICT, which both databases have and SQLAlchemy spells once for each."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.db import is_sqlite
from storage.models import Base


def insert_into(session: Session, model: type[Base]) -> Any:
    """Return an INSERT that has on_conflict_do_nothing and on_conflict_do_update on either database."""
    # The table, not the class: rows are written as they are given, by the thousand, without the ORM's share.
    table = cast(Table, model.__table__)
    return sqlite.insert(table) if is_sqlite(session) else postgresql.insert(table)


def insert_ignoring(session: Session, model: type[Base]) -> Any:
    """Return an INSERT that leaves rows alone that are there already."""
    return insert_into(session, model).on_conflict_do_nothing()
