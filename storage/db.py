"""The database: transactions, snapshots, its clock and its schema."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.pq import Format
from sqlalchemy import URL, Connection, Double, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, Pool
from sqlalchemy.sql.functions import FunctionElement

from lookalike.errors import InvalidInput
from storage import schema

__all__ = ["Database", "OperationalError", "Session", "clock", "is_sqlite", "now"]

BUSY_TIMEOUT_SECONDS = 15
# Execution options of a query for much packed data: PostgreSQL sends it as it is, not as twice as much text.
IN_BINARY = {"in_binary": True}


class now(FunctionElement[float]):  # noqa: N801 (reads as the SQL function that it is)
    """The database's clock in epoch seconds: the one clock that all workers share."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **kw: Any) -> str:
    # unixepoch('subsec') came with SQLite 3.42; this is as fine (milliseconds) on every version.
    return "((julianday('now') - 2440587.5) * 86400.0)"


class Database:
    """One database, SQLite or PostgreSQL. Safe to share between threads, and across a fork."""

    def __init__(self, url: str) -> None:
        """Take an SQLAlchemy URL; nothing is opened yet."""
        self.url = _parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        self._engine = engine
        self._writing = engine.execution_options(writes=True)
        self._reading = engine if self.is_sqlite else engine.execution_options(**_POSTGRESQL_READING)
        _databases.add(self)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session that commits at the end, or rolls back and passes the error on."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that reads one snapshot of the database; the database refuses its writes."""
        with Session(self._reading, expire_on_commit=False, autoflush=False) as session:
            yield session

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the schema up to date. Processes that do it at the same time wait for each other."""
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self._migrating() as connection:
            schema.upgrade(connection)

    def schema_is_current(self) -> bool:
        """Tell whether the schema is the one this version of the code works with."""
        if self.is_sqlite and self.url.database and not Path(self.url.database).exists():
            return False
        with self._reading.connect() as connection:
            return schema.is_current(connection)

    def schema_differences(self) -> list[str]:
        """Say where tables and models differ; nothing if migrations and models agree."""
        with self._reading.connect() as connection:
            return schema.differences(connection)

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        engine: Engine = self._writing
        if self.is_sqlite:
            engine = _sqlite_engine(self.url, migrates=True, poolclass=NullPool)
            engine = engine.execution_options(writes=True)
        with engine.begin() as connection:
            yield connection

    def _abandon(self) -> None:
        _inherited.append(self._engine.pool)
        self._engine.dispose(close=False)


# A forked child must neither use nor close what it inherited: with SQLite, even closing harms the parent.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_inherited: list[Pool] = []


def _after_fork() -> None:
    for database in list(_databases):
        database._abandon()


os.register_at_fork(after_in_child=_after_fork)

_POSTGRESQL_READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _switch_to_wal(connection: Any) -> None:
    """Have the file keep a write-ahead log; it remembers that."""
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            # The switch needs the file for itself, and SQLite's own timeout does not wait for that.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def clock(session: Session) -> float:
    """Return what the database's clock shows, in epoch seconds."""
    return session.execute(select(now())).scalar_one()


def is_sqlite(session: Session) -> bool:
    """Tell which of the two databases a session speaks to."""
    return session.get_bind().dialect.name == "sqlite"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidInput("LOOKALIKE_DATABASE_URL is not a URL; use sqlite:///… or postgresql://…") from None
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidInput(f"LOOKALIKE_DATABASE_URL names {backend!r}; use sqlite:///… or postgresql://…")


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "before_cursor_execute")
    def choose_format(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if context is not None and context.execution_options.get("in_binary"):
            cursor.format = Format.BINARY

    return engine


def _sqlite_engine(url: URL, *, migrates: bool = False, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # Python's driver would begin transactions where it sees fit; we say BEGIN ourselves.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=NORMAL")
        # Rebuilding a table (SQLite's only way to alter one) must not cascade deletes.
        connection.execute(f"PRAGMA foreign_keys={'OFF' if migrates else 'ON'}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-32768")
        if migrates:
            _switch_to_wal(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        # A writer that begins as a reader and then meets another writer cannot wait: it fails at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
