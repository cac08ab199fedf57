"""Drawn documents, receipts and memes: alike because they come from templates; to learn hubs from."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SYLLABLES = (
    "ba",
    "co",
    "de",
    "fi",
    "gu",
    "ha",
    "jo",
    "ki",
    "lu",
    "me",
    "no",
    "qui",
    "ro",
    "su",
    "ta",
    "est",
    "ing",
    "ment",
)


def drawn(count: int, seed: int) -> Iterator[Image.Image]:
    """Yield count pictures of each kind, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield document(rng)
        yield receipt(rng)
        yield meme(rng)


def document(rng: random.Random) -> Image.Image:
    """Draw a page with a heading and paragraphs."""
    width, height = 800, 1100
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    draw.text((80, 60), _words(rng, 4).title(), font=_font(rng.randint(28, 44)), fill=0)
    font = _font(rng.randint(14, 22))
    y = 150
    while y < height - 90:
        draw.text((80, y), _words(rng, rng.randint(7, 11)), font=font, fill=rng.randint(0, 60))
        y += round(font.size * (1.4 if rng.random() < 0.85 else 3))
    return page


def receipt(rng: random.Random) -> Image.Image:
    """Draw a till receipt: shop, items with prices, a total and a bar code."""
    items = rng.randint(6, 18)
    width, height = 420, 330 + 30 * items
    paper = Image.new("L", (width, height), rng.randint(225, 255))
    draw = ImageDraw.Draw(paper)
    font = _font(20)
    draw.text((width // 2, 50), _words(rng, 2).upper(), font=_font(34), fill=20, anchor="mm")
    for k in range(items):
        y = 110 + 30 * k
        draw.text((25, y), _words(rng, 2), font=font, fill=30)
        draw.text(
            (width - 25, y), f"{rng.randint(1, 60)}.{rng.randint(0, 99):02}", font=font, fill=30, anchor="ra"
        )
    y = 120 + 30 * items
    draw.line((25, y, width - 25, y), fill=30, width=2)
    draw.text((25, y + 15), "TOTAL", font=_font(28), fill=10)
    draw.text(
        (width - 25, y + 15),
        f"{rng.randint(9, 400)}.{rng.randint(0, 99):02}",
        font=_font(28),
        fill=10,
        anchor="ra",
    )
    x = 60
    while x < width - 60:
        bar = rng.randint(1, 5)
        draw.rectangle((x, y + 80, x + bar, y + 150), fill=10)
        x += bar + rng.randint(2, 6)
    return paper


def meme(rng: random.Random) -> Image.Image:
    """Draw two captions over a soft background."""
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (6, 8), np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for y in (45, 430):
        caption = _words(rng, rng.randint(2, 4)).upper()
        draw.text((320, y), caption, font=_font(52), fill=255, anchor="mm", stroke_width=3, stroke_fill=0)
    return picture


def _words(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(count))


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def chart(rng: random.Random) -> Image.Image:
    """Draw curves or bars between axes with numbers, as plotting libraries do."""
    picture = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((80, 50, 600, 420), outline="black")
    draw.text((340, 25), _words(rng, 3).title(), font=_font(20), fill="black", anchor="mm")
    top = rng.randint(2, 90)
    for k in range(6):
        x, y = 80 + 104 * k, 420 - 74 * k
        draw.text((x, 432), str(k * rng.choice((1, 2, 5))), font=_font(13), fill="black", anchor="ma")
        draw.text((72, y), f"{top * k / 5:.1f}", font=_font(13), fill="black", anchor="rm")
    if rng.random() < 0.5:
        count = rng.randint(4, 16)
        for k in range(count):
            left = 90 + 500 * k / count
            draw.rectangle((left, 420 - rng.randint(5, 350), left + 400 / count, 420), fill=_colour(rng))
        return picture
    for _ in range(rng.randint(1, 4)):
        heights = np.cumsum([rng.gauss(0, 25) for _ in range(60)])
        level = rng.randint(150, 320)
        points = [(80 + 520 * k / 59, min(415, max(55, level + h))) for k, h in enumerate(heights.tolist())]
        draw.line(points, fill=_colour(rng), width=2)
    return picture


def screenshot(rng: random.Random) -> Image.Image:
    """Draw a window of a program, always the same one: a menu, a side bar, lines of text and buttons."""
    picture = Image.new("RGB", (900, 600), (246, 246, 246))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 900, 34), fill=(60, 62, 66))
    draw.text((14, 8), _words(rng, 3).title(), font=_font(16), fill="white")
    draw.text((14, 44), "File   Edit   View   Tools   Help", font=_font(15), fill=(30, 30, 30))
    for k in range(rng.randint(4, 11)):
        draw.text((14, 90 + 30 * k), _words(rng, 2), font=_font(15), fill=(50, 50, 60))
    y = 90
    while y < 540:
        draw.text((230, y), _words(rng, rng.randint(4, 9)), font=_font(15), fill=(40, 40, 40))
        y += 26
        if rng.random() < 0.15:
            draw.rounded_rectangle((230, y, 230 + rng.randint(90, 260), y + 30), 6, fill=_colour(rng))
            y += 44
    return picture


def icon(rng: random.Random) -> Image.Image:
    """Draw some flat shapes on a plain ground."""
    picture = Image.new("RGB", (256, 256), _colour(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(2, 6)):
        x, y = rng.randint(10, 180), rng.randint(10, 180)
        box = (x, y, x + rng.randint(20, 120), y + rng.randint(20, 120))
        if rng.random() < 0.3:
            points = [(rng.randint(10, 246), rng.randint(10, 246)) for _ in range(rng.randint(3, 6))]
            draw.polygon(points, fill=_colour(rng))
        elif rng.random() < 0.5:
            draw.ellipse(box, fill=_colour(rng))
        else:
            draw.rectangle(box, fill=_colour(rng), outline=_colour(rng), width=rng.randint(1, 8))
    return picture


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)
