"""What differs between two versions of one thing: replaced, laid over, painted out, or moved."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.layouts import KINDS, drawn
from lookalike.verification.cells import cells
from lookalike.verification.comparison import Comparison, verify
from lookalike.verification.refinement import correction
from tests.lookalike.subjects import prepared
from tests.pictures import jpeg, photo, png

PHOTO = photo(7)


def compare(a: bytes | Image.Image, b: bytes | Image.Image) -> Comparison:
    return verify(prepared(a), prepared(b))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [101, 103])
def test_other_text_on_one_layout_is_edited_and_below_80(kind: str, layout: int) -> None:
    found = compare(jpeg(drawn(kind, layout, 0)), jpeg(drawn(kind, layout, 1), 70))
    assert (found.relation, found.similarity < 80) == ("edited", True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_on_one_layout_stays_a_copy(kind: str) -> None:
    page = drawn(kind, 105, 0)
    assert (
        compare(png(page), jpeg(page.resize((page.width * 2 // 3, page.height * 2 // 3)), 60)).similarity
        >= 95
    )


def test_what_moved_between_two_shots_makes_a_series_in_its_band() -> None:
    found = compare(street(walker=200), street(walker=260))
    assert found.relation == "series"
    assert 70 <= found.similarity < 80


def street(walker: int) -> Image.Image:
    shot = PHOTO.filter(ImageFilter.GaussianBlur(1.5))
    person = photo(8, (70, 170)).filter(ImageFilter.GaussianBlur(1.5))
    shot.paste(person, (walker, 180))
    return shot


def test_two_small_people_who_walked_on_make_a_series() -> None:
    found = compare(square((100, 140), (430, 300)), square((116, 144), (412, 296)))
    assert found.relation == "series"
    assert 70 <= found.similarity < 80


def square(*people: tuple[int, int]) -> Image.Image:
    shot = PHOTO.filter(ImageFilter.GaussianBlur(1.5))
    for number, place in enumerate(people):
        shot.paste(photo(20 + number, (14, 34)), place)
    return shot


def test_a_camera_that_moved_makes_a_series_although_nothing_was_replaced() -> None:
    # Near things shift more than far ones: no map of the whole picture does that.
    found = compare(PHOTO, waved(PHOTO))
    assert found.relation == "series"
    assert 70 <= found.similarity < 80


def waved(picture: Image.Image) -> Image.Image:
    pixels, shifted = np.asarray(picture), np.empty_like(np.asarray(picture))
    for y in range(pixels.shape[0]):
        shifted[y] = np.roll(pixels[y], round(3 * np.sin(y / 45)), axis=0)
    return Image.fromarray(shifted)


def test_a_logo_is_laid_over_and_no_series() -> None:
    marked = PHOTO.copy()
    ImageDraw.Draw(marked).ellipse((180, 120, 380, 320), fill=(230, 40, 40), outline="white", width=12)
    found = compare(PHOTO, marked)
    assert found.relation == "overlaid"
    assert found.similarity >= 80


def test_a_faint_logo_is_laid_over_although_what_is_seen_through_it_has_other_tones() -> None:
    veil = Image.new("RGBA", PHOTO.size)
    draw = ImageDraw.Draw(veil)
    draw.rectangle((150, 90, 470, 330), fill=(30, 200, 120, 110))
    draw.ellipse((200, 120, 420, 300), fill=(225, 55, 135, 110))
    veiled = Image.alpha_composite(PHOTO.convert("RGBA"), veil).convert("RGB")
    found = compare(PHOTO, veiled)
    assert (found.relation, found.similarity >= 80) == ("overlaid", True)
    assert found.evidence["veil"]["through"] > 0.5


def test_hues_that_were_turned_are_no_other_shot() -> None:
    turned = PHOTO.convert("HSV")
    hue, saturation, value = turned.split()
    turned = Image.merge("HSV", (hue.point(lambda level: (level + 43) % 256), saturation, value)).convert(
        "RGB"
    )
    found = compare(PHOTO, turned)
    assert (found.relation != "series", found.similarity >= 80) == (True, True)


def test_a_caption_on_a_busy_photo_is_laid_over_and_no_series() -> None:
    busy = Image.effect_noise((640, 480), 120).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
    busy = Image.blend(busy, PHOTO, 0.4)
    captioned = busy.copy()
    font = ImageFont.load_default(52)
    place, words = (20, 400), "All in one line of writing"
    ImageDraw.Draw(captioned).text(place, words, "white", font, stroke_width=3, stroke_fill="black")
    found = compare(busy, captioned)
    assert (found.relation, found.similarity >= 80) == ("overlaid", True)


def test_stripes_that_were_resized_are_no_camera_that_moved() -> None:
    shirt = Image.fromarray(
        np.uint8(128 + 90 * np.sin(np.arange(900 * 1200).reshape(900, 1200) % 1200 / 1.9))
    )
    shirt = Image.composite(shirt.convert("RGB"), photo(4, (1200, 900)), photo(5, (1200, 900)).convert("L"))
    found = compare(shirt, shirt.resize((1200, 860), Image.Resampling.LANCZOS))
    assert (found.relation, found.similarity >= 90) == ("resized", True)


def test_a_page_with_dark_corners_is_toned_and_another_page_in_that_light_is_not() -> None:
    page = drawn("document", 107, 0)
    assert compare(page, vignetted(page)).relation == "toned"
    assert compare(page, vignetted(drawn("document", 107, 1))).similarity < 80


def vignetted(picture: Image.Image) -> Image.Image:
    y, x = np.mgrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j]
    return Image.fromarray(np.uint8(np.asarray(picture) * (1 - 0.3 * (x * x + y * y))[..., None]))


def test_a_sticker_on_a_drawing_is_laid_over() -> None:
    page = drawn("document", 107, 0)
    ImageDraw.Draw(page).rectangle((80, 300, 300, 480), fill=(240, 240, 40), outline=(200, 30, 30), width=9)
    found = compare(drawn("document", 107, 0), page)
    assert (found.relation, found.similarity >= 80) == ("overlaid", True)


def scene(*, cup: bool, chip: bool = False) -> Image.Image:
    """A detailed object on a quiet table."""
    table = Image.fromarray(np.asarray(photo(3, (40, 30)).resize((640, 480), Image.Resampling.BICUBIC)))
    if cup:
        mask = Image.new("L", table.size)
        ImageDraw.Draw(mask).ellipse((150, 80, 490, 420), fill=255)
        if chip:
            ImageDraw.Draw(mask).rectangle((150, 330, 490, 420), fill=0)
        table.paste(PHOTO, (0, 0), mask)
    return table


def test_a_picture_without_its_main_object_shares_no_detail_and_is_edited() -> None:
    found = compare(scene(cup=True), scene(cup=False))
    assert found.evidence["shared_detail"] <= 15
    assert (found.relation, found.similarity < 80) == ("edited", True)
    left, top, right, bottom = found.evidence["changes"]["boxes"][0]
    assert max(left, top) < 0.35
    assert min(right, bottom) > 0.65


@pytest.mark.parametrize("colours", [((110, 120, 100), (150, 130, 160)), ((200, 60, 90), (55, 195, 165))])
def test_a_logo_on_the_main_object_hides_most_detail_and_is_laid_over_all_the_same(
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
) -> None:
    mask = Image.new("L", PHOTO.size)
    ImageDraw.Draw(mask).ellipse((170, 90, 470, 330), fill=255)
    plate = scene(cup=False)
    plate.paste(PHOTO, (0, 0), mask)
    marked = plate.copy()
    ImageDraw.Draw(marked).rectangle((145, 75, 495, 337), fill=colours[0])
    ImageDraw.Draw(marked).ellipse((200, 110, 440, 300), fill=colours[1])
    found = compare(plate, marked)
    assert found.evidence["shared_detail"] <= 15
    assert (found.relation, found.similarity >= 80) == ("overlaid", True)


def on_a_sheet(thing: int | None, shot: int) -> Image.Image:
    """A thing on a sheet of cloth, whose light is the same in each shot and whose grain is not."""
    y, x = np.mgrid[0:480, 0:640]
    noise = np.random.default_rng(shot).normal(0, 6, (480, 640, 1))
    sheet = np.stack([200 - x / 12, 190 - y / 10, 180 - x / 16], axis=-1) + noise
    picture = Image.fromarray(sheet.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
    if thing is not None:
        mask = Image.new("L", picture.size)
        ImageDraw.Draw(mask).ellipse((110, 40, 530, 440), fill=255)
        picture.paste(photo(thing), (0, 0), mask)
    return picture


@pytest.mark.parametrize("size", [(640, 480), (384, 288)])
def test_a_thing_painted_out_of_its_sheet_is_edited_though_nothing_else_was_on_it(
    size: tuple[int, int],
) -> None:
    shot, other = on_a_sheet(7, shot=1), on_a_sheet(None, shot=2)
    gone, mask = shot.copy(), Image.new("L", shot.size)
    ImageDraw.Draw(mask).ellipse((100, 30, 540, 450), fill=255)
    gone.paste(other.filter(ImageFilter.GaussianBlur(9)), (0, 0), mask)
    found = compare(jpeg(shot, 92), jpeg(gone.resize(size), 80))
    assert (found.relation, 60 <= found.similarity < 80) == ("edited", True)
    assert found.evidence["shared_detail"] <= 15
    left, top, right, bottom = found.evidence["changes"]["boxes"][0]
    assert max(left, top) < 0.3
    assert min(right, bottom) > 0.7


def test_two_things_on_one_sheet_are_two_things() -> None:
    found = compare(jpeg(on_a_sheet(7, shot=1), 92), jpeg(on_a_sheet(8, shot=2), 92))
    assert (found.relation, found.similarity < 60) == ("unrelated", True)


def test_a_picture_that_lacks_a_part_of_its_object_shares_most_detail() -> None:
    found = compare(scene(cup=True), scene(cup=True, chip=True))
    assert found.evidence["shared_detail"] >= 70


def test_blur_and_contrast_take_no_shared_detail_away() -> None:
    assert compare(PHOTO, PHOTO.filter(ImageFilter.GaussianBlur(2))).evidence["shared_detail"] >= 70
    assert compare(PHOTO, PHOTO.point(lambda level: 40 + level // 2)).evidence["shared_detail"] >= 70


def test_the_stronger_an_edit_the_lower_the_similarity() -> None:
    for weaker_to_stronger in (
        [jpeg(PHOTO, quality) for quality in (95, 60, 20, 5)],
        [jpeg(PHOTO.filter(ImageFilter.GaussianBlur(radius))) for radius in (0.5, 2, 5)],
        [jpeg(watermarked(share)) for share in (0.03, 0.1, 0.25)],
    ):
        found = [compare(PHOTO, one).similarity for one in weaker_to_stronger]
        assert found == sorted(found, reverse=True)


def watermarked(share: float) -> Image.Image:
    marked, side = PHOTO.copy(), share**0.5
    box = (60, 60, 60 + PHOTO.width * side, 60 + PHOTO.height * side)
    ImageDraw.Draw(marked).rectangle(box, fill=(20, 160, 60), outline="white", width=6)
    return marked


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 3),
    st.sampled_from(["crop", "turn", "write", "mirror"]),
    st.floats(0.02, 0.4),
)
def test_order_changes_nothing_and_repeating_it_neither(seed: int, edit: str, strength: float) -> None:
    a, b = prepared(photo(seed)), prepared(edited(photo(seed), edit, strength))
    there, back = verify(a, b), verify(b, a)
    assert (there.similarity, there.relation, there.evidence) == (
        back.similarity,
        back.relation,
        back.evidence,
    )
    assert there == verify(a, b)


def edited(picture: Image.Image, edit: str, strength: float) -> Image.Image:
    if edit == "crop":
        return picture.crop((0, 0, round(picture.width * (1 - strength)), picture.height))
    if edit == "turn":
        return picture.rotate(90 * strength)
    if edit == "mirror":
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop(
            (0, 0, 640, round(480 * (1 - strength)))
        )
    written = picture.copy()
    ImageDraw.Draw(written).text(
        (50, 200), "WRITTEN", font=ImageFont.load_default(300 * strength), fill="white"
    )
    return written


def test_the_cells_sums_are_those_of_plain_numpy() -> None:
    rng = np.random.default_rng(5)
    first, second = (rng.uniform(0, 255, (24, 40)).astype(np.float32) for _ in range(2))
    mask = np.ones((24, 40), np.bool_)
    mask[:, 30:] = False
    summed = cells(first, second, mask)
    # The cell in the middle: no border of the grid in it.
    a, b = first[8:16, 16:24].astype(float), second[8:16, 16:24].astype(float)
    assert summed.count[1].tolist() == [56, 64, 64, 48, 0]
    assert summed.variance_first[1, 2] == pytest.approx(a.var(), rel=1e-3)
    assert summed.variance_second[1, 2] == pytest.approx(b.var(), rel=1e-3)
    assert summed.difference[1, 2] == pytest.approx((a - b).var(), rel=1e-3)
    across, down = np.gradient(first.astype(float), axis=1), np.gradient(first.astype(float), axis=0)
    slope = (across**2 + down**2)[8:16, 16:24].sum()
    assert summed.slope[0][1, 2] == pytest.approx(slope, rel=1e-3)


def test_a_map_that_is_off_by_half_a_pixel_is_corrected() -> None:
    gray = np.asarray(PHOTO.convert("L").filter(ImageFilter.GaussianBlur(2)), np.float32)
    first, second = gray[:, 1:-1], (gray[:, 1:-1] + gray[:, 2:]) / 2
    first, second = (np.ascontiguousarray(one[:, :632]) for one in (first, second))
    found = correction(cells(first, second, np.ones(first.shape, np.bool_)).widened())
    assert found is not None
    assert found[0, 2] == pytest.approx(-0.5, abs=0.1)
    assert found[1, 2] == pytest.approx(0, abs=0.1)


def test_a_layout_is_the_same_on_every_run() -> None:
    assert encoded(drawn("receipt", 3, 1)) == encoded(drawn("receipt", 3, 1))
    assert encoded(drawn("receipt", 3, 1)) != encoded(drawn("receipt", 3, 2))


def encoded(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
