from __future__ import annotations

import io
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from lookalike.errors import ImageTooLarge, InvalidImageId, NotFound, Unreadable
from storage import contexts, expiry, images, uploads
from storage.blobs import Blobs
from storage.db import Database
from storage.sync import FoundFile, sync_referenced
from storage.types import utc_now
from storage.uploads import Upload
from tests.racing import race
from tests.storage import samples
from tests.storage.samples import sha256


def upload(database: Database, blobs: Blobs, context_id: uuid.UUID, image_id: str, data: bytes) -> None:
    with blobs.receiving(data) as received, database.transaction() as session:
        uploads.put(session, blobs, context_id, [Upload(image_id, received)])


def test_an_upload_can_be_read_back_and_is_one_file_whatever_its_ids(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    context_id = samples.add_context(database)
    for name in ("a", "b", "a"):
        upload(database, blobs, context_id, name, b"same bytes")
    with database.reading() as session:
        content = images.get(session, context_id, "b").content
        assert content is not None
    assert blobs.read_content(content.sha256) == b"same bytes"
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


def test_removing_an_image_removes_its_bytes_with_the_last_that_has_them(
    database: Database, blobs: Blobs
) -> None:
    mine, yours = samples.add_context(database), samples.add_context(database)
    upload(database, blobs, mine, "a", b"x")
    upload(database, blobs, yours, "b", b"x")
    uploads.remove(database, blobs, mine, "a")
    assert blobs.has_content(sha256("x"))
    uploads.remove(database, blobs, yours, "b")
    assert not blobs.has_content(sha256("x"))
    with pytest.raises(Unreadable):
        blobs.read_content(sha256("x"))


def test_the_bytes_of_a_replaced_upload_go_when_no_job_shows_them(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    upload(database, blobs, context_id, "a", b"old")
    upload(database, blobs, context_id, "a", b"new")
    expiry.expire(database, blobs, utc_now() + timedelta(days=2))
    assert not blobs.has_content(sha256("old"))
    assert blobs.read_content(sha256("new")) == b"new"


def test_a_referenced_file_is_never_removed(database: Database, blobs: Blobs, tmp_path: Path) -> None:
    context_id = samples.add_context(database)
    file = tmp_path / "a.jpg"
    file.write_bytes(b"mine")
    with database.transaction() as session:
        sync_referenced(session, context_id, [FoundFile("a", str(file), 4, 1)], complete=True)
    uploads.remove(database, blobs, context_id, "a")
    assert file.read_bytes() == b"mine"


def test_bytes_that_come_again_while_they_are_removed_stay(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)

    def come_and_go(name: str) -> None:
        for _ in range(8):
            upload(database, blobs, context_id, name, b"x")
            with database.reading() as session:
                images.get(session, context_id, name)
            assert blobs.read_content(sha256("x")) == b"x"
            uploads.remove(database, blobs, context_id, name)

    assert race(come_and_go, "abc") == []
    assert not blobs.has_content(sha256("x"))


def test_several_uploads_are_stored_together_or_not_at_all(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    with blobs.receiving(b"1") as one, blobs.receiving(b"2") as other:
        with database.transaction() as session:
            given = [Upload("b", other), Upload("a", one), Upload("c", one)]
            stored = uploads.put(session, blobs, context_id, given)
            assert [image.image_id for image in stored] == ["b", "a", "c"]
        with pytest.raises(InvalidImageId), database.transaction() as session:
            uploads.put(session, blobs, context_id, [Upload("d", one), Upload("../e", one)])
        with pytest.raises(NotFound), database.transaction() as session:
            uploads.put(session, blobs, uuid.uuid4(), [Upload("d", one)])
    with database.reading() as session:
        assert [image.image_id for image in images.page(session, context_id, 9).items] == ["a", "b", "c"]
        assert contexts.get(session, context_id).revision == 3


def test_an_upload_over_the_limit_is_refused_while_it_arrives(blobs: Blobs) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1000

    with pytest.raises(ImageTooLarge), blobs.receiving(endless(), max_bytes=10_000):
        pass
    assert taken == 11


def test_all_kinds_of_bytes_are_received_alike(blobs: Blobs) -> None:
    for data in (b"abc", io.BytesIO(b"abc"), [b"a", b"bc"], bytearray(b"abc")):
        with blobs.receiving(data) as received:
            assert (received.sha256, received.byte_count) == (sha256("abc"), 3)
            assert received.file.read() == b"abc"


def test_ranges_of_a_pack_can_be_read(blobs: Blobs) -> None:
    blobs.put_proxies("proxies/ab/x", b"0123456789")
    assert blobs.read_range("proxies/ab/x", 3, 4) == b"3456"


def test_another_kind_of_store_works_as_well(database: Database) -> None:
    blobs = Blobs(f"memory://{uuid.uuid4().hex}/blobs")
    context_id = samples.add_context(database)
    upload(database, blobs, context_id, "a", b"x")
    assert blobs.read_content(sha256("x")) == b"x"
    uploads.remove(database, blobs, context_id, "a")
    assert not blobs.has_content(sha256("x"))
