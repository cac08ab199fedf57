"""The first glance at two proxies: pictures of one template are told from copies before anything else."""

from __future__ import annotations

import weakref
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from benchmarks import template_pictures
from lookalike.explanation import explained
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.local.record import mirrored
from lookalike.local.recount import Recounted, are_turned, points_of, recounted
from lookalike.local.vocabulary import shipped
from lookalike.verification.comparison import verify
from lookalike.verification.glance import glance
from lookalike.verification.places import places
from lookalike.verification.subject import Prepared, Subject, prepare
from tests.pictures import jpeg, photo

OTHER_CONTENT = "other_content_in_the_same_places"


def prepared(picture: Image.Image) -> Prepared:
    extracted = extract(jpeg(picture))
    return prepare(Subject(extracted.record, extracted.proxy))


def receipt(seed: int) -> Image.Image:
    return template_pictures.receipt(Random(seed)).crop((0, 0, 420, 510))


def local(*pictures: Image.Image) -> NDArray[np.void]:
    records = np.array([extract(jpeg(picture)).record for picture in pictures], FEATURES)
    return np.ascontiguousarray(records["local"])


def recount(
    one: NDArray[np.void], other: NDArray[np.void], is_mirrored: bool, is_turned: bool = False
) -> Recounted:
    return recounted(points_of(one), points_of(other), np.array([is_mirrored]), np.array([is_turned]))


@pytest.fixture(scope="module")
def receipts() -> list[Prepared]:
    return [prepared(receipt(seed)) for seed in range(6)]


def test_two_receipts_of_one_till_are_told_apart_at_first_glance(receipts: list[Prepared]) -> None:
    seen = [glance(one.sketch, other.sketch) for one in receipts for other in receipts if one is not other]
    told = [one for one in seen if one is not None]
    assert told
    assert np.mean([one.is_promising for one in told]) < 0.2


def test_copies_of_a_receipt_pass(receipts: list[Prepared]) -> None:
    page = receipt(0)
    shot = Image.new("RGB", (900, 700), (40, 60, 80))
    shot.paste(page, (230, 90))
    for copy in (page.crop((20, 60, 400, 480)), page.rotate(4, fillcolor=255), shot):
        seen = glance(receipts[0].sketch, prepared(copy).sketch)
        assert seen is None or seen.is_promising


def test_what_ends_at_first_glance_says_so(receipts: list[Prepared]) -> None:
    found = [verify(receipts[0], other) for other in receipts[1:]]
    ended = [one for one in found if one.evidence["verdict"]["reason"] == OTHER_CONTENT]
    assert ended
    for one in ended:
        assert one.relation == "unrelated"
        assert 0 < one.similarity < 60
        assert 0 < one.evidence["glance"]["likelihood"] < 0.5
        assert "other words" in explained(one)[0]
        assert any(line.startswith("At first glance") for line in explained(one))


def test_a_glance_does_not_depend_on_which_comes_first(receipts: list[Prepared]) -> None:
    for other in receipts[1:]:
        one, back = verify(receipts[0], other), verify(other, receipts[0])
        assert (one.similarity, one.relation, one.evidence) == (back.similarity, back.relation, back.evidence)


def test_pictures_with_nothing_to_say_where_they_lie_are_compared_in_full() -> None:
    one, other = prepared(photo(1)), prepared(photo(2))
    assert not len(places(one.sketch, other.sketch).maps)
    assert glance(one.sketch, other.sketch) is None
    assert "agreement" in verify(one, other).evidence or verify(one, other).similarity == 0


def test_places_are_where_a_crop_was_taken() -> None:
    whole = photo(3)
    width, height = whole.size
    part = whole.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    found = places(prepared(whole).sketch, prepared(part).sketch)
    corners = np.array([[0.25, 0.25, 1], [0.75, 0.75, 1]]).T
    errors = [np.abs(between @ corners - [[0, 1], [0, 1]]).max() for between in found.maps]
    assert min(errors) < 0.05


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_all_key_points_of_a_copy_are_recounted(is_mirrored: bool) -> None:
    picture = photo(4)
    smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
    one, other = local(picture), local(ImageOps.mirror(smaller) if is_mirrored else smaller)
    assert recount(one, other, is_mirrored).exact[0] > 15
    assert recount(one, other, not is_mirrored).exact[0] < 6


def test_a_mirrored_recount_is_one_of_the_mirrored_record() -> None:
    one, other = local(photo(5)), local(ImageOps.mirror(photo(5)))
    by_record = recount(mirrored(one, len(shipped().words)), other, is_mirrored=False)
    assert all(map(np.array_equal, recount(one, other, is_mirrored=True), by_record))


def test_a_turned_recount_is_one_from_the_second_to_the_first() -> None:
    one, other = local(photo(5)), local(photo(5).rotate(7))
    back = recount(other, one, is_mirrored=False)
    assert all(map(np.array_equal, recount(one, other, is_mirrored=False, is_turned=True), back))
    assert are_turned(points_of(one), points_of(other)) != are_turned(points_of(other), points_of(one))


def test_a_caption_on_a_receipt_does_not_hide_it(receipts: list[Prepared]) -> None:
    page = receipt(0).convert("RGB")
    ImageDraw.Draw(page).rectangle((30, 200, 200, 320), fill=(200, 30, 30))
    assert verify(receipts[0], prepared(page)).evidence["verdict"]["reason"] != OTHER_CONTENT


def test_what_is_no_longer_compared_is_freed_at_once(receipts: list[Prepared]) -> None:
    once = prepared(receipt(0))
    for one in (once, once.negative):
        verify(one, receipts[1])
        assert one.sketch.pixels.size
    kept = [weakref.ref(once), weakref.ref(once.negative)]
    # A worker keeps a hundred of them, of a megabyte each: the collector does not know how large they are.
    del one, once
    assert [each() for each in kept] == [None, None]
