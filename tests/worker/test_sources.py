from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike.errors import ImageTooLarge, InvalidSource, Unreadable
from tests import pictures
from worker import sources
from worker.sources import Walked


def _walked(source: Path | list[Path]) -> tuple[list[str], Walked]:
    walked = Walked([])
    given = [str(path) for path in source] if isinstance(source, list) else str(source)
    found = sources.walk(sources.checked(given), walked, lambda: None)
    return [each.image_id for each in found], walked


def _write(path: Path, data: bytes = b"anything") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_hidden_files_links_and_other_kinds_of_files_are_passed_over(tmp_path: Path) -> None:
    _write(tmp_path / "b" / "2.PNG")
    _write(tmp_path / "a.jpg")
    _write(tmp_path / "no_extension")
    _write(tmp_path / ".hidden.jpg")
    _write(tmp_path / ".thumbnails" / "1.jpg")
    _write(tmp_path / "notes.txt")
    _write(tmp_path / "film.mp4", b"\0\0\0\x20ftypisom")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "round").symlink_to(tmp_path)
    found, walked = _walked(tmp_path)
    assert sorted(found) == ["a.jpg", "b/2.PNG", "no_extension"]
    assert walked.others == ["film.mp4", "notes.txt"]


def test_an_image_is_found_under_any_extension(tmp_path: Path) -> None:
    _write(tmp_path / "picture.backup", pictures.jpeg(pictures.photo(1, (64, 48))))
    assert _walked(tmp_path)[0] == ["picture.backup"]


def test_ids_are_relative_to_the_common_parent_of_several_sources(tmp_path: Path) -> None:
    one, other = _write(tmp_path / "one" / "a.jpg"), _write(tmp_path / "two" / "b.jpg")
    assert _walked([one.parent, other.parent])[0] == ["one/a.jpg", "two/b.jpg"]
    assert _walked([one, other])[0] == ["one/a.jpg", "two/b.jpg"]
    assert _walked(one)[0] == ["a.jpg"]


def test_what_is_named_twice_is_found_once(tmp_path: Path) -> None:
    inner = _write(tmp_path / "inner" / "a.jpg")
    assert _walked([tmp_path, inner.parent, inner])[0] == ["inner/a.jpg"]


def test_a_name_that_is_not_text_is_escaped_and_found_again(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/100%\xff.jpg"
    try:
        with open(path, "wb") as file:  # noqa: PTH123 (bytes)
            file.write(b"these bytes")
    except OSError:
        pytest.skip("this file system wants names to be text")
    (found,) = sources.walk(str(tmp_path), Walked([]), lambda: None)
    assert found.image_id == "100%25%FF.jpg"
    assert sources.read(found.location, 100) == b"these bytes"


def test_reading_says_why_it_cannot(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jpg", b"0123456789")
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
