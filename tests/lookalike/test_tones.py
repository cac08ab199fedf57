"""Colours of changed pixels against slow truths in NumPy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.verification import tones
from lookalike.verification.cells import CELL
from lookalike.verification.shapes import foreign_share


def picture() -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    pixels = cv2.resize(coarse, (96, 72), interpolation=cv2.INTER_CUBIC)
    pixels[20:44, 16:64] = (200, 30, 40)
    return pixels


def test_even_pixels_have_neighbours_of_their_colour() -> None:
    pixels = picture()
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(pixels, ((1, 1), (1, 1), (0, 0)), "edge").astype(int), (3, 3), axis=(0, 1)
    )
    expected = (np.ptp(around, axis=(3, 4)) <= tones.EVEN).all(axis=2)
    assert 300 < expected.sum() < expected.size - 300
    assert (tones.even(pixels) == expected).all()


def test_a_colour_is_a_pictures_own_as_far_as_it_is_nowhere_else() -> None:
    pixels, mask = picture(), np.ones((72, 96), np.bool_)
    changed = np.zeros((72 // CELL, 96 // CELL), np.bool_)
    changed[3:5, 2:8] = True  # within the red shape, which reaches a little further
    chosen = np.kron(changed, np.ones((CELL, CELL), np.bool_)) > 0
    outside = tones.elsewhere(pixels, changed, mask, 4)
    red = ((pixels == (200, 30, 40)).all(axis=2) & ~chosen)[::2, ::2].sum() / (~chosen)[::2, ::2].sum()
    own = tones.own_colours(tones.colours(pixels, chosen, 4), int(chosen.sum()), outside)
    assert 0.05 < red < 0.2
    assert abs(own - (1 - red)) < 0.02
    assert tones.few_tones(pixels, chosen) == 1.0


def test_an_even_shape_on_the_limit_of_two_steps_is_foreign_unless_the_picture_has_it_elsewhere() -> None:
    rng = np.random.default_rng(5)
    pixels = np.uint8(rng.integers(0, 60, (64, 64, 3)))
    changed = np.zeros((8, 8), np.bool_)
    changed[2:6, 2:6] = True
    pixels[16:48, 16:48] = np.uint8(128 + rng.integers(-2, 3, (32, 32, 3)))
    mask = np.ones((64, 64), np.bool_)
    assert foreign_share(pixels, tones.even(pixels), changed, mask) > 0.8
    pixels[:8] = 128
    assert foreign_share(pixels, tones.even(pixels), changed, mask) == 0.0
