from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from lookalike.candidacy import candidacy
from lookalike.candidates import candidates, plan
from lookalike.explanation import explained, with_candidacy
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.illustration import BLUE, RED, Side, illustrated
from lookalike.placement import placement
from lookalike.verification.comparison import Comparison, verify
from lookalike.verification.geometry import corners
from lookalike.verification.subject import Prepared, Subject, prepare
from tests.pictures import jpeg, photo


@cache
def scene() -> Image.Image:
    return photo(71, (480, 360))


def prepared(image: Image.Image) -> Prepared:
    extracted = extract(jpeg(image, 95))
    return prepare(Subject(extracted.record, extracted.proxy))


def compared(first: Image.Image, second: Image.Image) -> Comparison:
    a, b = prepared(first), prepared(second)
    return with_candidacy(verify(a, b), a.record, b.record)


def with_sticker(image: Image.Image) -> Image.Image:
    covered = image.copy()
    ImageDraw.Draw(covered).rectangle((300, 40, 420, 140), fill=(250, 220, 20), outline=(10, 10, 10), width=4)
    return covered


def drawn(first: Image.Image, second: Image.Image) -> tuple[Image.Image, Comparison]:
    a, b = prepared(first), prepared(second)
    found = verify(a, b)
    sides = [Side(f"{n}.png", image, image.size) for n, image in enumerate((first, second))]
    return illustrated(*sides, found, explained(found), swapped=b.key < a.key), found


def near(image: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has a colour, as it is drawn in lines."""
    return np.abs(np.asarray(image, np.int16) - colour).max(axis=2) < 8


def test_what_was_done_to_a_copy_is_told_in_words() -> None:
    cut = scene().crop((96, 72, 480, 360))
    told = " ".join(explained(compared(scene(), ImageOps.mirror(cut).resize((192, 144)))))
    assert "from 20% to 100% across and from 20% to 100% down" in told
    assert "mirrored" in told
    assert "times as large" in told
    assert "would be compared" in told
    assert "turned counter-clockwise by 90°" in " ".join(
        explained(compared(scene(), scene().transpose(Image.Transpose.ROTATE_90)))
    )
    stuck = compared(scene(), with_sticker(scene()))
    assert "is changed, in 1 region" in " ".join(explained(stuck))
    # The rest is as it was: a sticker is no change of tone.
    assert (stuck.transform["gain"], stuck.transform["colour_shift"]) == (1.0, 0.0)


def test_why_two_pictures_do_not_match_is_told_in_words() -> None:
    told = explained(compared(scene(), photo(72, (480, 360))))
    assert told[0].startswith("No match.")
    assert any("would not even be compared" in sentence for sentence in told)
    flat = explained(compared(Image.new("RGB", (90, 60), "red"), Image.new("RGB", (90, 60), "blue")))
    assert flat[0] == "No match. Both are plain, and of other colours."


def test_candidacy_says_what_the_search_does() -> None:
    pictures = [scene(), scene().crop((60, 40, 400, 300)), photo(73), scene().rotate(30, expand=True)]
    records = np.array([prepared(picture).record for picture in pictures], FEATURES)
    found = {tuple(pair) for spec in plan(len(records)) for pair in candidates(records, spec).tolist()}
    for i in range(len(records)):
        for j in range(i + 1, len(records)):
            told = candidacy(records[i], records[j])
            assert told["is_candidate"] == ((i, j) in found)
            assert candidacy(records[j], records[i])["hash"] == told["hash"]
    turned = candidacy(records[0], records[3])
    assert turned["is_candidate"]
    assert turned["votes"] >= 2
    assert turned["hash"]["distance"] > turned["hash"]["limit"]


@pytest.mark.parametrize("angle", [0, 20, 45, 90, -150])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_is_placed_as_its_transform_says(angle: int, mirrored: bool) -> None:
    """The slow truth: the corners of a second picture that was cut out of the first by hand."""
    first, second, scale = (800, 600), (200, 150), 0.5
    turn = math.radians(angle)
    forward = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]) * scale
    if mirrored:
        forward = forward @ np.diag([-1.0, 1.0])
    outline = np.array([[-100, -75], [100, -75], [100, 75], [-100, 75]]) @ np.linalg.inv(forward).T + (
        390,
        310,
    )
    left, top = (outline.min(axis=0) / first).tolist()
    right, bottom = (outline.max(axis=0) / first).tolist()
    transform = {"box": [left, top, right, bottom], "angle": angle, "mirrored": mirrored}
    assert np.abs(corners(placement(transform, first, second), second) - outline).max() < 1e-6


def test_changed_regions_are_framed_where_they_are() -> None:
    page, found = drawn(scene(), with_sticker(scene()))
    assert found.relation == "overlaid"
    panels = near(page, RED)[120:]
    half = page.width // 2
    for panel in (panels[:, :half], panels[:, half:]):
        rows, columns = np.nonzero(panel)
        # Of the panel's 640 px: the sticker is at 300 to 420 of 480.
        assert abs(columns.min() - (28 + 300 * 640 / 480)) < 60  # regions are told in cells
        assert abs(columns.max() - (28 + 420 * 640 / 480)) < 60  # regions are told in cells
        assert 100 < rows.max() - rows.min() < 200


def test_a_crop_is_framed_in_the_picture_that_shows_more() -> None:
    page, _ = drawn(scene(), scene().crop((240, 0, 480, 360)))
    framed = near(page, BLUE)
    assert framed[:, : page.width // 2].sum() > 500
    assert framed[:, page.width // 2 :].sum() < 50


def test_unrelated_pictures_stand_side_by_side_without_marks() -> None:
    page, _ = drawn(Image.new("RGB", (300, 200), "gray"), scene())
    assert not near(page, BLUE).any()
    assert page.width > page.height
