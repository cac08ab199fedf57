from __future__ import annotations

import uuid

from storage import arrays, contents, contexts, images
from storage.db import Database
from storage.sync import FoundFile, Synced, sync_referenced
from tests.racing import race
from tests.storage import samples
from tests.storage.samples import sha256


def files(*names: str, size: int = 10, time: int = 1, root: str = "/photos") -> list[FoundFile]:
    return [FoundFile(name, f"{root}/{name}", size, time) for name in names]


def sync(
    database: Database,
    context_id: uuid.UUID,
    found: list[FoundFile],
    *,
    complete: bool = True,
    under: list[str] | None = None,
) -> Synced:
    with database.transaction() as session:
        return sync_referenced(session, context_id, found, complete, under)


def counted(result: Synced) -> tuple[int, int, int, int]:
    return result.added, result.changed, result.removed, result.unchanged


def test_a_second_look_finds_what_is_new_changed_and_gone(database: Database) -> None:
    context_id = samples.add_context(database)
    first = sync(database, context_id, files("a", "b", "c"))
    assert counted(first) == (3, 0, 0, 0)
    assert len(first.row_ids) == 3
    second = sync(database, context_id, [*files("a", "d"), *files("b", time=2)])
    assert counted(second) == (1, 1, 1, 1)
    with database.reading() as session:
        assert [image.image_id for image in images.page(session, context_id, 10).items] == ["a", "b", "d"]
        # Once for each look that changed something.
        assert contexts.get(session, context_id).revision == 2


def test_a_look_that_finds_nothing_new_changes_nothing(database: Database) -> None:
    context_id = samples.add_context(database)
    sync(database, context_id, files("a", "b"))
    assert counted(sync(database, context_id, files("a", "b"))) == (0, 0, 0, 2)
    with database.reading() as session:
        assert contexts.get(session, context_id).revision == 1


def test_an_unchanged_file_keeps_its_content_and_a_changed_one_is_read_again(database: Database) -> None:
    context_id = samples.add_context(database)
    sync(database, context_id, files("a", "b"))
    with database.transaction() as session:
        content = contents.ensure(session, sha256("x"), 10)
        rows = [images.get(session, context_id, name).id for name in "ab"]
        images.set_contents(session, [(row, content.id, None, None) for row in rows])
    sync(database, context_id, [*files("a"), *files("b", size=11)])
    with database.reading() as session:
        assert images.get(session, context_id, "a").content_id == content.id
        assert images.get(session, context_id, "b").content_id is None


def test_a_file_that_could_not_be_read_gets_another_try(database: Database) -> None:
    context_id = samples.add_context(database)
    sync(database, context_id, files("a"))
    with database.transaction() as session:
        row = images.get(session, context_id, "a").id
        images.set_contents(session, [(row, None, "unreadable", "no permission")])
        assert images.pending(session, context_id).tolist() == []
    sync(database, context_id, files("a"))
    with database.reading() as session:
        assert images.pending(session, context_id).tolist() == [row]


def test_a_moved_folder_keeps_its_contents_under_new_locations(database: Database) -> None:
    context_id = samples.add_context(database)
    sync(database, context_id, files("a"))
    assert counted(sync(database, context_id, files("a", root="/elsewhere"))) == (0, 0, 0, 1)
    with database.reading() as session:
        assert images.get(session, context_id, "a").location == "/elsewhere/a"


def test_only_what_lies_under_the_folder_looked_at_can_be_gone(database: Database) -> None:
    context_id = samples.add_context(database)
    samples.add_images(database, context_id, "uploaded")
    sync(database, context_id, files("a", root="/photos_%"), complete=False)
    sync(database, context_id, files("b", root="/photosXX"), complete=False)
    assert counted(sync(database, context_id, [], under=["/photos_%/"])) == (0, 0, 1, 0)
    with database.reading() as session:
        left = [image.image_id for image in images.page(session, context_id, 10).items]
    assert left == ["b", "uploaded"]


def test_a_listing_longer_than_one_statement_is_taken_whole(database: Database) -> None:
    context_id = samples.add_context(database)
    count = arrays.CHUNK + 17
    found = files(*(f"{number:05}" for number in range(count)))
    assert counted(sync(database, context_id, found)) == (count, 0, 0, 0)
    assert counted(sync(database, context_id, found[1:])) == (0, 0, 1, count - 1)


def test_two_looks_at_one_folder_at_the_same_time_agree(database: Database) -> None:
    context_id = samples.add_context(database)
    results: list[Synced] = []

    def look(_: int) -> None:
        results.append(sync(database, context_id, files(*map(str, range(100)))))

    assert race(look, range(3)) == []
    assert sorted(map(counted, results)) == [(0, 0, 0, 100), (0, 0, 0, 100), (100, 0, 0, 0)]
