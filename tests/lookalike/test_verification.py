"""Verification: what is the same picture, how it was changed, and what only looks alike."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from lookalike.verification.comparison import Comparison, verify
from tests.lookalike.subjects import prepared
from tests.pictures import jpeg, photo, png

PHOTO = photo(1)


def compare(a: bytes | Image.Image, b: bytes | Image.Image) -> Comparison:
    return verify(prepared(a), prepared(b))


def cropped(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = picture.size
    box = round(left * width), round(top * height), round(right * width), round(bottom * height)
    return picture.crop(box)


def test_equal_pixels_in_another_format_are_100() -> None:
    comparison = compare(png(PHOTO), png(PHOTO, compress_level=9))
    assert (comparison.similarity, comparison.relation) == (100.0, "identical_pixels")


def test_a_jpeg_and_its_decoded_pixels_saved_without_loss_are_100() -> None:
    encoded = jpeg(PHOTO)
    comparison = compare(encoded, png(decoded(encoded)))
    assert (comparison.similarity, comparison.relation) == (100.0, "identical_pixels")


def decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_where_whole_frames_agree_key_points_are_not_looked_for_and_the_evidence_says_so() -> None:
    small = PHOTO.resize((320, 240)).rotate(90, expand=True)
    found = [
        compare(PHOTO, other).evidence["key_points"] for other in (small, PHOTO.crop((90, 60, 640, 480)))
    ]
    assert (found[0]["alignment"], found[0]["counts"], found[0]["inliers"]) == ("frame", None, 0)
    assert min(found[1]["counts"]) > 100
    assert found[1]["inliers"] > 50


def test_a_losslessly_transposed_copy_with_the_matching_tag_is_100() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = PHOTO.transpose(Image.Transpose.ROTATE_90)
    comparison = compare(png(PHOTO), png(stored, exif=exif))
    assert (comparison.similarity, comparison.relation) == (100.0, "identical_pixels")


def test_one_changed_pixel_is_less_than_100() -> None:
    changed = PHOTO.copy()
    changed.putpixel((17, 31), (255, 0, 255))
    assert compare(png(PHOTO), png(changed)).similarity <= 99.9


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_a_recompressed_copy_is_reencoded_at_98_or_more(quality: int) -> None:
    comparison = compare(PHOTO, jpeg(PHOTO, quality))
    assert comparison.relation == "reencoded"
    assert 98.0 <= comparison.similarity <= 99.9


def test_a_thumbnail_is_resized_and_tells_its_scale() -> None:
    comparison = compare(PHOTO, PHOTO.resize((160, 120), Image.Resampling.LANCZOS))
    assert comparison.relation == "resized"
    assert 95.0 <= comparison.similarity < 99.0
    assert comparison.transform["scale"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("turn", "relation", "angle"),
    [
        (Image.Transpose.ROTATE_90, "rotated", 90),
        (Image.Transpose.ROTATE_180, "rotated", 180),
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored", 0),
        (Image.Transpose.TRANSPOSE, "mirrored", None),
    ],
)
def test_a_turned_or_mirrored_copy_is_recognised_at_95_or_more(
    turn: Image.Transpose, relation: str, angle: int | None
) -> None:
    comparison = compare(PHOTO, PHOTO.transpose(turn))
    assert comparison.relation == relation
    assert 95.0 <= comparison.similarity < 99.0
    assert comparison.transform["mirrored"] == (relation == "mirrored")
    if angle is not None:
        assert abs(comparison.transform["angle"]) == pytest.approx(angle, abs=0.2)


def test_a_crop_tells_its_box() -> None:
    comparison = compare(PHOTO, cropped(PHOTO, 0.1, 0.2, 0.9, 0.95))
    assert comparison.relation == "cropped"
    assert comparison.similarity >= 80
    assert comparison.transform["box"] == pytest.approx([0.1, 0.2, 0.9, 0.95], abs=0.01)
    assert comparison.transform["overlap"] == pytest.approx(0.6, abs=0.02)


def test_a_crop_known_by_the_key_points_of_one_corner_is_in_place_everywhere() -> None:
    # All that has corners lies in one: a map that may stretch would be off at the other end.
    picture = photo(11).filter(ImageFilter.GaussianBlur(9))
    picture.paste(photo(12, (220, 160)), (90, 80))
    found = verify(prepared(picture), prepared(picture.crop((50, 40, 600, 450))))
    assert found.transform["stretch"] < 1.005
    assert found.similarity >= 85


def test_a_soft_crop_under_a_caption_is_found_without_key_points() -> None:
    soft = photo(22).filter(ImageFilter.GaussianBlur(12))
    cropped = soft.crop((60, 40, 580, 430))
    font = ImageFont.load_default(60)
    ImageDraw.Draw(cropped).text((10, 280), "A caption", "white", font, stroke_width=5, stroke_fill="black")
    found = verify(prepared(soft), prepared(cropped))
    assert found.evidence["verdict"]["reason"] == "pixels_agree"
    left, top, right, bottom = found.transform["box"]
    assert (left, top, right, bottom) == pytest.approx((60 / 640, 40 / 480, 580 / 640, 430 / 480), abs=0.01)


def test_a_slight_rotation_tells_its_angle() -> None:
    turned = cropped(PHOTO.rotate(4, Image.Resampling.BICUBIC), 0.1, 0.1, 0.9, 0.9)
    comparison = compare(PHOTO, turned)
    assert comparison.relation == "rotated"
    assert comparison.similarity >= 80
    assert comparison.transform["angle"] == pytest.approx(4, abs=0.3)


def test_a_picture_taken_at_a_slant_is_a_copy() -> None:
    slant = (1.04, 0.01, -4, 0.02, 1.05, -6, 1e-4, 8e-5)
    slanted = PHOTO.transform(PHOTO.size, Image.Transform.PERSPECTIVE, slant, Image.Resampling.BICUBIC)
    found = compare(PHOTO, slanted)
    assert found.similarity > 80, found.evidence
    assert found.evidence["key_points"]["slant"] > 0.012


def test_the_stronger_the_crop_the_lower_the_similarity() -> None:
    cuts = (0.02, 0.05, 0.1, 0.15)
    found = [compare(PHOTO, cropped(PHOTO, cut, cut, 1 - cut, 1 - cut)).similarity for cut in cuts]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_a_brightened_copy_is_toned() -> None:
    comparison = compare(PHOTO, ImageEnhance.Brightness(PHOTO).enhance(1.25))
    assert comparison.relation == "toned"
    assert 88.0 <= comparison.similarity <= 96.0


def test_a_negative_is_recognised() -> None:
    comparison = compare(PHOTO, ImageOps.invert(PHOTO))
    assert comparison.relation == "toned"
    assert comparison.transform["negative"]
    assert 80 <= comparison.similarity < 95


def test_a_caption_is_overlaid_and_its_place_told() -> None:
    captioned = PHOTO.copy()
    draw = ImageDraw.Draw(captioned)
    font = ImageFont.load_default(50)
    draw.text((200, 410), "CAPTION", font=font, fill="white", stroke_width=3, stroke_fill="black")
    comparison = compare(PHOTO, captioned)
    assert comparison.relation == "overlaid"
    assert 85.0 <= comparison.similarity < 98.0
    assert all(top > 0.75 for _, top, _, _ in comparison.evidence["changes"]["boxes"])


def test_two_pictures_under_one_caption_are_no_copies() -> None:
    font = ImageFont.load_default(size=90)
    one, other = photo(21), photo(22)
    for picture in (one, other):
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 0, 640, 110), "white")
        draw.text((10, 15), "WHEN YOU SEE IT", "black", font)
        draw.text((40, 370), "THE SAME WORDS", "white", font, stroke_width=4, stroke_fill="black")
    found = compare(one, other)
    assert found.evidence["key_points"]["inliers"] >= 100
    assert found.similarity < 80, found.evidence


def test_a_small_mark_does_not_push_a_copy_below_90() -> None:
    marked = [PHOTO.copy(), PHOTO.copy()]
    for picture, digit in zip(marked, "38", strict=True):
        ImageDraw.Draw(picture).text((300, 220), digit, font=ImageFont.load_default(60), fill="white")
    assert compare(*marked).similarity >= 90


def test_distinct_pictures_are_unrelated_and_the_reason_is_told() -> None:
    comparison = compare(PHOTO, photo(2))
    assert comparison.similarity < 60
    assert comparison.relation == "unrelated"
    assert comparison.evidence["verdict"]["reason"]


def test_other_words_on_one_template_are_edited_and_below_80() -> None:
    invoice = form("Invoice 1042\nPaid by card\nTotal 18.20")
    ticket = form("Ticket for two\nRow F seat 9\nNo refund")
    comparison = compare(png(invoice), png(ticket))
    assert comparison.relation == "edited"
    assert comparison.similarity < 80


def form(words: str) -> Image.Image:
    page = Image.new("RGB", (480, 600), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((20, 20, 460, 90), fill=(40, 60, 120))
    draw.text((40, 35), "COMPANY NAME", font=ImageFont.load_default(36), fill="white")
    for row in range(6):
        draw.line((20, 330 + 45 * row, 460, 330 + 45 * row), fill="black", width=2)
        draw.text((30, 340 + 45 * row), f"Field number {row}", font=ImageFont.load_default(22), fill="black")
    draw.multiline_text((40, 130), words, font=ImageFont.load_default(34), fill="black", spacing=20)
    return page


def test_a_template_saved_again_stays_a_copy() -> None:
    page = form("Invoice 1042\nPaid by card\nTotal 18.20")
    assert compare(png(page), jpeg(page, 60)).similarity >= 95


def test_flags_of_other_colours_are_below_80() -> None:
    france, italy = tricolour("navy", "white", "red"), tricolour("green", "white", "red")
    assert compare(png(france), png(italy)).similarity < 80


def tricolour(*colours: str) -> Image.Image:
    flag = Image.new("RGB", (300, 200))
    for place, colour in enumerate(colours):
        flag.paste(colour, (100 * place, 0, 100 * place + 100, 200))
    return flag


@pytest.mark.parametrize(("colour", "is_same"), [("#406080", True), ("#806040", False)])
def test_plain_pictures_match_by_their_colour_only(colour: str, is_same: bool) -> None:
    plain, other = Image.new("RGB", (320, 240), "#406080"), Image.new("RGB", (320, 240), colour)
    assert (compare(jpeg(plain), jpeg(other, 50)).similarity >= 80) == is_same


@pytest.mark.parametrize(
    "other",
    [
        ImageOps.mirror(PHOTO.rotate(5)),
        cropped(PHOTO, 0.2, 0, 1, 0.8),
        PHOTO.resize((200, 150)),
        photo(3),
    ],
)
def test_the_order_of_the_two_changes_nothing_but_the_direction(other: Image.Image) -> None:
    a, b = prepared(PHOTO), prepared(other)
    there, back = verify(a, b), verify(b, a)
    assert (there.similarity, there.relation) == (back.similarity, back.relation)
    assert there.evidence == back.evidence
    if there.similarity >= 80:
        assert there.transform["scale"] * back.transform["scale"] == pytest.approx(1, abs=0.01)


def test_a_comparison_is_the_same_every_time_and_fits_into_json() -> None:
    other = cropped(PHOTO, 0.1, 0.1, 1, 0.9)
    first, again = compare(PHOTO, other), compare(PHOTO, other)
    assert first == again
    assert json.loads(json.dumps(first.evidence)) == first.evidence
    assert json.loads(json.dumps(first.transform)) == first.transform


def test_another_number_drawn_into_each_copy_leaves_them_one_photo() -> None:
    numbered = [PHOTO.copy() for _ in range(2)]
    for picture, number in zip(numbered, "27", strict=True):
        ImageDraw.Draw(picture).text((280, 170), number, font=ImageFont.load_default(130), fill="white")
    comparison = compare(*numbered)
    assert comparison.relation == "overlaid"
    assert comparison.similarity >= 90


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 2), (9, 9)])
def test_tiny_and_narrow_pictures_are_compared_without_an_error(size: tuple[int, int]) -> None:
    tiny = PHOTO.resize(size)
    assert compare(png(tiny), png(tiny)).similarity == 100.0
    assert compare(png(tiny), PHOTO).similarity <= 99.9
