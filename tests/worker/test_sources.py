from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from lookalike.errors import ImageTooLarge, InvalidSource, Unreadable
from worker import sources
from worker.archives import Archive
from worker.locations import Walked
from worker.remotes import Remote, checked_url


def listed(source: Path | list[Path] | str) -> tuple[list[str], Walked]:
    walked = Walked()
    given = [str(path) for path in source] if isinstance(source, list) else str(source)
    found = sources.source_of(sources.checked(given)).files(walked, lambda: None)
    return [each.image_id for each in found], walked


def write(path: Path, data: bytes = b"anything") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_hidden_files_and_links_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "b" / "2.PNG")
    write(tmp_path / "a.jpg")
    write(tmp_path / "no_extension")
    write(tmp_path / ".hidden.jpg")
    write(tmp_path / ".thumbnails" / "1.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert listed(tmp_path)[0] == ["a.jpg", "no_extension", "b/2.PNG"]


def test_ids_are_relative_to_the_common_parent_of_several_sources(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one" / "a.jpg"), write(tmp_path / "two" / "b.jpg")
    assert listed([one.parent, other.parent])[0] == ["one/a.jpg", "two/b.jpg"]
    assert listed([one, other])[0] == ["one/a.jpg", "two/b.jpg"]
    assert listed(one)[0] == ["a.jpg"]


def test_what_is_named_twice_is_found_once(tmp_path: Path) -> None:
    inner = write(tmp_path / "inner" / "a.jpg")
    assert listed([tmp_path, inner.parent, inner])[0] == ["inner/a.jpg"]
    assert listed([inner, tmp_path])[0] == ["inner/a.jpg"]


def test_a_name_that_is_not_text_is_escaped_and_found_again(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/100%\xff.jpg"
    try:
        with open(path, "wb") as file:  # noqa: PTH123 (bytes)
            file.write(b"these bytes")
    except OSError:
        pytest.skip("this file system wants names to be text")
    source = sources.source_of(str(tmp_path))
    (found,) = source.files(Walked(), lambda: None)
    assert found.image_id == "100%25%FF.jpg"
    assert sources.read(found.location, 100) == b"these bytes"
    assert any(found.location.startswith(prefix) for prefix in source.prefixes)


def test_reading_says_why_it_cannot(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", b"0123456789")
    with pytest.raises(ImageTooLarge, match="limit is 9"):
        sources.read(str(path), 9)
    with pytest.raises(Unreadable, match="No such file"):
        sources.read(str(tmp_path / "gone.jpg"), 9)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(Unreadable, match="not a regular file"):
        sources.read(str(tmp_path / "pipe.jpg"), 9)


@pytest.mark.parametrize("source", ["/no/such/folder", "", [], [""], 7, None, {"path": "/"}])
def test_a_source_that_makes_no_sense_is_refused(source: object) -> None:
    with pytest.raises(InvalidSource):
        sources.checked(source)


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of fsspec's memory, which lives as long as the process."""
    fs = fsspec.filesystem("memory")
    fs.pipe({"/bucket/a.jpg": b"first", "/bucket/cats/b.jpg": b"second", "/bucket/.hidden/c.jpg": b"-"})
    yield "memory://bucket"
    fs.rm("/bucket", recursive=True)


def test_what_lies_at_a_url_is_listed_and_read(bucket: str) -> None:
    source = sources.source_of(sources.checked(bucket))
    found = list(source.files(Walked(), lambda: None))
    assert [each.image_id for each in found] == ["a.jpg", "cats/b.jpg"]
    assert [each.byte_count for each in found] == [5, 6]
    assert [sources.read(each.location, 6) for each in found] == [b"first", b"second"]
    assert all(each.location.startswith(source.prefixes[0]) for each in found)
    assert {file.image_id: stream.read() for file, stream in source.opened(found)} == {
        "a.jpg": b"first",
        "cats/b.jpg": b"second",
    }
    with pytest.raises(ImageTooLarge):
        sources.read(found[1].location, 5)
    with pytest.raises(Unreadable, match="cannot be read: there is nothing"):
        sources.read("memory://bucket/gone.jpg", 5)


def test_an_object_that_is_written_again_has_another_stamp(bucket: str) -> None:
    def stamp() -> int | None:
        return next(file.modified_ns for file in Remote(bucket).files(Walked(), lambda: None))

    before = stamp()
    assert stamp() == before
    fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"other")
    assert stamp() != before


def test_a_url_that_is_not_there_is_an_error_of_the_source() -> None:
    with pytest.raises(InvalidSource, match=r"memory://nothing.*cannot be listed: there is nothing"):
        list(Remote("memory://nothing").files(Walked(), lambda: None))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://bucket/photos", "package that is not installed: Install s3fs"),
        ("gopher://bucket/photos", "no driver for gopher://"),
        ("zip://a.jpg::memory://bucket/x.zip", "chains others"),
        ("memory://bucket/../other", "leads upwards"),
        ("memory://bucket/%2e%2e/other", "leads upwards"),
        ("ftp://user:secret@host/photos", "credentials"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_words(url: str, told: str) -> None:
    with pytest.raises(InvalidSource, match=told):
        checked_url(url)


def zipped(path: Path, members: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {"a.jpg": b"first", "cats/ü!.jpg": b"second", "./plain.png": b"third"}
NAMES = {"a.jpg": b"first", "cats/ü!.jpg": b"second", "plain.png": b"third"}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "an archive!/of mine.tar"])
def test_images_in_an_archive_are_listed_and_read_where_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    members = {each: data for each, data in MEMBERS.items() if name != "x.zip" or not each.startswith(".")}
    (zipped if name.endswith("zip") else tarred)(path, members)
    source = sources.source_of(sources.checked(str(path)))
    assert not source.is_sequential
    found = list(source.files(Walked(), lambda: None))
    assert {each.image_id: sources.read(each.location, 6) for each in found} == {
        each: NAMES[each] for each in NAMES if each in members or f"./{each}" in members
    }
    assert all(each.location.startswith(source.prefixes[0]) for each in found)
    with pytest.raises(ImageTooLarge):
        sources.read(next(each.location for each in found if each.image_id == "cats/ü!.jpg"), 5)
    path.unlink()
    with pytest.raises(Unreadable):
        sources.read(found[0].location, 6)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_read_from_its_beginning_to_its_end(tmp_path: Path, kind: str) -> None:
    source = Archive(str(tarred(tmp_path / f"x.tar.{kind}", MEMBERS, f"w:{kind}")))
    assert source.is_sequential
    found = list(source.files(Walked(), lambda: None))
    assert {file.image_id: stream.read() for file, stream in source.opened(found[::-1])} == NAMES


def test_an_archive_at_a_url_is_read_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.jpg": b"first"})
    fs = fsspec.filesystem("memory")
    fs.pipe("/archives/x.zip", path.read_bytes())
    (found,) = sources.source_of("memory://archives/x.zip").files(Walked(), lambda: None)
    assert (found.image_id, sources.read(found.location, 9)) == ("a.jpg", b"first")
    fs.rm("/archives", recursive=True)


def test_a_member_that_changes_has_another_stamp(tmp_path: Path) -> None:
    for make, name in ((zipped, "x.zip"), (tarred, "x.tar")):

        def stamps() -> dict[str, int | None]:
            found = Archive(str(tmp_path / name)).files(Walked(), lambda: None)  # noqa: B023
            return {file.image_id: file.modified_ns for file in found}

        make(tmp_path / name, {"a.jpg": b"first", "b.jpg": b"same"})
        before = stamps()
        assert stamps() == before
        make(tmp_path / name, {"a.jpg": b"other", "b.jpg": b"same"})
        os.utime(tmp_path / name, ns=(1, 1))
        assert stamps()["a.jpg"] != before["a.jpg"]


def test_links_devices_and_hidden_members_of_archives_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in (("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"{name}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("__MACOSX/a.jpg"))
        archive.addfile(tarfile.TarInfo(".hidden/a.jpg"))
    assert listed(tmp_path / "x.tar")[0] == []
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zip_archive:
        zip_archive.writestr(link, "/etc/passwd")
    assert listed(tmp_path / "x.zip")[0] == []


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.archives.SMALL_BYTES", 1000)
    zeros = {"a.jpg": bytes(3_000_000)}
    bombs = [
        zipped(tmp_path / "x.zip", zeros, compression=zipfile.ZIP_DEFLATED),
        tarred(tmp_path / "x.tar.gz", zeros, "w:gz"),
    ]
    for bomb in bombs:
        with pytest.raises(InvalidSource, match="200 times its size"):
            listed(bomb)


def test_what_is_no_archive_or_cut_short_is_an_error_that_names_it(tmp_path: Path) -> None:
    tarred(tmp_path / "whole.tar.gz", {"a.jpg": os.urandom(100_000)}, "w:gz")
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    for name, data in (
        ("x.zip", b"PK nothing"),
        ("x.tar", b"x" * 2000),
        ("x.tar.gz", b"x" * 2000),
        ("y.tar.gz", gzip.compress(b"x" * 2000)),
        ("cut.tar.gz", whole[:50_000]),
    ):
        path = write(tmp_path / name, data)
        with pytest.raises(InvalidSource, match=f"{name}.*cannot be read"):
            listed(path)


def test_an_encrypted_member_is_told_of(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.jpg": b"first"})
    data = bytearray(path.read_bytes())
    # The flag in the directory at the end.
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    assert listed(path)[1].unreadable == [("a.jpg", "It is encrypted.")]
