from __future__ import annotations

from collections.abc import Set

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import relations
from lookalike.decisions import KEEP_BOTH, VERDICTS, Decided
from lookalike.grouping import group
from storage.groups import NewGroups
from storage.images import Snapshot
from storage.matches import Matches
from worker.grouped import Collection

THRESHOLD = 900

# Some images, the content each has, their ranks, and matches of contents.
Worlds = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.lists(st.integers(0, 7), min_size=count, max_size=count),
        st.permutations(range(count)),
        st.dictionaries(
            st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]),
            st.sampled_from([700, 890, 900, 950, 1000]),
        ),
    )
)
Shown = set[tuple[str, frozenset[tuple[str, int]], frozenset[tuple[str, int]]]]


@given(Worlds, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_groups_are_the_same_whatever_the_order_of_upload(world, random) -> None:  # type: ignore[no-untyped-def]
    contents, ranks, found = world
    names = [f"image {i}" for i in range(len(contents))]
    order = list(range(len(contents)))
    expected = _shown(names, contents, ranks, found, order)
    random.shuffle(order)
    assert _shown(names, contents, ranks, found, order) == expected


@given(Worlds, st.frozensets(st.integers(0, 7)))
@settings(max_examples=200, deadline=None)
def test_equal_files_are_grouped_as_if_they_all_matched(world, kept) -> None:  # type: ignore[no-untyped-def]
    contents, ranks, found = world
    names = [f"image {i}" for i in range(len(contents))]
    shown = _shown(names, contents, ranks, found, list(range(len(contents))), kept)
    expected = _truth(names, contents, ranks, found, kept)
    assert {(original, members) for original, members, _ in shown} == expected


def test_copies_that_all_stay_are_seen_with_their_original_and_free_nothing() -> None:
    # Three images of content 0 and one of content 1, a copy of them; content 2 has copies alone.
    groups = _groups([0, 0, 1, 0, 2, 2], [1, 0, 2, 3, 4, 5], {(0, 1): 950}, list(range(6)), {0, 2})
    listed = groups.listed
    assert listed["row"].tolist() == [101, 102, 100, 103]
    assert listed["is_related"].tolist() == [0, 0, 1, 1]
    assert listed["related_to"].tolist() == [0, 0, 101, 101]
    assert [relations.NAMES[number] for number in listed["relation"]] == [
        "original",
        "resized",
        "identical_file",
        "identical_file",
    ]
    assert groups.reclaimable_bytes.tolist() == [12]


def test_a_group_says_what_could_be_freed_and_how_each_image_relates() -> None:
    groups = _groups([0, 0, 1, 2], [1, 0, 2, 3], {(0, 1): 950, (1, 2): 920}, [0, 1, 2, 3])
    listed = groups.listed
    assert listed["row"].tolist() == [101, 100, 102, 103]
    assert [relations.NAMES[number] for number in listed["relation"]] == [
        "original",
        "identical_file",
        "resized",
        "resized",
    ]
    assert listed["tenths"].tolist() == [1000, 1000, 950, 920]
    assert listed["is_related"].tolist() == [0, 0, 0, 1]
    assert listed["related_to"].tolist() == [0, 0, 0, 102]
    assert (groups.image_counts.tolist(), groups.least_tenths.tolist()) == ([3], [950])
    # All members but the original; what is only related is never removed.
    assert groups.reclaimable_bytes.tolist() == [10 + 12]


def _groups(
    contents: list[int],
    ranks: list[int],
    found: dict[tuple[int, int], int],
    order: list[int],
    kept: Set[int] = frozenset(),
) -> NewGroups:
    """Group images that came in this order: image i has the row 100 + its place, and 10 + i bytes.

    All copies of the contents in `kept` are to stay.
    """
    # Contents get their ids in the order in which they come.
    ids = {content: i for i, content in enumerate(dict.fromkeys(contents[place] for place in order))}
    pairs = {
        tuple(sorted((ids[low], ids[high]))): tenths
        for (low, high), tenths in found.items()
        if low in ids and high in ids
    }
    places = np.array(order)
    snapshot = Snapshot(
        row_ids=np.arange(len(order)) + 100,
        content_ids=np.array([ids[contents[place]] for place in order]),
        byte_counts=places + 10,
        blocks=places,
        slots=places,
    )
    matches = Matches(
        np.array([low for low, _ in pairs], np.int64),
        np.array([high for _, high in pairs], np.int64),
        np.array(list(pairs.values()), np.int64),
        np.full(len(pairs), relations.NUMBERS[relations.RESIZED]),
    )
    both = np.array(sorted(ids[content] for content in kept if content in ids), np.int64)
    decided = Decided(both, both, np.full(len(both), VERDICTS.index(KEEP_BOTH)))
    collection = Collection(snapshot, np.array(ranks)[places], matches, decided)
    return collection.images(
        collection.grouped(THRESHOLD), lambda image, number: np.zeros(len(set(number)), np.uint8)
    )


def _shown(
    names: list[str],
    contents: list[int],
    ranks: list[int],
    found: dict[tuple[int, int], int],
    order: list[int],
    kept: Set[int] = frozenset(),
) -> Shown:
    groups = _groups(contents, ranks, found, order, kept)
    shown = set()
    for number in range(len(groups)):
        mine = groups.listed[groups.starts[number] : groups.starts[number + 1]]
        listed = [
            (names[order[row - 100]], tenths, is_related)
            for row, _, _, tenths, _, is_related in mine.tolist()
        ]
        members = frozenset(each[:2] for each in listed if not each[2])
        shown.add((listed[0][0], members, frozenset(each[:2] for each in listed if each[2])))
    return shown


def _truth(
    names: list[str],
    contents: list[int],
    ranks: list[int],
    found: dict[tuple[int, int], int],
    kept: Set[int] = frozenset(),
) -> set[tuple[str, frozenset[tuple[str, int]]]]:
    """The rule itself, on images: equal contents match at 100, others as their contents do."""
    edges, joins = {}, []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            pair = (min(contents[i], contents[j]), max(contents[i], contents[j]))
            tenths = 1000 if pair[0] == pair[1] else found.get(pair)
            if tenths is not None:
                edges[i, j] = tenths
                joins.append(pair[0] != pair[1] or pair[0] not in kept)
    low, high = np.array([*edges], np.int64).reshape(-1, 2).T
    tenths_of = np.array([*edges.values()], np.int64)
    groups = group(np.array(ranks), low, high, tenths_of, THRESHOLD, np.array(joins, bool))
    members = np.split(np.arange(len(groups.images)), groups.starts[1:-1]) if len(groups) else []
    return {
        (
            names[groups.images[mine[0]]],
            frozenset((names[groups.images[i]], int(groups.tenths[i])) for i in mine),
        )
        for mine in members
    }
