from __future__ import annotations

import uuid

import numpy as np
import pytest

from lookalike.errors import InvalidImageId, InvalidInput, NotFound
from lookalike.version import EXTRACTOR_VERSION
from storage import contents, contexts, images
from storage.db import Database
from tests.racing import race
from tests.storage import samples
from tests.storage.samples import sha256


def revision(database: Database, context_id: uuid.UUID) -> int:
    with database.reading() as session:
        return contexts.get(session, context_id).revision


def put(database: Database, context_id: uuid.UUID, image_id: str, text: str) -> int:
    with database.transaction() as session:
        content = contents.ensure(session, sha256(text), len(text))
        return images.put_stored(session, context_id, image_id, content).id


def test_the_same_bytes_change_nothing_and_others_begin_a_new_row(database: Database) -> None:
    context_id = samples.add_context(database)
    first = put(database, context_id, "a", "one")
    assert put(database, context_id, "a", "one") == first
    assert revision(database, context_id) == 1
    assert put(database, context_id, "a", "two") != first
    assert revision(database, context_id) == 2


def test_many_uploads_of_one_id_leave_one_live_image(database: Database) -> None:
    context_id = samples.add_context(database)

    def upload(number: int) -> None:
        for turn in range(5):
            put(database, context_id, "a", f"{(number + turn) % 3}")

    assert race(upload, range(4)) == []
    with database.reading() as session:
        assert [image.image_id for image in images.page(session, context_id, 10).items] == ["a"]
        assert images.counts(session, context_id) == {"pending": 1, "ready": 0, "failed": 0}


def test_a_snapshot_shows_the_images_of_its_revision_whatever_comes_after(database: Database) -> None:
    context_id = samples.add_context(database)
    content_ids = samples.add_images(database, context_id, "b", "a", "c")
    with database.transaction() as session:
        samples.add_features(session, content_ids[:2])
        images.remove(session, context_id, "a")
        images.put_stored(session, context_id, "d", contents.ensure(session, sha256("b"), 1))
    with database.reading() as session:
        then = images.snapshot(session, context_id, 3)
        now = images.snapshot(session, context_id, 5)
        before = images.snapshot(session, context_id, 0)
    # c has no features.
    assert then.content_ids.tolist() == content_ids[:2]
    assert (then.blocks[0], then.slots.tolist()) == (then.blocks[1], [0, 1])
    assert then.byte_counts.tolist() == [1, 1]
    assert now.content_ids.tolist() == [content_ids[0]] * 2
    assert len(before.row_ids) == 0


def test_pending_are_those_that_this_version_knows_nothing_about(database: Database) -> None:
    context_id = samples.add_context(database)
    content_ids = samples.add_images(database, context_id, "a", "b", "c", "d", "e")
    with database.transaction() as session:
        samples.add_features(session, content_ids[:1])
        contents.store_errors(session, [(content_ids[1], "corrupt_image", "cut")], EXTRACTOR_VERSION)
        rows = {name: images.get(session, context_id, name).id for name in "abcde"}
        images.set_contents(session, [(rows["c"], None, "unreadable", "gone")])
        images.remove(session, context_id, "e")
    with database.reading() as session:
        assert images.pending(session, context_id).tolist() == [rows["d"]]
        # A newer version looks at everything again but what could not be fetched.
        assert images.pending(session, context_id, EXTRACTOR_VERSION + 1).tolist() == [
            rows["a"],
            rows["b"],
            rows["d"],
        ]
        assert images.counts(session, context_id) == {"pending": 1, "ready": 1, "failed": 2}
        by_state = {
            state: [image.image_id for image in images.page(session, context_id, 10, state=state).items]
            for state in ("pending", "ready", "failed")
        }
        assert by_state == {"pending": ["d"], "ready": ["a"], "failed": ["b", "c"]}
        told = {name: images.error(images.get(session, context_id, name)) for name in "abcd"}
        states = {name: images.state(images.get(session, context_id, name)) for name in "abcd"}
    assert told == {"a": None, "b": ("corrupt_image", "cut"), "c": ("unreadable", "gone"), "d": None}
    assert states == {"a": "ready", "b": "failed", "c": "failed", "d": "pending"}


def test_pages_are_in_the_order_of_code_points_on_every_database(database: Database) -> None:
    context_id = samples.add_context(database)
    names = ["Z", "a", "é", "B/1", "B", "🐈", "Ω", "b%2F"]
    samples.add_images(database, context_id, *names)
    seen, cursor = [], None
    with database.reading() as session:
        while True:
            page = images.page(session, context_id, 3, cursor)
            seen += [image.image_id for image in page.items]
            if (cursor := page.next_cursor) is None:
                break
        with pytest.raises(InvalidInput):
            images.page(session, context_id, 3, state="lost")
    assert seen == sorted(names)


def test_a_removed_image_is_not_found_and_its_id_is_free_again(database: Database) -> None:
    context_id = samples.add_context(database)
    first = put(database, context_id, "a", "one")
    with database.transaction() as session:
        assert images.remove(session, context_id, "a").id == first
        with pytest.raises(NotFound):
            images.get(session, context_id, "a")
        with pytest.raises(NotFound):
            images.remove(session, context_id, "a")
    assert put(database, context_id, "a", "one") != first


def test_wrong_ids_and_contexts_are_refused(sqlite_database: Database) -> None:
    context_id = samples.add_context(sqlite_database)
    with pytest.raises(InvalidImageId):
        put(sqlite_database, context_id, "../a", "one")
    with pytest.raises(NotFound):
        put(sqlite_database, uuid.uuid4(), "a", "one")


def test_sources_say_where_the_bytes_are(database: Database) -> None:
    context_id = samples.add_context(database)
    content_ids = samples.add_images(database, context_id, "a", "b")
    with database.transaction() as session:
        rows = [images.get(session, context_id, name).id for name in "ab"]
        images.put_stored(session, context_id, "c", contents.ensure(session, sha256("a"), 1))
        images.remove(session, context_id, "a")
    with database.reading() as session:
        found = images.sources(session, [*rows, 12345])
        assert [(each.image_id, each.sha256) for each in found] == [("a", sha256("a")), ("b", sha256("b"))]
        # The live image with these bytes, not the one that has ended.
        assert images.holders(session, content_ids)[content_ids[0]].image_id == "c"
        assert images.image_ids(session, np.array(rows)) == {rows[0]: "a", rows[1]: "b"}
