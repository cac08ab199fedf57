from __future__ import annotations

import io
import uuid
from datetime import timedelta

import pytest

from lookalike.errors import Conflict, InvalidInput, NotFound
from lookalike.paths import InvalidPath
from storage import clients, contents, contexts, expiry, files, images, tags, uploads
from storage.blobs import Blobs
from storage.db import Database, Session
from storage.files import Storage, WrongKind
from storage.types import utc_now
from storage.uploads import Upload
from tests.racing import race

MINE, OTHERS, SECOND = Storage("me"), Storage("somebody"), Storage("me", "second")


def put(session: Session, blobs: Blobs, path: str, data: bytes, storage: Storage = MINE) -> list[int]:
    with blobs.receiving(data) as received:
        return files.put(session, blobs, storage, path, received)


def names(session: Session, folder: str, storage: Storage = MINE) -> dict[str, bool]:
    return {entry.name: entry.is_folder for entry in files.listed(session, storage, folder)}


def bytes_of(session: Session, blobs: Blobs, path: str, storage: Storage = MINE) -> bytes:
    return blobs.read_content(files.content_of(files.get(session, storage, path)).sha256)


def test_folders_are_where_files_lie(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        for path in ("a/b/one.jpg", "/a/two.jpg", "a.jpg", "a0/three.jpg", "a/%_.jpg"):
            put(session, blobs, path, path.encode())
        files.make_folder(session, MINE, "a/empty/")
        assert names(session, "") == {"a": True, "a.jpg": False, "a0": True}
        assert names(session, "/a/") == {"b": True, "two.jpg": False, "empty": True, "%_.jpg": False}
        assert [file.path for file in files.files_in(session, MINE, "a")] == ["a/%_.jpg", "a/two.jpg"]
        assert names(session, "a/empty") == {}
        assert files.is_folder(session, MINE, "a/b")
        assert not files.is_folder(session, MINE, "a.jpg")
        with pytest.raises(NotFound):
            files.listed(session, MINE, "nowhere")


def test_each_client_and_each_name_has_a_storage_of_its_own(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        put(session, blobs, "a.jpg", b"mine")
        put(session, blobs, "a.jpg", b"second", SECOND)
        assert not files.is_used(session, OTHERS)
        assert names(session, "", OTHERS) == {}
        with pytest.raises(NotFound):
            files.get(session, OTHERS, "a.jpg")
        assert bytes_of(session, blobs, "a.jpg") == b"mine"
        assert files.used_bytes(session, SECOND) == len(b"second")


def test_files_and_folders_do_not_take_each_others_place(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        put(session, blobs, "a/b.jpg", b"1")
        files.make_folder(session, MINE, "made")
    for path in ("a", "made", "a/b.jpg/below"):
        with pytest.raises(WrongKind), database.transaction() as session:
            put(session, blobs, path, b"2")
    for path in ("a/b.jpg", "a/b.jpg/below"):
        with pytest.raises(WrongKind), database.transaction() as session:
            files.make_folder(session, MINE, path)


@pytest.mark.parametrize("path", ["../a", "a/../../b", "a/./b", "a//b", "..", "nul\0", "\ud800", "x" * 3000])
def test_a_path_that_climbs_or_cannot_be_stored_is_refused(
    sqlite_database: Database, blobs: Blobs, path: str
) -> None:
    with pytest.raises(InvalidPath), sqlite_database.transaction() as session:
        put(session, blobs, path, b"x")


def test_copies_and_moves_take_the_bytes_along(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        put(session, blobs, "a/one.jpg", b"one")
        put(session, blobs, "a/deep/two.jpg", b"two")
        files.make_folder(session, MINE, "a/empty")
        files.copy(session, MINE, "a/one.jpg", SECOND, "b/uno.jpg")
        files.copy_folder(session, MINE, "a", MINE, "a/itself")
        files.move_folder(session, MINE, "a/itself", SECOND, "moved")
        files.move(session, MINE, "a/one.jpg", MINE, "eins.jpg")
        files.move(session, MINE, "eins.jpg", MINE, "eins.jpg")
        assert bytes_of(session, blobs, "b/uno.jpg", SECOND) == b"one"
        assert names(session, "moved", SECOND) == {"one.jpg": False, "deep": True, "empty": True}
        assert names(session, "") == {"a": True, "eins.jpg": False}
        assert names(session, "a") == {"deep": True, "empty": True}
        with pytest.raises(InvalidInput):
            files.move_folder(session, MINE, "a", MINE, "a/inside")
        with pytest.raises(NotFound):
            files.copy(session, MINE, "a/one.jpg", MINE, "x.jpg")


def test_a_folder_goes_with_what_is_in_it_only_if_told_so(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        put(session, blobs, "a/one.jpg", b"one")
        files.make_folder(session, MINE, "a")
        with pytest.raises(Conflict):
            files.remove_folder(session, MINE, "a", recursive=False)
        assert len(files.remove_folder(session, MINE, "a", recursive=True)) == 1
        assert not files.is_folder(session, MINE, "a")
        with pytest.raises(NotFound):
            files.remove_folder(session, MINE, "a", recursive=True)


def test_other_bytes_are_another_version(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        put(session, blobs, "a.jpg", b"old")
        old = files.version_of(files.get(session, MINE, "a.jpg"))
        put(session, blobs, "a.jpg", b"new")
        assert files.version_of(files.get(session, MINE, "a.jpg")) != old
        with pytest.raises(NotFound):
            files.get(session, MINE, "a.jpg", old)


def test_bytes_stay_as_long_as_an_image_a_file_or_a_tag_has_them(database: Database, blobs: Blobs) -> None:
    with blobs.receiving(b"picture") as received:
        with database.transaction() as session:
            context_id = contexts.create(session, name="c").id
            uploads.put(session, blobs, context_id, [Upload("image", received)])
            files.put(session, blobs, MINE, "a.jpg", received)
            tags.add(session, blobs, context_id, "cat", received)
        sha256 = received.sha256

    def content_ids(path: str) -> list[int]:
        with database.transaction() as session:
            return files.remove(session, MINE, path)

    files.release(database, blobs, content_ids("a.jpg"))
    assert blobs.has_content(sha256)
    uploads.remove(database, blobs, context_id, "image")
    assert blobs.has_content(sha256)
    later = utc_now() + timedelta(days=2)
    expiry.expire(database, blobs, later)
    expiry.sweep(database, blobs, later)
    assert blobs.has_content(sha256)
    with database.transaction() as session:
        assert tags.pictures(session, context_id, ["cat", "other"]) == [sha256]
        contexts.delete(session, context_id)
    expiry.expire(database, blobs, later)
    assert not blobs.has_content(sha256)


def test_a_file_outlives_the_context_that_it_was_uploaded_to(database: Database, blobs: Blobs) -> None:
    with blobs.receiving(b"picture") as received, database.transaction() as session:
        context_id = contexts.create(session, name="c").id
        content = contents.ensure(session, received.sha256, received.byte_count)
        blobs.keep(received)
        files.point(session, MINE, "a.jpg", content, context_id=context_id)
    with database.transaction() as session:
        contexts.delete(session, context_id)
    expiry.expire(database, blobs, utc_now() + timedelta(days=2))
    with database.reading() as session:
        assert files.get(session, MINE, "a.jpg").context_id is None
        assert bytes_of(session, blobs, "a.jpg") == b"picture"


def test_of_two_who_put_a_file_at_one_path_one_is_first(database: Database, blobs: Blobs) -> None:
    def act(number: int) -> None:
        with database.transaction() as session:
            put(session, blobs, "a/b.jpg", f"{number}".encode())

    assert race(act, range(4)) == []
    with database.reading() as session:
        assert names(session, "a") == {"b.jpg": False}


def test_a_tag_is_text_and_belongs_to_its_context(database: Database, blobs: Blobs) -> None:
    with database.transaction() as session:
        one, other = (contexts.create(session, name=name).id for name in "ab")
        for data in (b"1", b"2", b"1"):
            with blobs.receiving(io.BytesIO(data)) as received:
                tags.add(session, blobs, one, "Katze", received)
        assert len(tags.pictures(session, one, ["Katze"])) == 2
        assert tags.pictures(session, other, ["Katze"]) == []
        for name in ("", "  ", "x" * 201, "nul\0"):
            with blobs.receiving(b"1") as received, pytest.raises(InvalidInput):
                tags.add(session, blobs, one, name, received)
        with blobs.receiving(b"1") as received, pytest.raises(NotFound):
            tags.add(session, blobs, uuid.uuid4(), "Katze", received)
        assert images.counts(session, one)["pending"] == 0


def test_files_from_before_there_were_accounts_are_adopted_with_the_contexts(
    database: Database, blobs: Blobs
) -> None:
    nobodys = Storage(None)
    with database.transaction() as session:
        put(session, blobs, "a.jpg", b"old", nobodys)
        put(session, blobs, "b.jpg", b"old", nobodys)
        adopter = clients.add(session, "me").client.id
        put(session, blobs, "b.jpg", b"own", Storage(adopter))
        clients.adopt(session, adopter)
        assert bytes_of(session, blobs, "a.jpg", Storage(adopter)) == b"old"
        assert bytes_of(session, blobs, "b.jpg", Storage(adopter)) == b"own"
        assert names(session, "", nobodys) == {"b.jpg": False}
