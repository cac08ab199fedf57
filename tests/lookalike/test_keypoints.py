from __future__ import annotations

from PIL import Image

from lookalike.features.extraction import extract
from lookalike.features.keypoints import DESCRIPTOR_BITS, KEY_POINT, MOST_KEY_POINTS, key_points
from tests import pictures


def test_a_key_point_takes_64_bytes_of_which_half_describe_it() -> None:
    assert (KEY_POINT.itemsize, KEY_POINT["descriptor"].itemsize * 8) == (64, DESCRIPTOR_BITS)


def test_pictures_differ_in_the_number_of_their_key_points() -> None:
    counts = set()
    for seed in range(4):
        found = extract(pictures.jpeg(pictures.photo(seed)))
        points = key_points(found.proxy, found.width, found.height)
        assert 0 < len(points) < MOST_KEY_POINTS
        # In pixels of the picture, not of its proxy.
        assert points["x"].max() > found.record["proxy_width"]
        counts.add(len(points))
    assert len(counts) == 4


def test_a_picture_without_corners_has_none() -> None:
    plain = extract(pictures.png(Image.new("RGB", (64, 64), "red")))
    assert len(key_points(plain.proxy, 64, 64)) == 0
