"""Candidates: which pairs are worth a look, and that nothing but the two records decides."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from lookalike import candidates as module
from lookalike.candidates import KINDS, candidates, plan
from lookalike.columns import TRIMMED, WHOLE, Columns
from lookalike.features.coarse import coarse
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES, Flag, has_flag
from lookalike.hubs import Gathering, together
from lookalike.strips import RADIUS, strip_distance
from tests.pictures import jpeg, photo

Pair = tuple[int, int]


def features(*pictures: Image.Image) -> np.ndarray:
    return np.array([extract(jpeg(picture)).record for picture in pictures], FEATURES)


def pairs(records: np.ndarray, first_new: int = 0) -> list[Pair]:
    new_count = len(records) - first_new if first_new else None
    found = {
        (int(i), int(j))
        for spec in plan(len(records), new_count)
        for i, j in candidates(records, spec, first_new)
    }
    return sorted(found)


@pytest.fixture(scope="module")
def collection() -> np.ndarray:
    """Five scenes, and edits of the first."""
    first = photo(0)
    width, height = first.size
    return features(
        *(photo(seed) for seed in range(5)),
        first.resize((320, 240)),
        ImageOps.mirror(first),
        first.rotate(90, expand=True),
        ImageOps.expand(first, 40, "black"),
        first.crop((width // 20, height // 20, width * 19 // 20, height * 19 // 20)),
        ImageEnhance.Brightness(first).enhance(1.3),
        ImageOps.invert(first),
    )


def test_edits_are_candidates_of_their_original_and_other_scenes_are_not(collection: np.ndarray) -> None:
    found = pairs(collection)
    assert [j for i, j in found if i == 0] == [5, 6, 7, 8, 9, 10, 11]
    assert not [(i, j) for i, j in found if 1 <= i <= 4 or 1 <= j <= 4]


@pytest.mark.parametrize("first_new", [1, 5, 9, 11])
def test_an_incremental_search_finds_what_a_full_one_does(collection: np.ndarray, first_new: int) -> None:
    assert pairs(collection, first_new) == [(i, j) for i, j in pairs(collection) if j >= first_new]


def test_a_texture_is_found_under_a_logo_by_what_is_left_beside_it() -> None:
    """Nothing else of it is: the logo changes all hashes, and fine grain has no key point twice."""
    random = np.random.default_rng(9)
    tones = random.normal(120, 40, (12, 16)).clip(0, 255).astype(np.uint8)
    folds = Image.fromarray(tones).resize((640, 480), Image.Resampling.BOX)
    folds = folds.filter(ImageFilter.GaussianBlur(40))
    grain = random.normal(0, 3, (480, 640))
    cloth = Image.fromarray((np.asarray(folds) + grain).clip(0, 255).astype(np.uint8)).convert("RGB")
    covered = cloth.copy()
    covered.paste((240, 30, 60), (200, 150, 552, 414))
    records = features(cloth, covered, photo(2))
    assert pairs(records) == [(0, 1)]
    records["strips"] = 0
    assert pairs(records) == []


def test_pictures_that_have_only_a_frame_in_common_are_not_found_by_it() -> None:
    """Such as playing cards: a strip of both is the same, and hardly anything else."""
    first, second = photo(3), photo(4)
    frame = first.crop((0, 0, first.width // 4, first.height))
    second.paste(frame, (0, 0))
    records = features(first, second)
    assert strip_distance(*records) == 0
    assert pairs(records) == []


def test_the_order_of_the_images_does_not_matter(collection: np.ndarray) -> None:
    order = np.random.default_rng(5).permutation(len(collection))
    moved = {tuple(sorted((int(order[i]), int(order[j])))) for i, j in pairs(collection[order])}
    assert moved == set(pairs(collection))


def test_shards_are_plain_json_and_together_find_what_one_does(
    collection: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pairs(collection)
    monkeypatch.setattr(module, "_SHARD_SECONDS", 0.0)
    specs: list[dict[str, Any]] = json.loads(json.dumps(plan(len(collection))))
    assert len(specs) > 3
    parts = [candidates(collection, spec) for spec in specs]
    assert sorted({(int(i), int(j)) for part in parts for i, j in part}) == whole


def test_flat_pictures_meet_only_flat_pictures_of_their_size_and_colour() -> None:
    records = features(
        Image.new("RGB", (200, 100), "white"),
        Image.new("RGB", (200, 100), "#fefefe"),
        Image.new("RGB", (200, 100), "black"),
        Image.new("RGB", (300, 100), "white"),
        photo(1),
    )
    assert pairs(records) == [(0, 1)]


def test_no_images_and_one_image_have_no_candidates() -> None:
    assert pairs(features()) == []
    assert pairs(features(photo(1))) == []


def drawn_records(seed: int, count: int) -> np.ndarray:
    """Records whose hashes are copies of each other with flipped bits, most of them in high frequencies."""
    random = np.random.default_rng(seed)
    records = np.zeros(count, FEATURES)
    base = random.integers(0, 256, 32, np.uint8)
    for name in ("whole", "regions"):
        shape = records[name].shape
        flips = np.packbits(random.random((*shape[:-1], 256)) < random.choice([0.02, 0.2, 0.5]), axis=-1)
        records[name] = base ^ flips
    records["trimmed"] = base ^ np.packbits(random.random((count, 256)) < 0.1, axis=-1)
    strips = random.integers(1, 1 << 63, dtype=np.uint64) ^ (
        np.uint64(1) << random.integers(1, 64, (count, 4, 3), dtype=np.uint64)
    ).sum(axis=2, dtype=np.uint64)
    records["flags"] = random.choice([0, int(Flag.HAS_TRIM), int(Flag.FLAT)], count, p=[0.6, 0.3, 0.1])
    has_strip = (random.random((count, 4)) < 0.3) & ~has_flag(records, Flag.FLAT)[:, None]
    records["strips"] = np.where(has_strip, strips, 0)
    return records


def slow_truth(records: np.ndarray) -> set[Pair]:
    """Pairs of which one has a seen hash that is near a hash of the other, hash by hash."""
    columns = Columns.of(records)
    hashed = ~columns.has(Flag.FLAT)
    found = set()
    for i, j in itertools.permutations(np.flatnonzero(hashed).tolist(), 2):
        seen = [WHOLE, TRIMMED] if columns.plain["flags"][i] & Flag.HAS_TRIM else [WHOLE]
        for kind in KINDS:
            others = [kind.column]
            if kind == KINDS[0] and columns.plain["flags"][j] & Flag.HAS_TRIM:
                others.append(TRIMMED)
            for one, other in itertools.product(seen, others):
                bits = columns.hashes[i, one] ^ columns.hashes[j, other]
                coarse = columns.coarse[0, one, i] ^ columns.coarse[0, other, j]
                if kind.is_negative:
                    bits, coarse = ~bits, ~coarse
                is_near = np.bitwise_count(bits).sum() <= kind.radius
                if is_near and np.bitwise_count(coarse) <= kind.coarse_radius:
                    found.add((min(i, j), max(i, j)))
    for i, j in itertools.combinations(range(len(records)), 2):
        one, other = records["strips"][[i, j]]
        if (np.bitwise_count(one ^ other)[(one != 0) & (other != 0)] <= RADIUS).any():
            found.add((i, j))
    return found


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 14), st.sampled_from([0.0, 5.0]), st.integers(0, 14))
def test_joins_in_any_pieces_find_what_comparing_hash_by_hash_finds(
    seed: int, count: int, shard_seconds: float, new: int
) -> None:
    records = drawn_records(seed, count)
    expected = slow_truth(records)
    first_new = max(0, count - new)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SHARD_SECONDS", shard_seconds)
        patch.setattr(module, "_BLOCK_ROWS", 5)
        if shard_seconds == 0.0:  # the ring, which so few would not get
            patch.setattr(module.cost, "ring_seconds", lambda *_: 0.0)
        assert {pair for pair in pairs(records) if not_flat(records, pair)} == expected
        assert {pair for pair in pairs(records, first_new) if not_flat(records, pair)} == {
            pair for pair in expected if pair[1] >= first_new
        }


def not_flat(records: np.ndarray, pair: Pair) -> bool:
    return not any(records["flags"][row] & Flag.FLAT for row in pair)


def test_coarse_hashes_are_the_lowest_frequencies_without_the_constant() -> None:
    row, column = np.mgrid[:16, :16]
    for r, c in itertools.product(range(16), range(16)):
        bits = ((row == r) & (column == c)).astype(np.uint8)
        word = coarse(np.packbits(bits.ravel()))
        assert np.bitwise_count(word) == (0 < r + c <= 10 and (r, c) != (10, 0))


def test_pairs_of_hubs_are_left_out_and_the_hubs_linked() -> None:
    gathering = Gathering(2000, most_pairs=10_000)
    star = np.arange(1, 600)
    gathering.add(np.zeros(599, np.int64), star)
    for first in range(1000, 1400):  # all with all
        gathering.add(np.full(1400 - first, first), np.arange(first, 1400))
    gathering.add(np.array([1001, 5]), np.array([7, 1001]))
    found = gathering.result()
    hubs = np.unique(found.links)
    assert set(hubs.tolist()) <= set(range(1000, 1400))
    assert len(hubs) > 300
    assert {(0, int(other)) for other in star} | {(7, 1001), (5, 1001)} <= set(
        map(tuple, found.pairs.tolist())
    )
    inside = np.isin(found.pairs, hubs).all(axis=1)
    assert not inside.any()
    assert set(found.links[:, 1].tolist()) == {1000}
    # What several shards have found is put together.
    again = together(
        np.concatenate([found.pairs, [[1000, 1001]]]), np.concatenate([found.links, found.links])
    )
    np.testing.assert_array_equal(again.pairs, found.pairs)
    np.testing.assert_array_equal(again.links, found.links)
