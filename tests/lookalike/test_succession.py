from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.succession import Change, Members, succession

# Groups of contents; a content that stands twice is two images of the same bytes. No content in two groups.
Groups = list[list[int]]
Worlds = st.lists(st.integers(-1, 4), min_size=10, max_size=10).map(
    lambda place: [
        group for g in range(5) if len(group := [content for content in range(10) if place[content] == g]) > 1
    ]
)


def members(groups: Groups) -> Members:
    return Members(
        np.repeat(np.arange(len(groups)), [len(group) for group in groups]).astype(np.int64),
        np.array([content for group in groups for content in group], np.int64),
        len(groups),
    )


def compared(earlier: Groups, new: Groups) -> list[tuple[int, set[str]]]:
    found = succession(members(earlier), members(new))
    return [
        (heir, {str(change.name) for change in Change if changes & change})
        for heir, changes in zip(found.heir_of.tolist(), found.changes.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("earlier", "new", "expected"),
    [
        ([[1, 2]], [[1, 2]], [(0, set())]),
        ([], [[1, 2]], [(-1, {"NEW"})]),
        ([[1, 2]], [[1, 2, 3]], [(0, {"GROWN"})]),
        ([[1, 2, 3]], [[1, 2]], [(0, {"SHRUNK"})]),
        ([[1, 2]], [[2, 1]], [(0, {"ORIGINAL_CHANGED"})]),
        # One more copy of the same bytes.
        ([[1, 2]], [[1, 2, 2]], [(0, {"GROWN"})]),
        # The larger part gives its id, of equal parts the older group.
        ([[1, 2], [3, 4, 5]], [[1, 2, 3, 4, 5]], [(1, {"GROWN", "MERGED", "ORIGINAL_CHANGED"})]),
        ([[1, 2], [3, 4]], [[3, 4, 1, 2]], [(0, {"GROWN", "MERGED", "ORIGINAL_CHANGED"})]),
        # The larger part keeps its id, of equal parts the one with the better original.
        (
            [[1, 2, 3, 4, 5]],
            [[1, 2], [3, 4, 5]],
            [(-1, {"SPLIT"}), (0, {"SPLIT", "SHRUNK", "ORIGINAL_CHANGED"})],
        ),
        ([[1, 2, 3, 4]], [[1, 2], [3, 4]], [(0, {"SPLIT", "SHRUNK"}), (-1, {"SPLIT"})]),
    ],
)
def test_what_becomes_of_a_group(earlier: Groups, new: Groups, expected: list[tuple[int, set[str]]]) -> None:
    assert compared(earlier, new) == expected


def test_a_group_that_nothing_continues_is_gone() -> None:
    found = succession(members([[1, 2], [3, 4]]), members([[1, 2, 3]]))
    assert found.is_gone.tolist() == [False, True]
    assert found.overlaps.tolist() == [[0, 0], [1, 0]]


@given(Worlds, Worlds)
def test_ids_go_on_with_the_largest_overlaps(earlier: Groups, new: Groups) -> None:
    found = succession(members(earlier), members(new))
    overlaps = {
        (o, n): len(set(old) & set(group))
        for o, old in enumerate(earlier)
        for n, group in enumerate(new)
        if set(old) & set(group)
    }
    expected: dict[int, int] = {}
    for (o, n), _ in sorted(overlaps.items(), key=lambda each: (-each[1], each[0])):
        if o not in expected.values() and n not in expected:
            expected[n] = o
    assert {n: o for n, o in enumerate(found.heir_of.tolist()) if o >= 0} == expected
    assert [tuple(pair) for pair in found.overlaps.tolist()] == sorted(overlaps)
