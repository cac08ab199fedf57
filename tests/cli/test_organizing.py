from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.organizing import execution, journal, plan
from cli.organizing.plan import Member, Placement, Way
from lookalike.errors import Conflict, InvalidInput


@pytest.fixture
def groups(tmp_path: Path) -> list[list[Member]]:
    """Two groups of files that hold their own names."""
    photos = tmp_path / "photos"
    (photos / "cats").mkdir(parents=True)
    names = [["cats/best.jpg", "cats/small.jpg", "b\udcff.png"], ["dog.png", "dog copy.png"]]
    return [[_written(photos, name) for name in group] for group in names]


def _written(photos: Path, name: str) -> Member:
    path = photos / name
    path.write_bytes(os.fsencode(name))
    return Member(name, path, path.stat().st_size)


def _organize(groups: list[list[Member]], directory: Path, way: Way) -> execution.Outcome:
    placements = plan.planned(groups, directory)
    plan.check(placements, directory, way)
    record = journal.Journal(directory / journal.NAME, way, placements)
    record.write_plan()
    return execution.carry_out(record)


def _files(directory: Path) -> dict[str, bytes]:
    return {
        os.fspath(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != journal.NAME
    }


PLACES = {
    "originals/cats/best.jpg",
    "originals/dog.png",
    "copies/0001/cats/small.jpg",
    "copies/0001/b\udcff.png",
    "copies/0002/dog copy.png",
}


@pytest.mark.parametrize("way", list(Way))
def test_originals_and_copies_are_put_apart(groups: list[list[Member]], tmp_path: Path, way: Way) -> None:
    before = {member.path: member.path.read_bytes() for group in groups for member in group}
    outcome = _organize(groups, tmp_path / "sorted", way)
    assert (outcome.done_count, outcome.failures) == (5, [])
    files = _files(tmp_path / "sorted")
    assert set(files) == PLACES
    assert sorted(files.values()) == sorted(before.values())
    assert all(path.exists() == (way is not Way.MOVE) for path in before)


def test_a_hard_link_takes_no_room(groups: list[list[Member]], tmp_path: Path) -> None:
    _organize(groups, tmp_path / "sorted", Way.LINK)
    assert (tmp_path / "sorted/originals/dog.png").samefile(groups[1][0].path)


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("stopped_at", range(6))
def test_a_run_that_stopped_in_the_middle_is_finished_by_the_next(
    groups: list[list[Member]], tmp_path: Path, way: Way, stopped_at: int
) -> None:
    sizes = sorted(member.byte_count for group in groups for member in group)
    directory = tmp_path / "sorted"
    record = journal.Journal(directory / journal.NAME, way, plan.planned(groups, directory))
    record.write_plan()
    for placement in record.placements[:stopped_at]:
        execution.place(placement, way)  # done, but the journal's line never reached the disk
    with (directory / journal.NAME).open("a") as file:
        file.write('{"do')
    again = journal.unfinished(directory)
    assert again is not None
    assert execution.carry_out(again).failures == []
    files = _files(directory)
    assert set(files) == PLACES
    assert sorted(map(len, files.values())) == sizes
    assert journal.unfinished(directory) is None


def test_a_move_cut_between_link_and_unlink_leaves_one_file(
    groups: list[list[Member]], tmp_path: Path
) -> None:
    source = groups[0][0].path
    placement = Placement(source, tmp_path / "sorted/best.jpg", source.stat().st_size)
    placement.target.parent.mkdir()
    placement.target.hardlink_to(source)
    execution.place(placement, Way.MOVE)
    assert not source.exists()
    assert placement.target.read_bytes() == b"cats/best.jpg"


def test_nothing_is_written_over(groups: list[list[Member]], tmp_path: Path) -> None:
    other = tmp_path / "sorted/originals/dog.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"not a dog")
    outcome = _organize(groups, tmp_path / "sorted", Way.MOVE)
    assert outcome.done_count == 4
    assert "another file" in outcome.failures[0]
    assert other.read_bytes() == b"not a dog"
    assert groups[1][0].path.exists()


def test_a_changed_file_stops_the_plan_before_anything_is_touched(
    groups: list[list[Member]], tmp_path: Path
) -> None:
    groups[1][1].path.write_bytes(b"something else, longer than before")
    with pytest.raises(Conflict, match="search again"):
        _organize(groups, tmp_path / "sorted", Way.MOVE)
    assert not (tmp_path / "sorted").exists()


def test_the_folder_must_be_new_or_empty(tmp_path: Path) -> None:
    plan.check_directory(tmp_path / "a/b/new")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput, match="is a file"):
        plan.check_directory(tmp_path / "file")
    with pytest.raises(Conflict, match="not empty"):
        plan.check_directory(tmp_path)


def test_a_plan_that_was_not_written_to_its_end_is_forgotten(
    groups: list[list[Member]], tmp_path: Path
) -> None:
    directory = tmp_path / "sorted"
    record = journal.Journal(directory / journal.NAME, Way.MOVE, plan.planned(groups, directory))
    record.write_plan()
    path = directory / journal.NAME
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    assert journal.unfinished(directory) is None
    plan.check_directory(directory)
