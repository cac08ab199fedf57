"""The compiled parts of verification against slow truths in NumPy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lookalike.verification.cells import Cells
from lookalike.verification.colours import _difference
from lookalike.verification.geometry import orientation, scaling, translation
from lookalike.verification.keypoints import detect, mirrored
from lookalike.verification.matching import MAX_DISTANCE, RATIO, matched
from lookalike.verification.planes import REACH, SIGMA, _blurred
from lookalike.verification.tiles import FEWEST_PIXELS, SMOOTH, STRUCTURED, TILE, correlated
from lookalike.verification.warping import warped
from tests.pictures import photo


def test_matches_are_those_of_opencv_where_each_key_point_is_claimed_by_its_nearest() -> None:
    random = np.random.default_rng(1)
    first = random.integers(0, 256, (300, 32), np.uint8)
    second = random.integers(0, 256, (200, 32), np.uint8)
    # Copies with some bits turned over, several of one another, so that some are claimed twice.
    for place in range(150):
        flips = np.packbits(random.random(256) < random.uniform(0, 0.3))
        second[place] = first[random.integers(0, 100)] ^ flips
    distances, nearest = cv2.batchDistance(first, second, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2)
    claims: dict[int, tuple[int, int]] = {}
    for query, ((best, next_best), (train, _)) in enumerate(zip(distances, nearest, strict=True)):
        if best <= MAX_DISTANCE and best < RATIO * next_best:
            claims[train] = min(claims.get(train, (best, query)), (best, query))
    expected = [[query, train] for train, (_, query) in sorted(claims.items())]
    assert len(expected) > 30
    assert matched(first, second).tolist() == expected


@pytest.mark.parametrize("size", [(64, 96), (16, 16), (8, 120)])
def test_correlations_of_tiles_are_those_of_box_filters(size: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    first = cv2.GaussianBlur(random.integers(0, 256, size, np.uint8), (0, 0), 2)
    first[: size[0] // 2, : size[1] // 3] = 90
    second = cv2.add(first // 2, random.integers(0, 12, size, np.uint8))
    mask = np.add.outer(np.arange(size[0]), np.arange(size[1])) > 6

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(plane * mask, cv2.CV_64F, (TILE, TILE), normalize=False) / np.maximum(count, 1)

    x, y = first.astype(np.float64), second.astype(np.float64)
    count = cv2.boxFilter(mask.astype(np.float64), cv2.CV_64F, (TILE, TILE), normalize=False)
    variance_x, variance_y = mean(x * x) - mean(x) ** 2, mean(y * y) - mean(y) ** 2
    covariance = mean(x * y) - mean(x) * mean(y)
    correlation = (covariance + SMOOTH) / np.sqrt((variance_x + SMOOTH) * (variance_y + SMOOTH))
    inside = mask & (count > FEWEST_PIXELS)
    structured = np.maximum(variance_x, variance_y)[inside] > STRUCTURED
    chosen = correlation[inside][structured] if structured.sum() > 50 else correlation[inside]
    expected = np.median(chosen), (chosen > 0.6).mean(), (chosen > 0.9).mean(), structured.mean()
    assert correlated(first, second, mask) == pytest.approx(expected, abs=2e-3)


def test_a_turn_and_stretch_of_all_colours_is_no_recolouring_and_one_of_some_blocks_is() -> None:
    random = np.random.default_rng(3)
    first = random.uniform(-60, 60, (12, 16, 3)).astype(np.float32)
    mask = np.ones((96, 128), np.bool_)
    turned = first.copy()
    turned[..., 1], turned[..., 2] = -0.8 * first[..., 2] + 3, 0.8 * first[..., 1] - 2
    shift = (first - turned).reshape(-1, 3)
    distance, spread, recoloured = _difference(first, turned, mask)
    assert distance == pytest.approx(np.linalg.norm(shift.mean(axis=0)), abs=1e-4)
    deviations = np.linalg.norm(shift - shift.mean(axis=0), axis=1)
    assert spread == pytest.approx(np.percentile(deviations, 75), abs=1e-4)
    assert recoloured == 0.0
    turned[:3, :, 1:] *= -1
    assert _difference(first, turned, mask)[2] == pytest.approx(0.25, abs=0.05)


def test_planes_are_blurred_as_opencv_does() -> None:
    plane = np.random.default_rng(4).uniform(0, 255, (24, 40)).astype(np.float32)
    expected = cv2.GaussianBlur(plane, (2 * REACH + 1, 2 * REACH + 1), SIGMA)
    assert np.abs(_blurred(plane) - expected).max() < 0.01


def test_windows_are_the_sums_of_nine_cells() -> None:
    sums = np.random.default_rng(5).random((5, 7, 19), np.float32)
    padded = np.pad(sums, ((1, 1), (1, 1), (0, 0)))
    expected = sum(padded[y : y + 5, x : x + 7] for y in range(3) for x in range(3))
    assert np.allclose(Cells(sums).widened().sums, expected, atol=1e-5)


@pytest.mark.parametrize("index", range(8))
def test_a_whole_frame_turned_is_resized_to_what_warping_makes_of_it(index: int) -> None:
    noise = np.random.default_rng(6).integers(0, 256, (90, 121, 3), np.uint8)
    pixels = cv2.GaussianBlur(noise, (0, 0), 2)
    size = (80, 104) if index >= 4 else (104, 80)
    matrix = scaling(*size) @ orientation(index) @ scaling(1 / 121, 1 / 90)
    centred = (translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5))[:2]
    expected = cv2.warpAffine(pixels, centred, size, borderMode=cv2.BORDER_REPLICATE).astype(int)
    assert np.abs(warped(pixels, matrix, size) - expected)[2:-2, 2:-2].max() <= 1


def test_key_points_seen_in_a_mirror_are_those_of_the_mirror_image() -> None:
    gray = np.asarray(photo(3).convert("L"))[:240, :320]
    there = mirrored(gray, detect(gray))
    found = detect(np.ascontiguousarray(gray[:, ::-1]))
    places = found.places * (-1, 1) + (320, 0)
    apart = np.linalg.norm(there.places[:, None] - places[None], axis=2)
    again = apart.min(axis=1) < 1.5
    bits = np.bitwise_count(there.descriptors ^ found.descriptors[apart.argmin(axis=1)]).sum(axis=1)
    assert again.mean() > 0.8
    assert np.median(bits[again]) < 20
