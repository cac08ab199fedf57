"""Candidates: which pairs are worth a look, and that nothing but the two records decides."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lookalike import candidates as module
from lookalike.candidates import candidates, plan
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
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


def test_the_order_of_the_images_does_not_matter(collection: np.ndarray) -> None:
    order = np.random.default_rng(5).permutation(len(collection))
    moved = {tuple(sorted((int(order[i]), int(order[j])))) for i, j in pairs(collection[order])}
    assert moved == set(pairs(collection))


def test_shards_are_plain_json_and_together_find_what_one_does(
    collection: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pairs(collection)
    monkeypatch.setattr(module, "COMPARISONS_PER_SHARD", 1500)
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
