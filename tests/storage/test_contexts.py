from __future__ import annotations

import pytest
from sqlalchemy import func, select

from lookalike.errors import InvalidInput, InvalidThreshold, NotFound
from storage import contexts, images, matches
from storage.db import Database
from storage.models import Base, Content, Context, Match
from tests.racing import race
from tests.storage import samples
from tests.storage.test_groups import two_groups


def test_another_clients_context_does_not_exist(database: Database) -> None:
    with database.transaction() as session:
        mine = contexts.create(session, name="mine", client_id="me")
        assert contexts.get(session, mine.id, "me") is mine
        with pytest.raises(NotFound):
            contexts.get(session, mine.id, "you")
        with pytest.raises(NotFound):
            contexts.delete(session, mine.id, "you")


def test_pages_hold_every_context_once_while_others_are_made(database: Database) -> None:
    made = [samples.add_context(database, f"c{i}") for i in range(7)]
    seen, cursor = [], None
    while True:
        with database.transaction() as session:
            page = contexts.page(session, None, 3, cursor)
            seen += [context.id for context in page.items]
            contexts.create(session, name="late", client_id="x")
        if (cursor := page.next_cursor) is None or len(seen) > 20:
            break
    assert seen[:7] == made
    assert len(seen) == len(set(seen))


def test_a_page_lists_only_the_clients_own(database: Database) -> None:
    with database.transaction() as session:
        mine = contexts.create(session, name="mine", client_id="me")
        contexts.create(session, name="yours", client_id="you")
        assert [context.id for context in contexts.page(session, "me", 10).items] == [mine.id]


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "é", "W1tdXQ", "WyJcdTAwMDAiXQ", "WyJ4Il0"])
def test_a_cursor_from_elsewhere_is_refused(sqlite_database: Database, cursor: str) -> None:
    with sqlite_database.reading() as session, pytest.raises(InvalidInput):
        contexts.page(session, None, 10, cursor)


@pytest.mark.parametrize(("threshold", "floor"), [(101, 70), (-1, -1), (90, 95), (float("nan"), 70)])
def test_thresholds_outside_0_to_100_or_below_the_floor_are_refused(
    sqlite_database: Database, threshold: float, floor: float
) -> None:
    with sqlite_database.transaction() as session, pytest.raises(InvalidThreshold):
        contexts.create(session, name="c", similarity_threshold=threshold, match_floor=floor)


def test_a_change_keeps_what_is_not_named(database: Database) -> None:
    context_id = samples.add_context(database)
    with database.transaction() as session:
        contexts.update(session, context_id, similarity_threshold=80)
    with database.reading() as session:
        context = contexts.get(session, context_id)
        assert (context.name, context.similarity_threshold, context.match_floor) == ("pictures", 80, 70)


def test_two_commands_on_one_folder_share_its_context(database: Database) -> None:
    found = []

    def look(_: int) -> None:
        with database.transaction() as session:
            found.append(contexts.for_folder(session, "/photos", name="photos").id)

    assert race(look, range(4)) == []
    assert len(found) == 4
    assert len(set(found)) == 1


def test_deleting_a_context_deletes_its_images_jobs_and_groups_but_not_what_belongs_to_bytes(
    database: Database,
) -> None:
    context_id = samples.add_context(database)
    one, other = samples.add_images(database, context_id, "a", "b")
    with database.transaction() as session:
        rows = [images.get(session, context_id, name).id for name in ("a", "b")]
        job_id = samples.add_job(session, context_id)
        samples.publish(session, job_id, 900, two_groups([*rows, *rows]))
        matches.store(session, [matches.NewMatch(one, other, 950, "reencoded")], 1)
    with database.transaction() as session:
        contexts.delete(session, context_id)
    with database.reading() as session:
        counts = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }
        assert session.scalar(select(func.count()).select_from(Content)) == 2
        assert session.scalar(select(func.count()).select_from(Match)) == 1
        assert session.get(Context, context_id) is None
    assert {name for name, count in counts.items() if count} == {"contents", "matches"}
