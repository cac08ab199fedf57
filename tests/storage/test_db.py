from __future__ import annotations

import multiprocessing
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from lookalike.errors import InvalidInput
from lookalike.ids import new_id
from migrations.check import migrations_agree
from storage.db import Database, Session, now
from storage.models import Context
from tests import servers
from tests.racing import race


def add_context(session: Session) -> None:
    session.add(Context(id=new_id(), name="c"))


def count_contexts(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(func.count()).select_from(Context)).one()


def test_models_and_migrations_agree(postgresql: servers.Postgresql, tmp_path: Path) -> None:
    assert migrations_agree(f"sqlite:///{tmp_path}/a.db") == []
    postgresql.execute("CREATE DATABASE agree")
    assert migrations_agree(postgresql.url_of("agree")) == []
    postgresql.execute("DROP DATABASE agree")


def test_a_schema_is_current_only_after_migration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/100%/new.db")
    assert not database.schema_is_current()
    database.migrate()
    database.migrate()
    assert database.schema_is_current()
    database.dispose()


def migrate(url: str) -> None:
    database = Database(url)
    try:
        database.migrate()
    finally:
        database.dispose()


def test_processes_that_migrate_at_the_same_time_wait_for_each_other(
    postgresql: servers.Postgresql, tmp_path: Path
) -> None:
    postgresql.execute("CREATE DATABASE racing")
    for url in (f"sqlite:///{tmp_path}/r.db", postgresql.url_of("racing")):
        assert race(migrate, [url] * 4) == []
    postgresql.execute("DROP DATABASE racing WITH (FORCE)")


def test_an_error_undoes_the_whole_transaction(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            add_context(session)
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count_contexts(database) == 0


def test_a_reader_sees_one_snapshot_while_others_write(database: Database) -> None:
    with database.reading() as session:
        before = session.scalars(select(func.count()).select_from(Context)).one()
        with database.transaction() as writer:
            add_context(writer)
        assert session.scalars(select(func.count()).select_from(Context)).one() == before == 0
    assert count_contexts(database) == 1


def test_a_reading_session_cannot_write(database: Database) -> None:
    with database.reading() as session:
        add_context(session)
        with pytest.raises(DBAPIError):
            session.flush()
    assert count_contexts(database) == 0


def test_the_clock_is_that_of_the_database_in_fractions_of_a_second(database: Database) -> None:
    with database.reading() as session:
        seen = {session.scalars(select(now())).one() for _ in range(50)}
    assert all(abs(each - time.time()) < 5 for each in seen)
    assert all(isinstance(each, float) for each in seen)


def test_writers_of_several_threads_all_succeed(database: Database) -> None:
    def write(_: int) -> None:
        for _ in range(10):
            with database.transaction() as session:
                session.scalars(select(func.count()).select_from(Context)).one()
                add_context(session)

    assert race(write, range(4)) == []
    assert count_contexts(database) == 40


def write_one(database: Database) -> None:
    with database.transaction() as session:
        add_context(session)


def test_a_forked_child_works_without_harm_to_its_parent(database: Database) -> None:
    write_one(database)
    child = multiprocessing.get_context("fork").Process(target=write_one, args=(database,))
    child.start()
    child.join()
    write_one(database)
    assert child.exitcode == 0
    assert count_contexts(database) == 3


def test_sqlite_files_are_in_wal_mode_and_guard_foreign_keys(sqlite_database: Database) -> None:
    with sqlite_database.reading() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    assert sqlite3.sqlite_version_info >= (3, 35)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense"])
def test_other_databases_are_refused_by_the_name_of_the_variable(url: str) -> None:
    with pytest.raises(InvalidInput, match="LOOKALIKE_DATABASE_URL"):
        Database(url)
