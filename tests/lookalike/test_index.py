"""Every fast join against the slow truth, on data that is skewed, poor in information or full of copies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike.index import bands, brute, directory, flat, ring
from lookalike.index.equal import _first_by_sorting, collapse
from lookalike.index.equal_table import first_equal_rows
from lookalike.index.pairs import Pairs, gathered
from lookalike.index.planner import (
    DistinctPairs,
    Shard,
    join,
    plan_shards,
    run_shard,
    run_shards,
    self_join,
    self_join_distinct,
)
from lookalike.index.words import to_words

RADII = {64: (0, 1, 3, 4, 8, 10, 16, 33, 64), 256: (0, 1, 7, 15, 16, 20, 31, 32, 40, 48, 64, 76)}


def make_hashes(seed: int, count: int, bits: int, radius: int) -> NDArray[np.uint8]:
    """Return hashes in which a third are copies with up to radius + 3 flips; some bits hardly vary."""
    random = np.random.default_rng(seed)
    evenness = random.choice([0.02, 0.2, 0.5], bits) if seed % 2 else np.full(bits, 0.5)
    unpacked = random.random((count, bits)) < evenness
    for _ in range(count // 3):
        source, target = random.integers(0, count, 2)
        unpacked[target] = unpacked[source]
        flips = random.integers(0, min(bits, radius + 4))
        unpacked[target, random.choice(bits, flips, replace=False)] ^= True
    return np.packbits(unpacked, axis=1)


def ring_join(hashes: NDArray[np.uint8], radius: int, order: NDArray[np.int64] | None = None) -> Pairs:
    rows = range(len(hashes))
    order = bands.bit_order(hashes) if order is None else order
    numbers = np.flatnonzero(bands.budgets(len(order), radius)).tolist()
    return gathered(
        [p for band in numbers for p in ring.pairs_of_band(hashes, rows, rows, band, order, radius)]
    )


def assert_equal(found: Pairs, expected: Pairs) -> None:
    for got, wanted in ((found.i, expected.i), (found.j, expected.j), (found.distance, expected.distance)):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype


@pytest.mark.parametrize(("bits", "radius"), [(bits, radius) for bits in RADII for radius in RADII[bits]])
def test_ring_and_brute_force_find_what_the_slow_truth_finds(bits: int, radius: int) -> None:
    for seed, count in enumerate((0, 1, 2, 3, 300)):
        hashes = make_hashes(seed, count, bits, radius)
        expected = flat.self_join(hashes, radius)
        rows = range(count)
        assert_equal(gathered(list(brute.pairs_between(hashes, rows, rows, radius))), expected)
        if bits == 256 or radius <= 16:
            assert_equal(ring_join(hashes, radius), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 120), st.sampled_from([64, 256]), st.integers(0, 76))
def test_any_order_of_bits_gives_the_same_pairs(seed: int, count: int, bits: int, radius: int) -> None:
    radius = min(radius, bits // 4)
    hashes = make_hashes(seed, count, bits, radius)
    order = np.random.default_rng(seed).permutation(bits)
    assert_equal(ring_join(hashes, radius, order), flat.self_join(hashes, radius))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([64, 256]), st.integers(0, 76))
def test_chosen_rows_are_joined_as_if_there_were_no_others(
    seed: int, count: int, bits: int, radius: int
) -> None:
    hashes = make_hashes(seed, count, bits, min(radius, bits))
    chosen = np.flatnonzero(np.random.default_rng(seed).random(count) < 0.7).astype(np.int32)
    expected = flat.self_join(hashes[chosen], radius)
    ways = ["flat", "brute", "ring"] if radius <= bits // 4 else ["flat", "brute"]
    for way in ways:
        rows = [0, len(chosen)]
        bands_of_way = np.flatnonzero(bands.budgets(bits, radius)).tolist() if way == "ring" else [0]
        shards: list[Shard] = [
            {"way": way, "bits": bits, "radius": radius, "rows": rows, "against": rows, "band": band}
            for band in bands_of_way
        ]
        found = run_shards(hashes, shards, chosen=chosen)
        assert_equal(found, Pairs(chosen[expected.i], chosen[expected.j], expected.distance))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 60),
    st.integers(0, 400),
    st.sampled_from([0, 1, 2, 3, 7, 11, 15]),
    st.sampled_from([8_000_000, 10_000]),
)
def test_many_that_look_themselves_up_find_what_the_slow_truth_finds(
    seed: int, few: int, many: int, radius: int, most_entries: int
) -> None:
    hashes = make_hashes(seed, few + many, 64, radius)
    expected = flat.join(hashes[:few], hashes[few:], radius)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "_MOST_ENTRIES", most_entries)
        for queries, candidates in (
            (range(few), range(few, few + many)),
            (range(few, few + many), range(few)),
        ):
            found = gathered(list(directory.pairs_between(hashes, queries, candidates, radius)))
            assert_equal(found, Pairs(expected.i, expected.j + np.int32(few), expected.distance))


def test_few_that_are_all_alike_are_compared_with_all() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 256, (1_200, 8), np.uint8)
    # The same in one band: whoever looks there finds them all.
    hashes[:, 2:4] = hashes[0, 2:4]
    hashes[200:, 4:] = hashes[:1_000, 4:]
    words = to_words(hashes[:200]).reshape(-1)
    assert directory._is_crowded(words, np.array([2, 2, 2, 2], np.uint64))
    found = gathered(list(directory.pairs_between(hashes, range(200), range(200, 1_200), 11)))
    expected = flat.join(hashes[:200], hashes[200:], 11)
    assert len(expected) > 100
    assert_equal(found, Pairs(expected.i, expected.j + np.int32(200), expected.distance))


def test_buckets_of_more_than_a_block_of_equal_keys_lose_and_repeat_no_pair() -> None:
    random = np.random.default_rng(1)
    hashes = random.integers(0, 256, (9_000, 32), np.uint8)
    # One key in every band but two: 9,000 rows in one bucket, in several blocks and groups of queries.
    hashes[:, :28] = hashes[0, :28]
    rows = range(len(hashes))
    expected = gathered(list(brute.pairs_between(hashes, rows, rows, 7)))
    assert len(expected) > 40_000
    assert_equal(ring_join(hashes, 7, np.arange(256, dtype=np.int64)), expected)


def test_many_rows_with_long_keys_give_the_pairs_of_brute_force() -> None:
    hashes = make_hashes(3, 30_000, 256, 20)
    rows = range(len(hashes))
    expected = gathered(list(brute.pairs_between(hashes, rows, rows, 20)))
    assert len(expected) > 5_000
    assert_equal(ring_join(hashes, 20), expected)


def test_a_cluster_of_near_copies_comes_in_parts_of_bounded_size() -> None:
    random = np.random.default_rng(0)
    hashes = np.repeat(random.integers(0, 256, (1, 32), np.uint8), 1_500, axis=0)
    hashes[:, :2] = random.integers(0, 256, (1_500, 2), np.uint8) & 3  # at most 4 flips apart
    rows = range(len(hashes))
    order = np.arange(256, dtype=np.int64)
    parts = [part for band in range(16) for part in ring.pairs_of_band(hashes, rows, rows, band, order, 31)]
    assert max(len(part) for part in parts) <= 1 << 19
    assert sum(len(part) for part in parts) == 1_500 * 1_499 // 2
    keys = np.concatenate([part.i.astype(np.int64) << 32 | part.j for part in parts])
    assert len(np.unique(keys)) == len(keys)


@pytest.mark.parametrize("way", ["flat", "brute", "ring"])
def test_shards_in_any_order_make_the_join_and_none_repeats_a_pair(way: str) -> None:
    hashes = make_hashes(5, 400, 256, 31)
    shards: list[Shard] = [
        {"way": way, "bits": 256, "radius": 31, "rows": list(a), "against": list(b), "band": band}
        for a, b in (((0, 150), (0, 150)), ((150, 400), (0, 150)), ((150, 400), (150, 400)))
        for band in (range(16) if way == "ring" else range(1))
    ]
    shards = json.loads(json.dumps(shards))[::-1]
    assert_equal(run_shards(hashes, shards, cores=2), flat.self_join(hashes, 31))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 200), st.integers(0, 200), st.sampled_from([0, 8, 31, 64]))
def test_new_rows_against_stored_ones_complete_the_join(
    seed: int, stored: int, new: int, radius: int
) -> None:
    hashes = make_hashes(seed, stored + new, 256, radius)
    before = run_shards(hashes, plan_shards(stored, 256, radius))
    added = run_shards(hashes, plan_shards(stored + new, 256, radius, first_new=stored))
    assert_equal(gathered([before, added]), flat.self_join(hashes, radius))
    assert_equal(
        join(hashes[stored:], hashes[:stored], radius), flat.join(hashes[stored:], hashes[:stored], radius)
    )


def test_less_memory_means_more_shards_that_each_stay_within_it() -> None:
    few, many = plan_shards(10**7, 256, 31), plan_shards(10**7, 256, 31, memory_bytes=100 << 20)
    assert len(few) == 16
    assert len(many) > len(few)
    assert max(shard["rows"][1] - shard["rows"][0] for shard in many) * 20 * 2 <= 100 << 20


def test_a_memory_mapped_file_joins_like_an_array(tmp_path) -> None:  # type: ignore[no-untyped-def]
    hashes = make_hashes(9, 200, 256, 31)
    np.save(tmp_path / "hashes.npy", hashes)
    mapped = np.load(tmp_path / "hashes.npy", mmap_mode="r")
    shard: Shard = {
        "way": "brute",
        "bits": 256,
        "radius": 31,
        "rows": [0, 200],
        "against": [0, 200],
        "band": 0,
    }
    assert_equal(run_shard(mapped, shard), flat.self_join(hashes, 31))


def test_a_hub_of_equal_hashes_is_joined_once_and_its_members_come_along() -> None:
    hashes = make_hashes(4, 300, 256, 31)
    hashes = np.concatenate([hashes, np.repeat(hashes[:1], 20_000, axis=0)])
    found: DistinctPairs = self_join_distinct(hashes, 31)
    hub = int(np.flatnonzero(found.distinct.rows == 0)[0])
    assert found.distinct.starts[hub + 1] - found.distinct.starts[hub] >= 20_001
    assert len(found.pairs) < 1_000


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 3))
def test_equal_rows_expand_to_what_the_slow_truth_finds(values: list[int], radius: int) -> None:
    hashes = np.zeros((len(values), 32), np.uint8)
    hashes[:, 5] = values
    assert_equal(self_join(hashes, radius), flat.self_join(hashes, radius))
    words = to_words(hashes)
    np.testing.assert_array_equal(first_equal_rows(words), _first_by_sorting(words))
    np.testing.assert_array_equal(hashes[collapse(hashes).rows], hashes[np.unique(_first_by_sorting(words))])


def test_bits_that_tell_nothing_are_spread_over_the_bands() -> None:
    random = np.random.default_rng(0)
    poor = np.concatenate(
        [np.zeros((5_000, 16), np.uint8), random.integers(0, 256, (5_000, 16), np.uint8)], axis=1
    )
    order = bands.bit_order(poor)
    assert sorted(order.tolist()) == list(range(256))
    assert {int(np.sum(band >= 128)) for band in order.reshape(16, 16)} == {8}
