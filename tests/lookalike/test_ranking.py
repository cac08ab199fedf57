"""The best copy is chosen by what each image is, never by what it is compared with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike.features.record import FEATURES, Flag
from lookalike.ranking import REASONS, rank, reasons

PLAIN = {
    "width": 400,
    "height": 300,
    "true_width": 400,
    "true_height": 300,
    "jpeg_quality": 90,
    "sharpness": 0.5,
}


def records(*changes: dict[str, object]) -> NDArray[np.void]:
    features = np.zeros(len(changes), FEATURES)
    for row, change in enumerate(changes):
        for name, value in (PLAIN | change).items():
            features[name][row] = value
    return features


BETTER = {
    "larger": {"width": 800, "height": 600, "true_width": 800, "true_height": 600},
    "lossless": {"flags": int(Flag.LOSSLESS), "jpeg_quality": 0},
    "higher_quality": {"jpeg_quality": 95},
    "more_metadata": {"metadata_count": 12},
    "sharper": {"sharpness": 0.9},
    "older": {"taken_at": 1_000_000_000},
    "first_id": {},
}


@pytest.mark.parametrize("code", list(BETTER))
def test_each_quality_makes_an_original_and_says_so(code: str) -> None:
    features = records({}, BETTER[code])
    assert rank(features, ["b.jpg", "a.jpg"]).tolist() == [1, 0]
    assert reasons(features[::-1]) == [code]
    assert code in REASONS


def test_an_enlarged_copy_loses_to_its_original_even_if_its_true_size_is_overestimated() -> None:
    features = records({"width": 800, "height": 600, "true_width": 404, "true_height": 303}, {})
    assert rank(features, ["a", "b"]).tolist() == [1, 0]
    assert reasons(features[::-1]) == ["not_enlarged"]


def test_reasons_name_every_quality_that_decided() -> None:
    small = {"width": 200, "height": 150, "true_width": 200, "true_height": 150, "metadata_count": 40}
    assert reasons(records({"metadata_count": 12}, small, {}, {"metadata_count": 12})) == [
        "larger",
        "more_metadata",
        "first_id",
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(BETTER)), st.sampled_from(sorted(BETTER))), max_size=12),
    st.randoms(),
)
def test_the_rank_of_images_is_total_and_the_same_in_any_order_and_company(made, random) -> None:  # type: ignore[no-untyped-def]
    changes = [BETTER[one] | BETTER[other] for one, other in made]
    ids = [f"{number % 5}/{number}" for number in range(len(made))]
    ranks = rank(records(*changes), ids)
    assert sorted(ranks.tolist()) == list(range(len(made)))
    some = random.sample(range(len(made)), len(made) // 2)
    alone = rank(records(*(changes[k] for k in some)), [ids[k] for k in some])
    assert [some[k] for k in np.argsort(alone)] == sorted(some, key=ranks.tolist().__getitem__)
