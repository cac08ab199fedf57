"""Hubs: what is spared never changes a group, whoever else takes its images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike import grouping
from lookalike.candidates import candidates, plan
from lookalike.columns import Columns
from lookalike.features.record import FEATURES
from worker import hubs

Integers = NDArray[np.int64]
THRESHOLD = 900


def near_records(random: np.random.Generator, count: int) -> np.ndarray:
    """Records most of which are candidates of each other."""
    records = np.zeros(count, FEATURES)
    base = random.integers(0, 256, 32, np.uint8)
    records["whole"] = random.integers(0, 256, records["whole"].shape, np.uint8)
    records["regions"] = random.integers(0, 256, records["regions"].shape, np.uint8)
    records["whole"][:, 0] = base ^ np.packbits(random.random((count, 256)) < 0.12, axis=1)
    return records


def candidate_pairs(records: np.ndarray) -> Integers:
    found = [np.empty((0, 2), np.int64), *(candidates(records, spec) for spec in plan(len(records)))]
    return np.unique(np.concatenate(found), axis=0)


def described(groups: grouping.Groups, low: Integers, high: Integers) -> list[object]:
    """Groups without the numbers of their matches."""
    whose = [(low[m], high[m]) if m >= 0 else None for m in groups.matches.tolist()]
    of_related = [(low[m], high[m]) for m in groups.related_matches.tolist()]
    arrays = (groups.starts, groups.images, groups.tenths, groups.related_starts, groups.related_images)
    return [*(array.tolist() for array in arrays), groups.related_tenths.tolist(), whose, of_related]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 18), st.sampled_from([0.0, 0.2]), st.integers(0, 4))
def test_groups_are_those_of_all_pairs_whoever_is_taken_by_others(
    seed: int, count: int, contested_share: float, outsiders: int
) -> None:
    random = np.random.default_rng(seed)
    records = near_records(random, count)
    pairs = candidate_pairs(records)
    tenths = random.choice([860, 890, 900, 950, 1000], len(pairs), p=[0.1, 0.1, 0.2, 0.3, 0.3])
    similarity = {(int(i), int(j)): int(t) for (i, j), t in zip(pairs, tenths, strict=True)}
    is_contested = random.random(count) < contested_share
    known: dict[tuple[int, int], int] = {}

    def verify(one: Integers, other: Integers) -> Integers:
        for pair in zip(one.tolist(), other.tolist(), strict=True):
            assert pair not in known
            known[pair] = similarity[pair]
        return np.array([similarity[pair] for pair in zip(one.tolist(), other.tolist(), strict=True)])

    spared = hubs.verified(Columns.of(records), is_contested, THRESHOLD, verify)
    assert spared >= len(similarity) - len(known)
    # Better images, not of the hub, that match some of the contested ones.
    outside = [
        (count + number, int(row))
        for number in range(outsiders)
        for row in np.flatnonzero(is_contested)
        if random.random() < 0.5
    ]
    rank = np.concatenate([np.arange(count) + outsiders, np.arange(outsiders)]).astype(np.int64)
    found = []
    for inside in (similarity, known):
        ends = np.array([*inside, *outside], np.int64).reshape(-1, 2)
        low, high = np.sort(ends, axis=1).T
        order = np.lexsort((high, low))
        told = np.array([*inside.values(), *(950 for _ in outside)], np.int64)
        groups = grouping.group(rank, low[order], high[order], told[order], THRESHOLD)
        found.append(described(groups, low[order], high[order]))
    assert found[0] == found[1]


def test_a_hub_of_nearly_equal_images_takes_one_comparison_for_each() -> None:
    count = 700
    records = near_records(np.random.default_rng(0), count)
    base = records["whole"][0, 0].copy()
    records["whole"][:, 0] = base
    records["whole"][:, 0, 31] ^= np.arange(count).astype(np.uint8)
    compared = 0

    def verify(one: Integers, other: Integers) -> Integers:
        nonlocal compared
        compared += len(one)
        return np.full(len(one), 980)

    spared = hubs.verified(Columns.of(records), np.zeros(count, bool), THRESHOLD, verify)
    assert compared == count - 1
    assert spared == (count - 1) * (count - 2) // 2


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_a_hub_of_no_pairs(count: int) -> None:
    records = near_records(np.random.default_rng(0), count)
    assert hubs.verified(Columns.of(records), np.zeros(count, bool), THRESHOLD, lambda i, j: i) == 0
