from __future__ import annotations

import uuid

import pytest

from lookalike.errors import NotFound
from storage import contents, images, removals, sync
from storage.db import Database
from storage.sync import FoundFile
from storage.types import utc_now
from tests.storage import samples
from tests.storage.test_groups import new_groups


def returned(database: Database, context_id: uuid.UUID) -> dict[str, tuple[str, str | None]]:
    """What has returned: under which name it was removed, and which image was kept."""
    with database.reading() as session:
        live = images.page(session, context_id, 1000).items
        found = removals.of_images(session, context_id, live)
    return {name: (each.removed_as, each.kept) for name, each in found.items()}


def delete(database: Database, context_id: uuid.UUID, *names: str) -> None:
    with database.transaction() as session:
        for name in names:
            images.remove(session, context_id, name)


def put(database: Database, context_id: uuid.UUID, name: str, same_as: str) -> None:
    with database.transaction() as session:
        content = contents.ensure(session, samples.sha256(same_as), len(same_as))
        images.put_stored(session, context_id, name, content)


def grouped(database: Database, *names: str) -> uuid.UUID:
    """A context whose images are one group, the first its original."""
    context_id = samples.add_context(database)
    content_ids = samples.add_images(database, context_id, *names)
    with database.transaction() as session:
        rows = [images.get(session, context_id, name).id for name in names]
        made = new_groups([(row, 1000 - n, "resized", 0) for n, row in enumerate(rows)], reclaimable=[1])
        made.listed["content"] = content_ids
        samples.publish(session, samples.add_job(session, context_id), 900, made)
    return context_id


@pytest.mark.parametrize("others", [0, 40])
def test_what_comes_back_is_flagged_with_what_was_kept(database: Database, others: int) -> None:
    # Of many that go at once the groups are found in another way.
    more = [f"more-{number}" for number in range(others)]
    context_id = grouped(database, "best", "copy", *more)
    with database.transaction() as session:
        gone = [images.remove(session, context_id, name) for name in ["copy", *more]]
        revision = gone[-1].removed_revision
        assert revision is not None
        removed = [removals.Removed(each.image_id, each.content_id or 0) for each in gone]
        removals.remember(session, context_id, revision, removed)
    assert returned(database, context_id) == {}
    put(database, context_id, "again/copy", "copy")
    put(database, context_id, "new", "new")
    assert returned(database, context_id) == {"again/copy": ("copy", "best")}
    delete(database, context_id, "best")
    assert returned(database, context_id) == {"again/copy": ("copy", None)}
    put(database, context_id, "best again", "best")
    assert returned(database, context_id)["best again"] == ("best", "again/copy")


def test_what_is_still_there_was_not_removed(database: Database) -> None:
    context_id = samples.add_context(database)
    put(database, context_id, "one", "same")
    put(database, context_id, "two", "same")
    delete(database, context_id, "one")
    put(database, context_id, "three", "same")
    assert returned(database, context_id) == {}


def test_a_file_that_a_complete_import_finds_elsewhere_was_moved(database: Database) -> None:
    context_id = samples.add_context(database)

    def imported(*names: str) -> None:
        with database.transaction() as session:
            found = [FoundFile(name, f"/photos/{name}", 4, 1) for name in names]
            rows = sync.sync_referenced(session, context_id, found, complete=True).row_ids
        with database.transaction() as session:
            known = images.image_ids(session, rows).items()
            images.set_contents(session, [(row, images_of[name], None, None) for row, name in known])

    with database.transaction() as session:
        first, second = (contents.ensure(session, samples.sha256(n), 4).id for n in ("a", "b"))
    images_of = {"a": first, "moved/a": first, "b": second, "b again": second, "copy of a": first}
    imported("a", "b")
    imported("moved/a")
    imported("moved/a", "b again", "copy of a")
    assert returned(database, context_id) == {"b again": ("b", None)}


def test_removals_are_forgotten_when_asked_and_in_time(database: Database) -> None:
    context_id = samples.add_context(database)
    for name in ("a", "b"):
        put(database, context_id, name, name)
        delete(database, context_id, name)
        put(database, context_id, name, name)
    assert set(returned(database, context_id)) == {"a", "b"}
    with database.transaction() as session:
        removals.forget(session, context_id, samples.sha256("a").hex())
        with pytest.raises(NotFound):
            removals.forget(session, context_id, samples.sha256("a").hex())
    assert set(returned(database, context_id)) == {"b"}
    with database.transaction() as session:
        assert removals.expire(session, utc_now()) == 1
    assert returned(database, context_id) == {}
