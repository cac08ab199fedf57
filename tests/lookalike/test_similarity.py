"""Similarity: bands, and never more for a stronger change."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.similarity import Findings, of_copy, of_edited, of_scene, of_unrelated

UNCHANGED = Findings(
    overlap=1.0,
    resize=0.0,
    stretch=1.0,
    quarter_turn_or_mirror=False,
    tilt=0.0,
    colour_shift=0.0,
    tint=0.0,
    contrast_shift=0.0,
    negative=False,
    good=1.0,
    tile=1.0,
    residual=0.0,
    changed=0.0,
)

WORSE = {
    "overlap": -1.0,
    "resize": 4.0,
    "stretch": 1.0,
    "tilt": 45.0,
    "colour_shift": 90.0,
    "contrast_shift": 1.0,
    "good": -0.5,
    "tile": -0.5,
    "residual": 60.0,
    "changed": 0.6,
}

shares = st.floats(0, 1)


@pytest.mark.parametrize("field", WORSE)
@given(weaker=shares, stronger=shares)
def test_a_stronger_change_is_never_more_similar(field: str, weaker: float, stronger: float) -> None:
    weaker, stronger = sorted((weaker, stronger))
    start = getattr(UNCHANGED, field)
    found = [
        of_copy(dataclasses.replace(UNCHANGED, **{field: start + amount * WORSE[field]}))
        for amount in (weaker, stronger)
    ]
    assert found[0] >= found[1] - 1e-9


@given(st.fixed_dictionaries(dict.fromkeys(WORSE, shares)), st.booleans(), st.booleans())
def test_a_copy_is_between_80_and_99_9_whatever_was_done(
    amounts: dict[str, float], turned: bool, negative: bool
) -> None:
    changes = {field: getattr(UNCHANGED, field) + amount * WORSE[field] for field, amount in amounts.items()}
    findings = dataclasses.replace(UNCHANGED, quarter_turn_or_mirror=turned, negative=negative, **changes)
    assert 80.0 <= of_copy(findings) <= 99.9


@given(shares, st.integers(7, 500), st.floats(-1, 1))
def test_what_is_no_copy_stays_in_its_band(good: float, inliers: int, whole: float) -> None:
    assert 70.0 <= of_scene(inliers, good) < 80.0
    assert 0.0 <= of_unrelated(whole, good) < 60.0
    assert of_edited(good) < 80.0


def test_the_bands_are_those_of_the_contract() -> None:
    def similarity(**changes: float) -> float:
        return of_copy(dataclasses.replace(UNCHANGED, **changes))

    assert similarity(residual=8.0, tile=0.97) >= 98.0
    assert 95.0 <= similarity(resize=1.4) < 99.0
    assert 95.0 <= similarity(quarter_turn_or_mirror=True) < 99.0
    assert 90.0 <= similarity(colour_shift=10.0) <= 95.5
    assert 90.0 <= similarity(overlap=0.95) <= 95.5
    assert 90.0 <= similarity(changed=0.08) <= 95.5
    assert 80.0 <= similarity(overlap=0.6, colour_shift=12.0) < 90.0
