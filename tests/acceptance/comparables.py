"""Pictures with the properties of those that the SDKs' own tests use, made from the sample photos."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFilter

from tests.acceptance.command import ROOT
from tests.pictures import jpeg, photo

PHOTOS = ROOT / "demo/photos"


def comparable() -> bytes:
    """The picture that others are compared with."""
    return (PHOTOS / "coffee.jpg").read_bytes()


def similar_75() -> bytes:
    """The same with about a fifth painted over."""
    picture = _opened("coffee")
    width, height = picture.size
    ImageDraw.Draw(picture).rectangle((int(width * 0.78), 0, width, height), fill=(128, 128, 128))
    return jpeg(picture)


def similar_15() -> bytes:
    """The same with its object gone: only what is around it is left."""
    picture = _opened("coffee")
    width, height = picture.size
    box = int(width * 0.12), int(height * 0.08), int(width * 0.88), int(height * 0.95)
    picture.paste(picture.filter(ImageFilter.GaussianBlur(40)).crop(box), box[:2])
    return jpeg(picture)


def find_similar() -> dict[str, bytes]:
    """Ten pictures, of which `2.jpg` has the bytes of the comparable one; the others are of other things."""
    names = ("cat", "coffee", "clock", "rocket", "retina", "cameraman", "brick", "gravel", "galaxies")
    files = {f"{number}.jpg": (PHOTOS / f"{name}.jpg").read_bytes() for number, name in enumerate(names, 1)}
    return {**files, "10.jpg": jpeg(photo(10))}


def _opened(name: str) -> Image.Image:
    return Image.open(io.BytesIO((PHOTOS / f"{name}.jpg").read_bytes())).convert("RGB")
