"""The check before verification: thumbnails are laid on each other, and templates told from copies."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks import template_pictures
from lookalike.candidates import candidates, near_hashes, plan
from lookalike.columns import REGIONS, TRIMMED, TURNED, WHOLE, Columns
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.frames import maps_between, stretches
from lookalike.index.planner import DEFAULT_MEMORY_BYTES
from lookalike.local.likeness import MEASURES, likeness
from lookalike.local.record import LOCAL
from lookalike.local.registration import register
from lookalike.local.thumbnails import inner_boxes, thumbnail
from tests.pictures import jpeg, photo

Picture = Image.Image


def features(*pictures: Picture) -> NDArray[np.void]:
    return np.array([extract(jpeg(picture)).record for picture in pictures], FEATURES)


def pairs(records: NDArray[np.void]) -> set[tuple[int, int]]:
    found = [candidates(records, spec) for spec in plan(len(records))]
    return {(int(i), int(j)) for part in found for i, j in part}


def near_pairs(records: NDArray[np.void]) -> set[tuple[int, int]]:
    """Pairs whose hashes are near, before anybody has looked."""
    found = [
        near
        for spec in plan(len(records))
        if "seen" in spec
        for near in near_hashes(Columns.of(records), spec, DEFAULT_MEMORY_BYTES)
    ]
    return {(min(i, j), max(i, j)) for near in found for i, j in zip(near.seen, near.others, strict=True)}


def local(*grays: NDArray[np.uint8]) -> NDArray[np.void]:
    records = np.zeros(len(grays), LOCAL)
    for record, gray in zip(records, grays, strict=True):
        small = thumbnail(gray)
        record["thumbnail_height"], record["thumbnail_width"] = small.shape
        record["thumbnail"][: small.size] = small.ravel()
    return records


def gray(seed: int) -> NDArray[np.uint8]:
    return np.asarray(photo(seed).convert("L"))


def same_frame(count: int) -> NDArray[np.float64]:
    whole = np.full(count, WHOLE)
    return maps_between(np.zeros(count, LOCAL), np.zeros(count, LOCAL), whole, whole)


@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_registration_finds_where_a_moved_and_toned_picture_lies(gain: float) -> None:
    first = cv2.GaussianBlur(gray(1), (0, 0), 3)[::12, ::12].astype(np.float32)
    true = np.array([[0.96, 0.02, 1.2], [-0.01, 1.03, -0.8]])
    second = cv2.warpAffine(first, true, first.shape[::-1], borderMode=cv2.BORDER_REPLICATE) * gain + 10
    found = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    register(first, second.astype(np.float32), found)
    corners = np.array([[5, 5, 1], [20, 5, 1], [5, 15, 1], [20, 15, 1]]).T
    assert np.abs(found @ corners - true @ corners).max() < 0.3


def test_likeness_does_not_depend_on_which_comes_first() -> None:
    records = local(gray(1), gray(2), gray(1)[20:, 30:], gray(1)[::2, ::2])
    one, other = np.triu_indices(len(records), 1)
    maps = same_frame(len(one))
    assert np.array_equal(
        likeness(maps, records[one], records[other]), likeness(maps, records[other], records[one])
    )


def test_a_picture_is_like_itself_and_unlike_another() -> None:
    records = local(gray(1), gray(2))
    told = likeness(same_frame(2), records[[0, 0]], records)
    fine, tiles = MEASURES.index("fine"), MEASURES.index("tiles")
    assert told[0, tiles] > 0.95 > 0.5 > told[1, tiles]
    assert told[0, fine] > 0.95 > 0.5 > told[1, fine]


def test_frames_of_turned_pictures_and_regions_lie_where_they_were_taken() -> None:
    shown = gray(3)
    height, width = shown.shape
    # Orientation 6 is shown after a quarter turn clockwise.
    turned = np.rot90(shown, -1)
    left, top, right, bottom = 0.075, 0.025, 0.925, 0.975
    region = shown[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    records = local(np.ascontiguousarray(turned), np.ascontiguousarray(region), shown)
    seen, columns = np.array([WHOLE, WHOLE]), np.array([TURNED[5 - 1], REGIONS[0]])
    told = likeness(maps_between(records[:2], records[[2, 2]], seen, columns), records[:2], records[[2, 2]])
    assert told[:, MEASURES.index("tiles")].min() > 0.9


def test_pictures_of_other_proportions_are_stretched_to_each_other() -> None:
    records = np.zeros(2, LOCAL)
    records["width"], records["height"] = (320, 320), (240, 160)
    first, second = records[[0, 0, 0]], records[[0, 1, 1]]
    columns = np.array([WHOLE, WHOLE, TURNED[5 - 1]])
    found = stretches(maps_between(first, second, np.full(3, WHOLE), columns), first, second)
    assert np.allclose(found, np.log([1, 1.5, 8 / 3]))


def test_borders_of_thumbnails_are_found() -> None:
    framed = cv2.copyMakeBorder(gray(1), 60, 60, 0, 0, cv2.BORDER_CONSTANT, value=0)
    (left, top, right, bottom), none = inner_boxes(local(framed, gray(1)))
    share = 60 / framed.shape[0]
    assert (left, right) == (0, 1)
    assert abs(top - share) < 0.06 > abs(1 - bottom - share)
    assert none.tolist() == [0, 0, 1, 1]
    trimmed = np.array([TRIMMED])
    maps = maps_between(local(framed), local(gray(1)), trimmed, np.array([WHOLE]))
    assert likeness(maps, local(framed), local(gray(1)))[0, MEASURES.index("tiles")] > 0.9


def test_most_receipts_are_near_each_other_and_only_copies_are_candidates() -> None:
    random = Random(5)
    drawn = [template_pictures.receipt(random) for _ in range(12)]
    copies = [picture.filter(ImageFilter.GaussianBlur(1)).resize((300, 420)) for picture in drawn]
    records = features(*drawn, *copies)
    copied = {(k, k + len(drawn)) for k in range(len(drawn))}
    found, near = pairs(records), near_pairs(records)
    assert copied <= found
    assert len(near - copied) > 30
    assert len(found - copied) < 0.3 * len(near - copied)
