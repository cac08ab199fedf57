"""Groups against a slow truth written as the rule reads, whatever the order and history of the images."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike.grouping import Groups, component_labels, group

Match = tuple[int, int, int]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, list[int], list[Match]]:
    """Some images, their rank and matches with similarities in tenths."""
    count = draw(st.integers(0, 12))
    rank = draw(st.permutations(range(count)))
    pairs = [(low, high) for low in range(count) for high in range(low + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return count, list(rank), [(low, high, draw(st.integers(700, 1000))) for low, high in chosen]


def run(
    rank: list[int], matches: list[Match], threshold: int = 800, joins: list[bool] | None = None
) -> Groups:
    low, high, tenths = (np.array([match[k] for match in matches], np.int64) for k in range(3))
    joining = None if joins is None else np.array(joins, bool)
    return group(np.array(rank, np.int64), low, high, tenths, threshold, joining)


def told(groups: Groups) -> dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]]:
    """Return {original: (members with tenths, related with tenths)}, in the order of the result."""
    return {
        int(groups.originals[g]): (
            entries(groups.images, groups.tenths, groups.starts, g)[1:],
            entries(groups.related_images, groups.related_tenths, groups.related_starts, g),
        )
        for g in range(len(groups))
    }


def entries(
    images: NDArray[np.int64], tenths: NDArray[np.int64], starts: NDArray[np.int64], number: int
) -> list[tuple[int, int]]:
    chosen = slice(starts[number], starts[number + 1])
    return list(zip(images[chosen].tolist(), tenths[chosen].tolist(), strict=True))


def slow_groups(  # type: ignore[no-untyped-def]
    rank: list[int], matches: list[Match], threshold: int = 800, joins: list[bool] | None = None
):
    """The rule of the docstring, word by word."""
    near, joined = {}, set()
    for (low, high, tenths), may_join in zip(matches, joins or [True] * len(matches), strict=True):
        if tenths >= threshold:
            near[low, high] = near[high, low] = tenths
            joined |= {(low, high), (high, low)} if may_join else set()
    original_of: dict[int, int] = {}
    for image in sorted(range(len(rank)), key=rank.__getitem__):
        if image not in original_of:
            original_of[image] = image
            for other in range(len(rank)):
                if (image, other) in joined:
                    original_of.setdefault(other, image)
    result = {}
    for original in sorted(set(original_of.values()), key=rank.__getitem__):
        group_images = {image for image in original_of if original_of[image] == original}
        if len(group_images) > 1:
            members = [(image, near[original, image]) for image in group_images - {original}]
            best = {
                other: max(near[image, other] for image in group_images if (image, other) in near)
                for other in set(range(len(rank))) - group_images
                if any((image, other) in near for image in group_images)
            }
            result[original] = tuple(
                sorted(listed, key=lambda entry: (-entry[1], rank[entry[0]]))
                for listed in (members, best.items())
            )
    return result


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_groups_are_what_the_rule_says(world: tuple[int, list[int], list[Match]]) -> None:
    _, rank, matches = world
    found, expected = told(run(rank, matches)), slow_groups(rank, matches)
    assert found == expected
    assert list(found) == list(expected)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.lists(st.booleans(), min_size=66, max_size=66))
def test_a_match_that_may_not_join_relates_and_makes_no_member(
    world: tuple[int, list[int], list[Match]], may_join: list[bool]
) -> None:
    _, rank, matches = world
    joins = may_join[: len(matches)]
    assert told(run(rank, matches, joins=joins)) == slow_groups(rank, matches, joins=joins)


@settings(max_examples=100, deadline=None)
@given(worlds(), st.randoms())
def test_the_order_in_which_images_and_matches_came_changes_nothing(world, random) -> None:  # type: ignore[no-untyped-def]
    count, rank, matches = world
    renamed = random.sample(range(count), count)
    new_rank = [0] * count
    for image, name in enumerate(renamed):
        new_rank[name] = rank[image]
    shuffled = [(renamed[high], renamed[low], tenths) for low, high, tenths in matches]
    random.shuffle(shuffled)
    expected = {
        renamed[original]: tuple([(renamed[i], tenths) for i, tenths in listed] for listed in lists)
        for original, lists in told(run(rank, matches)).items()
    }
    assert told(run(new_rank, shuffled)) == expected


@settings(max_examples=100, deadline=None)
@given(worlds(), st.lists(st.integers(0, 11), max_size=8))
def test_regrouping_the_touched_components_equals_a_full_run(world, removed) -> None:  # type: ignore[no-untyped-def]
    """Images are removed one by one; only components with a match to the removed image are grouped anew."""
    count, rank, matches = world
    known = told(run(rank, matches))
    for gone in removed:
        touched = {image for match in matches if gone in match[:2] for image in match[:2]}
        matches = [match for match in matches if gone not in match[:2]]
        low, high = (np.array([match[k] for match in matches], np.int64) for k in (0, 1))
        labels = component_labels(count, low, high).tolist()
        dirty = {labels[image] for image in touched}
        kept = {original: lists for original, lists in known.items() if labels[original] not in dirty}
        again = told(run(rank, [match for match in matches if labels[match[0]] in dirty]))
        known = kept | {original: lists for original, lists in again.items() if labels[original] in dirty}
        assert known == told(run(rank, matches))


def test_an_original_and_its_members_name_the_match_that_joins_them() -> None:
    groups = run([2, 0, 1, 3], [(0, 1, 950), (1, 2, 990), (0, 2, 880), (2, 3, 930)])
    assert groups.images.tolist() == [1, 2, 0]
    assert groups.matches.tolist() == [-1, 1, 0]
    assert groups.related_images.tolist() == [3]
    assert groups.related_matches.tolist() == [3]
    assert groups.image_counts.tolist() == [3]


def test_a_threshold_just_above_a_match_leaves_it_out() -> None:
    assert len(run([0, 1], [(0, 1, 899)], threshold=899)) == 1
    assert len(run([0, 1], [(0, 1, 899)], threshold=900)) == 0
