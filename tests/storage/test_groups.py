from __future__ import annotations

import uuid

import numpy as np
import pytest

from lookalike.errors import InvalidInput, NotFound
from storage import contents, groups, images
from storage.db import Database
from storage.groups import NewGroups
from tests.storage import samples


def two_groups(rows: list[int]) -> NewGroups:
    """Group 0: rows 0 and 1. Group 1: rows 2 and 3, and row 0 related to row 3."""
    return NewGroups(
        reasons=[["larger"], []],
        reclaimable_bytes=np.array([10, 20]),
        number=np.array([0, 0, 1, 1, 1]),
        image_row=np.array([rows[0], rows[1], rows[2], rows[3], rows[0]]),
        similarity_tenths=np.array([1000, 987, 1000, 900, 912]),
        relation=["original", "reencoded", "original", "cropped", "edited"],
        is_related=np.array([False, False, False, False, True]),
        related_to_row=np.array([0, 0, 0, 0, rows[3]]),
    )


def grouped(database: Database, *names: str) -> tuple[uuid.UUID, list[int]]:
    context_id = samples.add_context(database)
    content_ids = samples.add_images(database, context_id, *names)
    with database.transaction() as session:
        samples.add_features(session, content_ids)
        rows = [images.get(session, context_id, name).id for name in names]
        return samples.add_job(session, context_id), rows


def test_a_group_shows_its_original_its_members_and_what_is_related(database: Database) -> None:
    job_id, rows = grouped(database, "a", "b", "c", "d")
    with database.transaction() as session:
        grouping_id = groups.store(session, job_id, 900, two_groups(rows))
    with database.reading() as session:
        first, second = groups.page(session, job_id, 900, 10, sort="number").items
        assert first.id == f"{grouping_id}.0"
        assert first.original_reasons == ["larger"]
        assert [(i.image_id, i.similarity, i.relation) for i in first.images] == [
            ("a", 100.0, "original"),
            ("b", 98.7, "reencoded"),
        ]
        assert [(i.width, i.height, i.format, i.byte_count) for i in first.images] == [
            (0, 7, "JPEG", 1),
            (1, 7, "JPEG", 1),
        ]
        assert [i.image_id for i in second.images] == ["c", "d"]
        assert [(i.image_id, i.related_to, i.similarity) for i in second.related] == [("a", "d", 91.2)]
        assert second.least_similarity == 90.0
        assert groups.get(session, job_id, second.id) == second
        summary = groups.summary(session, job_id, 900)
        assert summary is not None
        assert (summary.group_count, summary.duplicate_count, summary.reclaimable_bytes) == (2, 2, 30)


def test_storing_the_groups_of_a_threshold_twice_keeps_the_first(database: Database) -> None:
    job_id, rows = grouped(database, "a", "b", "c", "d")
    with database.transaction() as session:
        first = groups.store(session, job_id, 900, two_groups(rows))
        assert groups.store(session, job_id, 900, two_groups(rows)) == first
        assert groups.store(session, job_id, 800, two_groups(rows)) != first
        assert len(groups.page(session, job_id, 900, 10).items) == 2
        groups.clear(session, job_id)
        assert groups.summary(session, job_id, 900) is None


def many_groups(rows: list[int], count: int) -> NewGroups:
    rng = np.random.default_rng(3)
    number = np.repeat(np.arange(count), 2)
    similarity = rng.integers(700, 720, 2 * count)
    similarity[::2] = 1000
    return NewGroups(
        reasons=[[]] * count,
        reclaimable_bytes=rng.integers(0, 5, count),
        number=number,
        image_row=np.tile(rows, count),
        similarity_tenths=similarity,
        relation=np.array(["original", "resized"] * count, object),
        is_related=np.zeros(2 * count, bool),
        related_to_row=np.zeros(2 * count, np.int64),
    )


@pytest.mark.parametrize("sort", list(groups.SORTS))
def test_pages_in_any_order_hold_every_group_once(database: Database, sort: str) -> None:
    job_id, rows = grouped(database, "a", "b")
    with database.transaction() as session:
        groups.store(session, job_id, 700, many_groups(rows, 50))
    seen, cursor = [], None
    with database.reading() as session:
        while True:
            page = groups.page(session, job_id, 700, 7, cursor, sort)
            seen += page.items
            if (cursor := page.next_cursor) is None:
                break
    assert len({group.id for group in seen}) == len(seen) == 50
    keys = {
        "reclaimable_bytes": [-group.reclaimable_bytes for group in seen],
        "image_count": [-group.image_count for group in seen],
        "similarity": [-group.least_similarity for group in seen],
        "number": [int(group.id.split(".")[1]) for group in seen],
    }[sort]
    assert keys == sorted(keys)


def test_a_cursor_of_another_order_or_an_unknown_order_is_refused(database: Database) -> None:
    job_id, rows = grouped(database, "a", "b")
    with database.transaction() as session:
        groups.store(session, job_id, 700, many_groups(rows, 3))
        cursor = groups.page(session, job_id, 700, 1, sort="number").next_cursor
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 1, cursor, sort="similarity")
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 1, sort="beauty")
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 0)


@pytest.mark.parametrize(
    "group_id", ["", "1", "1.99", "x.y", "1.1.1", "²." + "9" * 30, "99999999999999999999.1"]
)
def test_a_group_that_is_not_there_is_not_found(sqlite_database: Database, group_id: str) -> None:
    job_id, _ = grouped(sqlite_database, "a", "b")
    with sqlite_database.reading() as session:
        with pytest.raises(NotFound):
            groups.get(session, job_id, group_id)
        with pytest.raises(NotFound):
            groups.page(session, job_id, 700, 10)


def test_a_group_stays_as_it_was_when_its_images_are_removed(database: Database) -> None:
    job_id, rows = grouped(database, "a", "b", "c", "d")
    with database.transaction() as session:
        groups.store(session, job_id, 900, two_groups(rows))
        context_id = session.get_one(images.Image, rows[0]).context_id
        images.remove(session, context_id, "a")
        images.put_stored(session, context_id, "b", contents.ensure(session, samples.sha256("new"), 3))
    with database.reading() as session:
        shown = groups.page(session, job_id, 900, 10, sort="number").items
        assert [image.image_id for image in shown[0].images] == ["a", "b"]
