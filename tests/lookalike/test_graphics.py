"""Graphics: drawings, charts, tables, screens and flags, which one word, mark or colour makes others."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from lookalike.verification.comparison import Comparison, verify
from tests.lookalike.subjects import prepared
from tests.pictures import jpeg, png

WORDS = ("Music", "Photos", "Files", "Mail", "Clocks")


def compare(a: bytes, b: bytes) -> Comparison:
    return verify(prepared(a), prepared(b))


def bar(*words: str) -> Image.Image:
    """A window list: gray buttons in one row, with a word in each."""
    strip = Image.new("RGB", (900, 40), "#e8e8e8")
    draw = ImageDraw.Draw(strip)
    for place, word in enumerate(words):
        left = 20 + 175 * place
        draw.rectangle((left, 5, left + 160, 34), fill="#f4f4f4", outline="#909090")
        draw.ellipse((left + 8, 11, left + 26, 29), fill="#d04020", outline="black")
        draw.text((left + 38, 12), word, font=ImageFont.load_default(14), fill="#202020")
    return strip


def table(marked: tuple[int, ...] = ()) -> Image.Image:
    """Twelve numbers, some of them light on dark."""
    page = Image.new("RGB", (300, 160), "white")
    draw = ImageDraw.Draw(page)
    for place in range(12):
        left, top = 10 + 95 * (place % 3), 10 + 35 * (place // 3)
        ground, ink = ("#203060", "white") if place in marked else ("white", "black")
        draw.rectangle((left, top, left + 85, top + 30), fill=ground)
        number = f"{place * 37 % 29}.{place * 53 % 97}000"
        draw.text((left + 8, top + 6), number, font=ImageFont.load_default(15), fill=ink)
    return page


def stripes(*colours: str) -> Image.Image:
    flag = Image.new("RGB", (320, 240), "white")
    for place, colour in enumerate(colours):
        flag.paste(colour, (20, 20 + 66 * place, 300, 86 + 66 * place))
    return flag


def shaded() -> Image.Image:
    """A drawing in shades of many colours, with a quarter of white."""
    y, x = np.mgrid[0:360, 0:480]
    waves = 120 + 90 * np.sin(x / 70), 110 + 80 * np.sin(y / 60 + 1), 120 + 100 * np.cos((x + y) / 90)
    levels = np.where(x[..., None] < 120, 255, np.stack(waves, -1).clip(0, 255))
    drawing = Image.fromarray(levels.astype(np.uint8))
    draw = ImageDraw.Draw(drawing)
    for place, colour in enumerate(("#c02030", "#20a040", "#3040c0", "#e0c020")):
        draw.ellipse((150 + 75 * place, 60, 210 + 75 * place, 120), colour, "black", 3)
        draw.ellipse((190 + 65 * place, 230, 240 + 65 * place, 280), colour, "black", 3)
    draw.ellipse((20, 120, 100, 220), outline="black", width=4)
    return drawing


@pytest.mark.parametrize("place", range(len(WORDS)))
def test_another_word_makes_another_screen(place: int) -> None:
    others = list(WORDS)
    others[place] = "Musik"[place:] + "Uhr"
    found = compare(png(bar(*WORDS)), png(bar(*others)))
    assert (found.relation, found.similarity < 80) == ("edited", True)


@pytest.mark.parametrize("marked", [(4, 7), (0, 1, 2), (3, 8, 10)])
def test_other_marked_cells_make_another_table(marked: tuple[int, ...]) -> None:
    found = compare(png(table()), png(table(marked)))
    assert (found.relation, found.similarity < 80) == ("edited", True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("#d01020", "white", "#d01020"), ("#d01020", "white", "black")),
        (("#d01020", "white", "#20a040"), ("#d01020", "white", "#2090f0")),
        (("#20a040", "white", "#20a040"), ("#104010", "white", "#e02020")),
    ],
)
def test_a_stripe_of_another_colour_makes_another_flag(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert compare(png(stripes(*one)), png(stripes(*other))).similarity < 80


GRAPHICS = [bar(*WORDS), table((4, 7)), stripes("#d01020", "white", "#2090f0")]


@pytest.mark.parametrize("graphic", GRAPHICS, ids=["bar", "table", "flag"])
def test_a_graphic_that_was_compressed_resized_or_toned_stays_a_copy(graphic: Image.Image) -> None:
    copies = [
        graphic,
        graphic.resize((graphic.width * 3 // 4, graphic.height * 3 // 4), Image.Resampling.LANCZOS),
        ImageOps.grayscale(graphic).convert("RGB"),
        graphic.point([level * 4 // 5 for level in range(256)] * 3),
    ]
    assert min(compare(png(graphic), jpeg(copy, 60)).similarity for copy in copies) >= 80


def test_a_shaded_drawing_stays_a_copy_under_a_tone_curve() -> None:
    lighter = shaded().point([round(255 * (level / 255) ** 0.4) for level in range(256)] * 3)
    found = compare(png(shaded()), png(lighter))
    assert (found.relation, found.similarity >= 80) == ("toned", True)
