from __future__ import annotations

import io
import subprocess
import sys

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageOps

from lookalike.decoding import decode
from lookalike.features import proxy
from lookalike.features.detail import sharpness, true_share
from lookalike.features.extraction import extract
from lookalike.features.hashes import hash_of, oriented_hashes, reduced, turned_levels
from lookalike.features.record import FEATURES, Flag
from lookalike.features.regions import REGIONS, region_hashes
from lookalike.features.waves import squashed
from lookalike.strips import RADIUS
from tests.pictures import jpeg, photo, png


def _slow_hash(picture: Image.Image) -> np.ndarray:
    return np.packbits(imagehash.phash(picture, hash_size=16).hash)


def _distance(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.bitwise_count(a ^ b).sum())


def _record(picture: Image.Image) -> np.void:
    return extract(png(picture)).record


_LEVELS = st.one_of(
    arrays(np.uint8, (64, 64)),
    # Few levels and repeated rows or columns: flat, striped and symmetric pictures, where coefficients tie.
    arrays(np.uint8, (1, 64), elements=st.sampled_from([0, 128, 255])).map(
        lambda row: np.repeat(row, 64, axis=0)
    ),
    arrays(np.uint8, (32, 32), elements=st.sampled_from([0, 7, 255])).map(
        lambda quarter: np.block([[quarter, quarter[:, ::-1]], [quarter[::-1], quarter[::-1, ::-1]]])
    ),
    st.integers(0, 255).map(lambda level: np.full((64, 64), level, np.uint8)),
)


@settings(max_examples=60, deadline=None)
@given(_LEVELS)
def test_hashes_are_those_of_imagehash_to_the_bit_in_all_orientations(levels: np.ndarray) -> None:
    hashes = oriented_hashes(levels)
    for k in range(8):
        turned = Image.fromarray(np.ascontiguousarray(turned_levels(levels, k)))
        assert hashes[k].tolist() == _slow_hash(turned).tolist(), f"orientation {k + 1}"
    assert hash_of(levels).tolist() == hashes[0].tolist()


@pytest.mark.parametrize("size", [(640, 480), (97, 301), (64, 64), (9, 5), (1, 1)])
def test_the_whole_hash_is_that_of_imagehash_on_the_decoded_pixels(size: tuple[int, int]) -> None:
    picture = photo(1, size)
    assert _record(picture)["whole"][0].tolist() == _slow_hash(picture).tolist()
    data = jpeg(photo(2, (1600, 1200)))
    drafted = decode(data, shrink_to=proxy.PIXELS).image
    assert drafted.size == (400, 300)
    assert extract(data).record["whole"][0].tolist() == _slow_hash(drafted).tolist()
    assert _distance(_slow_hash(drafted), _slow_hash(Image.open(io.BytesIO(data)))) <= 8


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_copy_has_the_hash_of_that_orientation(orientation: int) -> None:
    picture = photo(3, (320, 240))
    exif = Image.Exif()
    exif[0x0112] = orientation
    tagged = png(picture, exif=exif)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(tagged)))
    straight = _record(picture)["whole"][orientation - 1]
    # Resampling rounds between its two directions, so turning before or after may differ by a bit or two.
    assert _distance(straight, _record(turned)["whole"][0]) <= 4
    assert extract(tagged).record["whole"][0].tolist() == _record(turned)["whole"][0].tolist()


def test_a_crop_of_any_region_is_near_that_regions_hash() -> None:
    picture = photo(4, (640, 480))
    hashes = _record(picture)["regions"]
    for k, (left, top, right, bottom) in enumerate(REGIONS):
        box = (round(left * 640), round(top * 480), round(right * 640), round(bottom * 480))
        assert _distance(hashes[k], _slow_hash(picture.crop(box))) <= 20


def test_regions_come_in_mirrored_pairs() -> None:
    places = {tuple(round(edge, 4) for edge in region) for region in REGIONS}
    assert len(places) == 16
    for left, top, right, bottom in places:
        assert (round(1 - right, 4), top, round(1 - left, 4), bottom) in places
        assert (left, round(1 - bottom, 4), right, round(1 - top, 4)) in places


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (90, 20, 20)])
@pytest.mark.parametrize("border", [(0, 60, 0, 60), (40, 0, 40, 0), (25, 30, 60, 80)])
def test_a_border_is_trimmed_away(color: tuple[int, ...], border: tuple[int, ...]) -> None:
    picture = photo(5, (320, 240))
    framed = ImageOps.expand(picture, border, color)
    record = extract(jpeg(framed, quality=60)).record
    assert record["flags"] & Flag.HAS_TRIM
    assert _distance(record["trimmed"], _record(picture)["whole"][0]) <= 16
    assert _distance(record["whole"][0], record["trimmed"]) > 30


def test_without_a_border_trimmed_is_the_whole() -> None:
    record = _record(photo(6))
    assert not record["flags"] & Flag.HAS_TRIM
    assert record["trimmed"].tolist() == record["whole"][0].tolist()


def _dotted() -> Image.Image:
    page = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(page).point((200, 150), fill="black")
    return page


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 200), "white"),
        Image.new("RGB", (300, 200), (10, 90, 30)),
        Image.new("RGBA", (300, 200), (200, 10, 10, 0)),
        Image.new("L", (1, 1), 9),
        _dotted(),
        Image.effect_noise((300, 300), 2),
    ],
)
def test_flat_and_nearly_flat_pictures_are_flagged(picture: Image.Image) -> None:
    assert _record(picture)["flags"] & Flag.FLAT


def test_text_on_a_page_is_not_flat() -> None:
    page = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(page).multiline_text(
        (40, 40), "Dear reader,\nthis page says\nsomething", fill="black", font_size=30
    )
    assert not _record(page)["flags"] & Flag.FLAT


def test_an_enlarged_copy_is_seen_through() -> None:
    picture = photo(7, (512, 384))
    enlarged = picture.resize((1024, 768), Image.Resampling.BICUBIC)
    assert _record(picture)["true_width"] == 512
    assert 400 <= _record(enlarged)["true_width"] <= 700
    assert _record(enlarged)["width"] == 1024
    assert true_share(np.asarray(enlarged.convert("L"))) < 0.7


def test_a_smooth_picture_that_is_read_at_a_fraction_is_as_large_as_it_is() -> None:
    smooth = photo(7, (64, 48)).resize((1600, 1200), Image.Resampling.BICUBIC)
    record = extract(jpeg(smooth)).record
    assert (record["true_width"], record["true_height"]) == (1600, 1200)


def test_a_blurred_copy_is_less_sharp() -> None:
    picture = photo(8, (400, 300))
    blurred = picture.resize((100, 75)).resize((400, 300), Image.Resampling.BICUBIC)
    assert sharpness(np.asarray(blurred.convert("L"))) < 0.5 * sharpness(np.asarray(picture.convert("L")))


def test_the_proxy_is_a_small_jpeg_of_the_size_the_record_tells() -> None:
    for size in ((1600, 1200), (3000, 200), (640, 480), (90, 60)):
        extracted = extract(jpeg(photo(9, size)))
        with Image.open(io.BytesIO(extracted.proxy)) as small:
            assert small.format == "JPEG"
            assert small.size == (extracted.record["proxy_width"], extracted.record["proxy_height"])
            assert small.width * small.height <= 160_000
            assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)
        assert extracted.record["proxy_length"] == len(extracted.proxy)
        assert (extracted.width, extracted.height) == size


def test_a_thread_of_a_picture_has_features_too() -> None:
    for size in ((70_000, 1), (1, 70_000), (3, 900)):
        extracted = extract(png(Image.new("L", size, 40)))
        assert (extracted.width, extracted.height) == size


def test_records_pack_into_blocks_that_mean_the_same_everywhere() -> None:
    records = np.array([_record(photo(seed, (80, 60))) for seed in (1, 2)], dtype=FEATURES)
    again = np.frombuffer(records.tobytes(), FEATURES)
    assert (again["whole"] == records["whole"]).all()
    assert FEATURES.itemsize < 4096
    fields = [*FEATURES.fields.values(), *FEATURES["local"].fields.values()]
    assert all(field[0].base.str[0] in "<|" for field in fields)


def test_the_same_bytes_give_the_same_features_in_another_process() -> None:
    script = (
        "import sys; from lookalike.features.extraction import extract;"
        "e = extract(sys.stdin.buffer.read()); sys.stdout.buffer.write(e.record.tobytes() + e.proxy)"
    )
    data = jpeg(photo(10, (900, 700)))
    here = extract(data)
    there = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True).stdout
    assert there == here.record.tobytes() + here.proxy


def test_region_hashes_do_not_depend_on_the_pictures_shape() -> None:
    gray = photo(11, (512, 512)).convert("L")
    one, other = (
        region_hashes(squashed(np.asarray(each)))
        for each in (gray, gray.resize((256, 512), Image.Resampling.BOX))
    )
    assert np.bitwise_count(one ^ other).sum(axis=1).max() <= 12


@pytest.mark.parametrize("corner", [(0, 0), (288, 0), (0, 216), (288, 216), (144, 108)])
def test_a_logo_of_a_third_leaves_a_strip_as_it_was(corner: tuple[int, int]) -> None:
    picture = photo(13, (640, 480))
    covered = picture.copy()
    covered.paste((30, 200, 90), (*corner, corner[0] + 352, corner[1] + 264))
    one, other = (_record(each)["strips"] for each in (picture, covered.resize((400, 300))))
    left, top = corner
    # Left, right, top, bottom.
    is_free = np.array([left, 288 - left, top, 216 - top]) >= 108
    assert np.bitwise_count(one ^ other)[is_free].max() <= RADIUS
    assert np.bitwise_count(one ^ _record(photo(14, (640, 480)))["strips"]).min() > RADIUS


def test_paper_and_what_has_no_structure_have_no_strips() -> None:
    page = Image.new("RGB", (300, 400), "white")
    page.paste(photo(15, (200, 200)), (50, 100))
    assert not _record(page)["strips"].any()
    assert not _record(Image.new("RGB", (300, 400), "gray"))["strips"].any()
    beside = photo(15, (500, 400))
    beside.paste("white", (0, 0, 100, 400))
    assert (_record(beside)["strips"] != 0).tolist() == [False, True, True, True]


def test_reducing_is_what_imagehash_does() -> None:
    gray = photo(12, (300, 200)).convert("L")
    assert (reduced(gray) == np.asarray(gray.resize((64, 64), Image.Resampling.LANCZOS))).all()
