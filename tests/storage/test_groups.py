from __future__ import annotations

import uuid

import numpy as np
import pytest

from lookalike import relations
from lookalike.errors import InvalidInput, NotFound
from storage import contents, groups, images
from storage.db import Database
from storage.groups import LISTED, NewGroups
from tests.storage import samples


def new_groups(*listed: list[tuple[int, int, str, int]], reclaimable: list[int]) -> NewGroups:
    """Groups of (row, tenths, relation, row that a related image matches or 0); the content is the row."""
    images = [
        (row, row, related_to, tenths, relations.NUMBERS[relation], related_to > 0)
        for group in listed
        for row, tenths, relation, related_to in group
    ]
    starts = np.cumsum([0, *map(len, listed)])
    reasons = np.arange(len(listed), 0, -1).astype(np.uint8)
    return NewGroups(np.array(images, LISTED), starts, reasons, np.array(reclaimable, np.int64))


def two_groups(rows: list[int]) -> NewGroups:
    """Group 0: rows 0 and 1. Group 1: rows 2 and 3, and row 0 related to row 3."""
    return new_groups(
        [(rows[0], 1000, "original", 0), (rows[1], 987, "reencoded", 0)],
        [(rows[2], 1000, "original", 0), (rows[3], 900, "cropped", 0), (rows[0], 912, "edited", rows[3])],
        reclaimable=[10, 20],
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
        samples.publish(session, job_id, 900, two_groups(rows))
    with database.reading() as session:
        first, second = groups.page(session, job_id, 900, 10, sort="number").items
        assert first.original_reasons == ["not_enlarged"]
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


def many_groups(rows: list[int], count: int) -> NewGroups:
    rng = np.random.default_rng(3)
    tenths = rng.integers(700, 720, count).tolist()
    pairs = [[(rows[0], 1000, "original", 0), (rows[1], each, "resized", 0)] for each in tenths]
    return new_groups(*pairs, reclaimable=rng.integers(0, 5, count).tolist())


@pytest.mark.parametrize("sort", list(groups.SORTS))
def test_pages_in_any_order_hold_every_group_once(database: Database, sort: str) -> None:
    job_id, rows = grouped(database, "a", "b")
    with database.transaction() as session:
        samples.publish(session, job_id, 700, many_groups(rows, 50))
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
        "number": [group.id for group in seen],
    }[sort]
    assert keys == sorted(keys)


def test_a_cursor_of_another_order_or_an_unknown_order_is_refused(database: Database) -> None:
    job_id, rows = grouped(database, "a", "b")
    with database.transaction() as session:
        samples.publish(session, job_id, 700, many_groups(rows, 3))
        cursor = groups.page(session, job_id, 700, 1, sort="number").next_cursor
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 1, cursor, sort="similarity")
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 1, sort="beauty")
        with pytest.raises(InvalidInput):
            groups.page(session, job_id, 700, 0)


@pytest.mark.parametrize(
    "group_id", ["", "1", "900.0", "x.y", "²." + "9" * 30, "0198c0de-7a11-7000-8000-5ca1ab1e0002"]
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
        samples.publish(session, job_id, 900, two_groups(rows))
        context_id = session.get_one(images.Image, rows[0]).context_id
        images.remove(session, context_id, "a")
        images.put_stored(session, context_id, "b", contents.ensure(session, samples.sha256("new"), 3))
    with database.reading() as session:
        shown = groups.page(session, job_id, 900, 10, sort="number").items
        assert [image.image_id for image in shown[0].images] == ["a", "b"]
