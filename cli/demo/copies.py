"""What happens to photos in real life, done to the sample photos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance

ORIENTATION = 0x0112
ROTATED_BY_VIEWER = 6


def recompressed(photo: Image.Image, path: Path) -> None:
    """As a messenger sends it."""
    photo.save(path, quality=55)


def reformatted(photo: Image.Image, path: Path) -> None:
    """In the format that the file's name says; PNG keeps every pixel."""
    photo.save(path)


def halved(photo: Image.Image, path: Path) -> None:
    """Half as wide and half as high."""
    photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS).save(path, quality=88)


def cropped(photo: Image.Image, path: Path) -> None:
    """Four hundredths gone on each side."""
    x, y = photo.width // 25, photo.height // 25
    photo.crop((x, y, photo.width - x, photo.height - y)).save(path, quality=85)


def toned(photo: Image.Image, path: Path) -> None:
    """Brighter and more colourful, as a phone's "enhance" does."""
    brighter = ImageEnhance.Brightness(photo).enhance(1.12)
    ImageEnhance.Color(brighter).enhance(1.25).save(path, quality=85)


def rotated(photo: Image.Image, path: Path) -> None:
    """Turned by a quarter."""
    photo.transpose(Image.Transpose.ROTATE_90).save(path, quality=85)


def mirrored(photo: Image.Image, path: Path) -> None:
    """Left and right swapped."""
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, quality=85)


def on_its_side(photo: Image.Image, path: Path) -> None:
    """Stored lying down with the EXIF tag that tells viewers to turn it: the very same picture."""
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATED_BY_VIEWER
    photo.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def watermarked(photo: Image.Image, path: Path) -> None:
    """With a line of text in the corner."""
    marked = photo.convert("RGB")
    ImageDraw.Draw(marked).text((12, marked.height - 34), "© my photo blog", fill="white", font_size=22)
    marked.save(path, quality=85)


COPIES: dict[str, Callable[[Image.Image, Path], None]] = {
    "cat-recompressed.jpg": recompressed,
    "cat-half.webp": halved,
    "coffee.png": reformatted,
    "coffee-toned.jpg": toned,
    "coffee-cropped.jpg": cropped,
    "rocket-rotated.jpg": rotated,
    "rocket-mirrored.jpg": mirrored,
    "rocket-watermarked.jpg": watermarked,
    "cameraman.avif": reformatted,
    "cameraman-on-its-side.png": on_its_side,
}


def make(photos: Path, directory: Path) -> None:
    """Fill directory with the sample photos and the copies of them."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in photos.glob("*.jpg"):
        shutil.copy(path, directory)
    (directory / "retina").mkdir(exist_ok=True)
    shutil.copy(photos / "retina.jpg", directory / "retina" / "IMG_0815.jpg")
    for name, change in COPIES.items():
        with Image.open(photos / f"{subject(name)}.jpg") as photo:
            change(photo, directory / name)


def subject(image_id: str) -> str:
    """Return what the picture shows: its name up to the first dash, dot or slash."""
    return image_id.replace("/", "-").replace(".", "-").split("-", 1)[0]
