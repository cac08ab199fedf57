"""Sources that are watched: what is new, changed, moved and gone, and what is not opened."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tarfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lookalike import jobs as life
from lookalike.decoding import Limits
from lookalike.features.extraction import Extracted, extract
from storage import images, job_errors
from storage.blobs import Blobs
from storage.db import Database
from storage.models import Job
from storage.settings import Settings
from tests import pictures
from tests.storage import samples
from tests.worker.inline import Inline
from worker.tools import make_tools


class Watched:
    """A context, a folder that is imported into it, and how many pictures had to be decoded."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder / "watched"
        self.folder.mkdir()
        self.blobs = Blobs(str(folder / "blobs"))
        settings = Settings.load(data_dir=folder, max_image_bytes=100_000)
        tools = make_tools(settings, database=database, blobs=self.blobs, extract=self._extract)
        self.inline = Inline(tools)
        self.context_id = samples.add_context(database)
        self.decoded = 0

    def _extract(self, data: bytes, limits: Limits) -> Extracted:
        self.decoded += 1
        return extract(data, limits)

    def put(self, name: str, number: int) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(number))
        return path

    def look(self, source: object = None, **parameters: Any) -> Job:
        self.decoded = 0
        given = {"source": str(source or self.folder), "complete": True, **parameters}
        return self.inline.run(self.context_id, **given)

    def counts(self, source: object = None, **parameters: Any) -> tuple[int, ...]:
        """Files added, changed, moved and removed, and pictures decoded."""
        job = self.look(source, **parameters)
        assert job.state == life.SUCCEEDED, job.error_detail
        names = ("files_added", "files_changed", "files_moved", "files_removed")
        return (*(job.counts.get(name, 0) for name in names), self.decoded)

    def images(self) -> dict[str, tuple[str, str]]:
        with self.database.reading() as session:
            found = images.page(session, self.context_id, 1000).items
            return {image.image_id: (image.source, images.state(image)) for image in found}

    def errors(self, job: Job) -> dict[str, str]:
        with self.database.reading() as session:
            return {error.image_id: error.code for error in job_errors.page(session, job.id, limit=100).items}


@functools.cache
def drawn(number: int) -> bytes:
    return pictures.jpeg(pictures.photo(number, (96, 72)))


@pytest.fixture
def watched(database: Database, tmp_path: Path) -> Watched:
    return Watched(database, tmp_path)


_opened: list[str] = []
_is_watching = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_watching and event == "open" and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


@contextmanager
def opened_under(folder: Path) -> Iterator[list[str]]:
    """Note which files this process opens, by any of Python's ways; give those in a folder."""
    global _is_watching
    if _note not in _hooks:
        # There is no taking it away again.
        sys.addaudithook(_note)
        _hooks.append(_note)
    _opened.clear()
    found: list[str] = []
    _is_watching = True
    try:
        yield found
    finally:
        _is_watching = False
        found += [path for path in _opened if path.startswith(str(folder))]


_hooks: list[object] = []


def test_what_is_new_changed_moved_and_gone_is_found_and_what_moved_is_not_decoded(watched: Watched) -> None:
    for number, name in enumerate(("stays.jpg", "changes.jpg", "moves.jpg", "goes.jpg")):
        watched.put(name, number)
    assert watched.counts() == (4, 0, 0, 0, 4)
    assert watched.counts() == (0, 0, 0, 0, 0)
    watched.put("changes.jpg", 10)
    watched.put("new/new.jpg", 11)
    (watched.folder / "elsewhere").mkdir()
    (watched.folder / "moves.jpg").rename(watched.folder / "elsewhere" / "moved.jpg")
    (watched.folder / "goes.jpg").unlink()
    assert watched.counts() == (1, 1, 1, 1, 2)
    names = ("changes.jpg", "elsewhere/moved.jpg", "new/new.jpg", "stays.jpg")
    assert watched.images() == dict.fromkeys(names, ("referenced", "ready"))


def test_a_file_that_is_touched_but_the_same_is_not_decoded(watched: Watched) -> None:
    path = watched.put("a.jpg", 1)
    watched.look()
    os.utime(path, ns=(1, 1))
    assert watched.counts() == (0, 1, 0, 0, 0)
    assert watched.images() == {"a.jpg": ("referenced", "ready")}


def test_looking_again_opens_no_file(watched: Watched) -> None:
    for number in range(3):
        watched.put(f"{number}/a.jpg", number)
    watched.put("under another name.backup", 3)
    (watched.folder / "a.xmp").write_text("no picture")
    (watched.folder / "b.txt").write_text("nor this")
    with opened_under(watched.folder) as opened:
        job = watched.look()
    assert (job.counts["files"], job.counts["other_files"]) == (4, 2)
    assert len(set(opened)) == 6
    with opened_under(watched.folder) as opened:
        job = watched.look()
    assert (job.counts["files"], job.counts["other_files"]) == (4, 2)
    assert opened == []
    # What is no image any more, or has become one, is seen.
    (watched.folder / "a.xmp").write_bytes(drawn(4))
    (watched.folder / "b.txt").unlink()
    job = watched.look()
    assert (job.counts["files"], job.counts["other_files"]) == (5, 0)
    assert watched.errors(job) == {}


def test_files_that_are_no_images_are_passed_over_and_named(watched: Watched) -> None:
    (watched.folder / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (watched.folder / "bad\\0.txt").write_text("notes")
    watched.put("a.jpg", 1)
    job = watched.look()
    assert watched.errors(job) == {"film.mp4": "not_an_image", "bad\\0.txt": "not_an_image"}
    assert job.counts["files"] == 1


@pytest.mark.parametrize("what", ["emptied", "gone"])
def test_a_disk_that_is_not_mounted_empties_nothing(watched: Watched, what: str) -> None:
    watched.put("a.jpg", 1)
    watched.put("b/b.jpg", 2)
    watched.look()
    shutil.move(watched.folder, watched.folder.with_name("unmounted"))
    if what == "emptied":
        watched.folder.mkdir()
        job = watched.look()
    else:
        # It was there when the job was asked for.
        watched.folder.mkdir()
        watched.inline.work = watched.folder.rmdir  # type: ignore[method-assign]
        waiting = watched.look()
        del watched.inline.work
        watched.inline.dispatch(waiting.id)
        watched.inline.work()
        with watched.database.reading() as session:
            job = session.get_one(Job, waiting.id)
    assert (job.state, job.error_code) == (life.FAILED, "invalid_source")
    assert str(watched.folder) in (job.error_detail or "")
    assert watched.images() == {"a.jpg": ("referenced", "ready"), "b/b.jpg": ("referenced", "ready")}
    shutil.rmtree(watched.folder, ignore_errors=True)
    shutil.move(watched.folder.with_name("unmounted"), watched.folder)
    assert watched.counts() == (0, 0, 0, 0, 0)


def test_each_source_answers_for_its_own_images_only(watched: Watched) -> None:
    watched.put("one/a.jpg", 1)
    watched.put("one/b.jpg", 2)
    watched.put("one more/c.jpg", 3)
    watched.look(watched.folder / "one")
    watched.look(watched.folder / "one more")
    (watched.folder / "one" / "a.jpg").unlink()
    assert watched.counts(watched.folder / "one") == (0, 0, 0, 1, 0)
    assert sorted(watched.images()) == ["b.jpg", "c.jpg"]
    # Asked for less than all, nothing goes.
    (watched.folder / "one" / "b.jpg").unlink()
    watched.look(watched.folder / "one", complete=False)
    assert sorted(watched.images()) == ["b.jpg", "c.jpg"]


def test_copies_are_stored_once_and_stay_when_their_files_go(watched: Watched) -> None:
    path = watched.put("a.jpg", 1)
    watched.put("b.jpg", 2)
    (watched.folder / "large.jpg").write_bytes(bytes(100_001))
    job = watched.look(copy=True)
    assert job.counts["files_copied"] == 2
    assert watched.errors(job) == {"large.jpg": "image_too_large"}
    stored = ("stored", "ready")
    assert watched.images() == {"a.jpg": stored, "b.jpg": stored}
    with opened_under(watched.folder) as opened:
        job = watched.look(copy=True)
    # What could not be stored is tried again.
    assert {Path(each).name for each in opened} == {"large.jpg"}
    assert job.counts["files_copied"] == 0
    path.unlink()
    watched.put("b.jpg", 3)
    (watched.folder / "large.jpg").unlink()
    job = watched.look(copy=True)
    assert (job.counts["files_copied"], job.counts["files_removed"]) == (1, 0)
    with watched.database.reading() as session:
        contents = [images.get(session, watched.context_id, name).content for name in ("a.jpg", "b.jpg")]
    assert [watched.blobs.read_content(each.sha256) for each in contents if each] == [drawn(1), drawn(3)]


def test_a_referenced_image_is_copied_when_that_is_asked_for(watched: Watched) -> None:
    watched.put("a.jpg", 1)
    watched.look()
    assert watched.counts(copy=True) == (0, 0, 0, 0, 0)
    assert watched.images() == {"a.jpg": ("stored", "ready")}
    # And stays so, whatever is asked for later.
    watched.look()
    assert watched.images() == {"a.jpg": ("stored", "ready")}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_is_watched_like_a_folder(watched: Watched, kind: str) -> None:
    archive = watched.folder / f"photos.{kind}"

    def pack(*names: str) -> None:
        if kind == "zip":
            with zipfile.ZipFile(archive, "w") as zipped:
                for name in names:
                    zipped.write(watched.folder / name, name)
            return
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w:") as tar:
            for name in names:
                tar.add(watched.folder / name, name)

    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        watched.put(name, number)
    pack("a.jpg", "b.jpg")
    source = ("stored" if kind == "tar.gz" else "referenced", "ready")
    watched.look(archive)
    assert watched.decoded == 2
    assert watched.images() == {"a.jpg": source, "b.jpg": source}
    watched.look(archive)
    assert watched.decoded == 0
    pack("b.jpg", "c.jpg")
    watched.look(archive)
    # What was copied from it stays.
    assert sorted(watched.images()) == (["a.jpg"] if kind == "tar.gz" else []) + ["b.jpg", "c.jpg"]
    assert watched.decoded == 1


def test_names_in_an_archive_that_climb_are_no_ids(watched: Watched) -> None:
    archive = watched.folder / "photos.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in ("../up.jpg", "/etc/absolute.jpg", "cats/../../up.jpg", "good.jpg"):
            zipped.writestr(name, drawn(1))
    job = watched.look(archive)
    assert sorted(watched.images()) == ["good.jpg"]
    assert set(watched.errors(job).values()) == {"invalid_image_id"}
    assert len(watched.errors(job)) == 3


def test_a_url_is_watched_like_a_folder(watched: Watched) -> None:
    fs = fsspec.filesystem("memory")
    bucket = f"bucket-{uuid.uuid4().hex}"
    fs.pipe({f"/{bucket}/a.jpg": drawn(1), f"/{bucket}/cats/b.jpg": drawn(2), f"/{bucket}/notes.txt": b"-"})
    url = f"memory://{bucket}"
    assert watched.counts(url) == (2, 0, 0, 0, 2)
    assert watched.counts(url) == (0, 0, 0, 0, 0)
    fs.pipe(f"/{bucket}/a.jpg", drawn(3))
    fs.rm(f"/{bucket}/cats", recursive=True)
    assert watched.counts(url) == (0, 1, 0, 1, 1)
    fs.rm(f"/{bucket}", recursive=True)
    job = watched.look(url)
    assert (job.state, job.error_code) == (life.FAILED, "invalid_source")
    assert watched.images() == {"a.jpg": ("referenced", "ready")}
