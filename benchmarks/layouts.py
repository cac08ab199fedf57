"""Layouts: documents, receipts and memes that share everything but their text.

Of `drawn(kind, layout, text)` equal layouts are one template, whatever the text: two texts on one layout are
two things, not copies. Layouts of even numbers are for tuning, odd ones for the figures that are reported, so
that what is measured was not looked at: whole layouts are held out, not texts.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

Picture = Image.Image
Colour = tuple[int, int, int]

_WORDS = (
    "the of and to in is you that it he was for on are as with his they at be this have from or one "
    "had by word but not what all were we when your can said there use an each which she do how their "
    "if will up other about out many then them these so some her would make like him into time has "
    "look two more write go see number no way could people my than first water been call who oil its "
    "now find long down day did get come made may part over new sound take only little work know "
    "place year live me back give most very after thing our just name good sentence man think say "
    "great where help through much before line right too mean old any same tell boy follow came want "
    "show also around form three small set put end does another well large must big even such because "
    "turn here why ask went men read need land different home us move try kind hand picture again "
    "change "
)
WORDS = _WORDS.split()
FACES = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif-Italic")


def drawn(kind: str, layout: int, text: int) -> Picture:
    """Draw one picture of a kind of KINDS."""
    return KINDS[kind](random.Random(f"{kind} {layout}"), random.Random(f"{kind} {layout} {text}"))


def _document(layout: random.Random, text: random.Random) -> Picture:
    return layout.choice((_letter, _form, _slide, _invoice, _ticket, _table, _certificate))(layout, text)


def _receipt(layout: random.Random, text: random.Random) -> Picture:
    width, count = layout.choice((420, 480, 540)), layout.randint(6, 16)
    paper = Image.new("RGB", (width, 330 + 30 * count), _shade(layout, 225))
    draw = ImageDraw.Draw(paper)
    font, bold = _font("DejaVuSansMono", layout.randint(16, 20)), _font("DejaVuSans-Bold", 30)
    ink = layout.randint(0, 70)
    draw.text((width / 2, 30), layout.choice(("SUPER MART", "COFFEE HOUSE", "BOOKS")), ink, bold, "mt")
    draw.text((width / 2, 76), "12 High Street, Springfield", ink, _font("DejaVuSansMono", 15), "mt")
    draw.text((25, 110), f"{_date(text)}  {text.randint(10, 23)}:{text.randint(10, 59)}", ink, font)
    for row in range(count):
        y = 150 + 30 * row
        draw.text((25, y), _words(text, 2)[:15].upper(), ink, font)
        draw.text((width - 25, y), _price(text, 60), ink, font, "ra")
    y = 160 + 30 * count
    draw.line((25, y, width - 25, y), ink, 2)
    draw.text((25, y + 12), "TOTAL", ink, _font("DejaVuSans-Bold", 26))
    draw.text((width - 25, y + 12), _price(text, 400), ink, _font("DejaVuSans-Bold", 26), "ra")
    if layout.random() < 0.5:
        _bars(draw, text, (60, y + 65, width - 60, y + 125))
    draw.text((width / 2, y + 135), "THANK YOU, COME AGAIN", ink, _font("DejaVuSansMono", 14), "mt")
    return _on_a_table(layout, paper) if layout.random() < 0.35 else paper


def _meme(layout: random.Random, text: random.Random) -> Picture:
    picture = _scene(layout)
    style = layout.randrange(4)
    if style == 3:
        picture = ImageOps.expand(picture, (0, 120, 0, 0), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    size, middle = layout.randint(38, 60), picture.width / 2
    if style == 3:
        draw.text((middle, 15), _fitting(draw, text, middle * 1.9, 40), 0, _font("DejaVuSans", 40), "mt")
        draw.text((middle, 65), _fitting(draw, text, middle * 1.9, 40), 0, _font("DejaVuSans", 40), "mt")
        return picture
    for place in ((0.04, 0.84), (0.84,), (0.06,))[style]:
        caption = _fitting(draw, text, middle * 1.85, size, "DejaVuSans-Bold").upper()[:24]
        where = middle, picture.height * place
        draw.text(
            where, caption, "white", _font("DejaVuSans-Bold", size), "mt", stroke_width=3, stroke_fill=0
        )
    return picture


KINDS: dict[str, Callable[[random.Random, random.Random], Picture]] = {
    "document": _document,
    "receipt": _receipt,
    "meme": _meme,
}


def _letter(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 850, 1100)
    size = layout.choice((16, 18, 20, 24))
    font = _font(layout.choice(FACES), size)
    draw.text((60, 170), _words(text, 4).title(), ink, _font("DejaVuSans-Bold", size + 8))
    y = 230
    while y < page.height - 90:
        for _ in range(layout.randint(3, 7)):
            if y < page.height - 90:
                draw.text((60, y), _fitting(draw, text, page.width - 120, size, font.getname()[0]), ink, font)
            y += round(size * 1.45)
        y += size
    return page


def _form(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 1000, 1300)
    for row in range(layout.randint(10, 15)):
        y = 190 + 68 * row
        label = layout.choice(("Name", "Date of birth", "Address", "Policy no.", "Phone", "Amount", "City"))
        draw.text((60, y), label, ink, _font("DejaVuSans-Bold", 17))
        draw.rectangle((270, y - 8, page.width - 60, y + 32), outline=(120, 120, 120))
        answer = text.choice((_words(text, 3).title(), str(text.randrange(10**7, 10**9)), _date(text)))
        draw.text((282, y - 1), answer, (10, 10, 90), _font("DejaVuSans", 21))
    return page


def _slide(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 1280, 720)
    draw.text((80, 130), _words(text, 4).title(), ink, _font("DejaVuSans-Bold", 44))
    for row in range(layout.randint(3, 5)):
        draw.text((100, 240 + 76 * row), "• " + _words(text, 5), ink, _font("DejaVuSans", 32))
    for column in range(4):
        height = layout.randint(60, 300)
        draw.rectangle((930 + column * 75, 640 - height, 985 + column * 75, 640), fill=_colour(layout))
    return page


def _invoice(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 900, 1200)
    size = layout.choice((17, 20, 23))
    font = _font("DejaVuSans", size)
    draw.text((60, 150), "INVOICE", ink, _font("DejaVuSans-Bold", 40))
    draw.text((60, 210), f"No. {text.randrange(10000, 99999)}   {_date(text)}", ink, font)
    for row in range(layout.randint(8, 15)):
        y = 280 + round(size * 2.2) * row
        draw.line((60, y - 8, page.width - 60, y - 8), (170, 170, 170))
        draw.text((60, y), _words(text, 3), ink, font)
        draw.text((page.width - 260, y), str(text.randint(1, 40)), ink, font)
        draw.text((page.width - 60, y), _price(text, 900), ink, font, "ra")
    return page


def _ticket(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 900, 420)
    draw.text((60, 130), _words(text, 3).upper(), ink, _font("DejaVuSans-Bold", 46))
    for column, label in enumerate(("DATE", "ROW", "SEAT", "PRICE")):
        x = 60 + 190 * column
        draw.text((x, 230), label, (110, 110, 110), _font("DejaVuSans", 18))
        value = (_date(text), chr(text.randint(65, 90)), str(text.randint(1, 80)), _price(text, 90))[column]
        draw.text((x, 260), value, ink, _font("DejaVuSans-Bold", 26))
    _bars(draw, text, (60, 330, 500, 395))
    return page


def _table(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 1000, 760)
    columns, rows = layout.randint(3, 6), layout.randint(6, 11)
    wide, font = (page.width - 100) / columns, _font(layout.choice(FACES), 19)
    for row in range(rows):
        y = 150 + 50 * row
        if row % 2 == 0:
            draw.rectangle((50, y, page.width - 50, y + 50), fill=_shade(layout, 205))
        for column in range(columns):
            cell = _words(text, 1) if column == 0 else str(text.randint(1, 99999))
            draw.text((60 + wide * column, y + 13), cell, ink, font)
    return page


def _certificate(layout: random.Random, text: random.Random) -> Picture:
    page, draw, ink = _page(layout, 1100, 780)
    draw.rectangle((20, 20, 1080, 760), outline=_colour(layout), width=layout.randint(4, 14))
    draw.text((550, 150), "CERTIFICATE", ink, _font("DejaVuSerif-Bold", 60), "mt")
    draw.text((550, 280), "awarded to", ink, _font("DejaVuSerif-Italic", 26), "mt")
    draw.text((550, 340), _words(text, 2).title(), ink, _font("DejaVuSerif", 56), "mt")
    draw.text((550, 470), "for " + _words(text, 6), ink, _font("DejaVuSerif-Italic", 26), "mt")
    draw.text((120, 650), _date(text), ink, _font("DejaVuSans", 24))
    return page


def _page(layout: random.Random, width: int, height: int) -> tuple[Picture, ImageDraw.ImageDraw, Colour]:
    page = Image.new(
        "RGB", (width, height), layout.choice(((255, 255, 255), (252, 250, 244), (238, 243, 250)))
    )
    draw, accent = ImageDraw.Draw(page), _colour(layout)
    draw.rectangle((0, 0, width, layout.randint(45, 105)), fill=accent)
    name = layout.choice(("ACME Corporation", "Northwind Ltd", "City of Springfield", "University Hospital"))
    draw.text((40, 9), name, "white", _font("DejaVuSans-Bold", 27))
    if layout.random() < 0.5:
        x = width - layout.randint(120, 200)
        draw.ellipse((x, 110, x + 80, 190), fill=accent)
    return page, draw, _shade(layout, 0)


def _scene(layout: random.Random) -> Picture:
    """A background as busy as a photo: soft patches, shapes with edges, grain."""
    generator = np.random.default_rng(layout.randrange(2**32))
    size = layout.choice(((640, 480), (600, 600), (720, 450)))
    patches = Image.fromarray(generator.integers(0, 256, (6, 8, 3), np.uint8))
    picture = patches.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(layout.randint(5, 60)):
        x, y, radius = layout.uniform(0, size[0]), layout.uniform(0, size[1]), layout.uniform(4, 120)
        shape = draw.ellipse if layout.random() < 0.5 else draw.rectangle
        shape((x - radius, y - radius * 0.7, x + radius, y + radius * 0.7), fill=_colour(layout))
    grain = generator.normal(0, layout.uniform(0, 14), (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8))


def _on_a_table(layout: random.Random, paper: Picture) -> Picture:
    """The paper as photographed: tilted, on wood."""
    size = paper.width + 160, paper.height + 160
    grain = np.random.default_rng(layout.randrange(2**32)).normal(0, 12, (size[1], size[0], 1))
    wood = Image.fromarray((np.array([120, 90, 60]) + grain).clip(0, 255).astype(np.uint8))
    wood.paste(paper, (80, 80))
    return wood.rotate(layout.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=(120, 90, 60))


def _bars(draw: ImageDraw.ImageDraw, text: random.Random, box: tuple[int, int, int, int]) -> None:
    x, top, right, bottom = box
    while x < right:
        wide = text.randint(1, 5)
        draw.rectangle((x, top, x + wide, bottom), fill=10)
        x += wide + text.randint(2, 6)


def _fitting(
    draw: ImageDraw.ImageDraw, text: random.Random, width: float, size: int, face: str = "DejaVuSans"
) -> str:
    """As many words as fit into a line."""
    font, line = _font(face.replace(" ", ""), size), ""
    while draw.textlength(longer := f"{line} {text.choice(WORDS)}".strip(), font) < width:
        line = longer
    return line


def _words(text: random.Random, count: int) -> str:
    return " ".join(text.choices(WORDS, k=count))


def _date(text: random.Random) -> str:
    return f"{text.randint(1, 28)}/{text.randint(1, 12)}/{text.randint(1990, 2025)}"


def _price(text: random.Random, most: int) -> str:
    return f"{text.randint(1, most)}.{text.randint(0, 99):02}"


def _shade(layout: random.Random, least: int) -> Colour:
    level = layout.randint(least, min(255, least + 50))
    return level, level, max(0, level - layout.randint(0, 6))


def _colour(layout: random.Random) -> Colour:
    return layout.randint(0, 190), layout.randint(0, 190), layout.randint(0, 190)


def _font(face: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The face, or Pillow's own where it is not installed."""
    try:
        return ImageFont.truetype(f"{face}.ttf", size)
    except OSError:
        return ImageFont.load_default(size)
