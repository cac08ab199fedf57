from __future__ import annotations

import base64
import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from lookalike.decoding import Limits, Picture, decode
from lookalike.errors import (
    CorruptImage,
    DecodingError,
    EmptyFile,
    ImageTooLarge,
    NotAnImage,
    UnsupportedImage,
)
from tests.pictures import jpeg, photo, png, webp

RED, BLUE, WHITE, BLACK = (200, 30, 30), (20, 40, 160), (255, 255, 255), (0, 0, 0)

# A 64 x 48 picture like _corners(), stored turned with orientation 6: Pillow cannot write HEIC.
_HEIC_TURNED = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAALIAAgAAAAACngABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVp"
    "bmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZo"
    "dmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAA"
    "AwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAA"
    "AAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90"
    "AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAN5tZGF0AAAArigBrwngIzhH"
    "/962H/zrGh8pbvFV35TeVvSKS7DU/9W2U+U9mdmH6sH+MOK/59z7YP8ECf/iQp0siY2YunscBnGk8hDxqWhcwUxdUYsYuTN8"
    "AgA/459x3iOUQl2f4pQVA98A8y6MUXD0AOVURTd1YxVfwuBQ32NJ0OHM3Gnd5sWiQVVYDbvb48jx01MFXLP8Q3Xnm/OxN2rJ"
    "ARuk7DQGfVoW8KKQC+fvTeBU3c4CLAAAAAZFeGlmAABNTQAqAAAACAABARIAAwAAAAEABgAAAAAAAA=="
)


def _corners(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red top left, blue bottom right: every turn of it is another picture."""
    picture = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, height // 2, width - 1, height - 1), fill=BLUE)
    return picture


def _encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _difference(picture: Picture, expected: Image.Image) -> float:
    """Return the mean difference of pixels, so that a lossy format may differ at edges."""
    assert (picture.width, picture.height) == picture.image.size == expected.size
    return float(np.abs(picture.pixels.astype(int) - np.asarray(expected.convert("RGB"))).mean())


_TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 90}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_exactly_once(
    file_format: str, options: dict[str, Any], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = _corners()
    turn = _TURNS[orientation]
    picture = decode(_encoded(stored, file_format, exif=exif.tobytes(), **options))
    assert _difference(picture, stored if turn is None else stored.transpose(turn)) < 4


def test_a_turned_heic_is_shown_upright_once() -> None:
    picture = decode(_HEIC_TURNED)
    assert picture.format == "HEIF"
    assert _difference(picture, _corners().transpose(Image.Transpose.ROTATE_270)) < 4


def test_a_jpeg_read_at_a_fraction_keeps_its_full_size_and_the_pixels_asked_for() -> None:
    picture = decode(jpeg(photo(1, (1601, 1203)), exif_orientation=6), shrink_to=120_000)
    assert (picture.width, picture.height) == (1203, 1601)
    assert picture.image.size == (301, 401)


def test_transparent_logos_keep_their_shapes() -> None:
    pictures = []
    for color in (WHITE, BLACK, RED):
        logo = Image.new("RGBA", (80, 60), (*color, 0))
        ImageDraw.Draw(logo).ellipse((10, 10, 50, 50), fill=(*color, 255))
        pictures.append(decode(png(logo)))
    assert all(picture.has_alpha and picture.pixels.std() > 30 for picture in pictures)
    assert tuple(pictures[0].pixels[0, 0]) == BLACK  # white on white would vanish
    assert tuple(pictures[1].pixels[0, 0]) == tuple(pictures[2].pixels[0, 0]) == WHITE


def test_colour_hidden_under_full_transparency_is_not_seen() -> None:
    hidden = photo(2, (64, 48)).convert("RGBA")
    hidden.putalpha(0)
    assert decode(png(hidden)).pixels.std() == 0


def test_an_alpha_channel_that_hides_nothing_is_none() -> None:
    picture = decode(png(photo(3, (64, 48)).convert("RGBA")))
    assert not picture.has_alpha
    assert _difference(picture, photo(3, (64, 48))) == 0


def test_a_palette_with_a_transparent_entry_stands_on_white() -> None:
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([*BLACK, *BLUE])
    palette.paste(1, (10, 10, 30, 30))
    picture = decode(png(palette, transparency=0))
    assert picture.has_alpha
    assert tuple(picture.pixels[0, 0]) == WHITE
    assert tuple(picture.pixels[20, 20]) == BLUE


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bits_look_like_the_same_picture_in_eight(file_format: str) -> None:
    gray = photo(4, (64, 48)).convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    assert _difference(decode(_encoded(deep, file_format)), gray) < 1


def test_twelve_bits_in_a_tiff_are_not_taken_for_night() -> None:
    gray = photo(4, (64, 48)).convert("L")
    sensor = Image.fromarray((np.asarray(gray).astype(np.float32) * (4095 / 255)).astype(np.uint16))
    assert _difference(decode(_encoded(sensor, "TIFF")), gray) < 2


def test_float_samples_are_brought_to_eight_bits_whatever_they_hold() -> None:
    gray = photo(5, (64, 48)).convert("L")
    samples = np.asarray(gray).astype(np.float32) / 255
    assert _difference(decode(_encoded(Image.fromarray(samples), "TIFF")), gray) < 1
    samples = samples.copy()
    samples[0] = (np.nan, np.inf, -np.inf, 0.5) * 16
    assert decode(_encoded(Image.fromarray(samples), "TIFF")).pixels[1:].std() > 10


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("YCbCr", "TIFF")],
)
def test_every_colour_mode_gives_the_picture(mode: str, file_format: str) -> None:
    stored = _corners().convert(mode)
    picture = decode(_encoded(stored, file_format))
    assert picture.image.mode == "RGB"
    assert _difference(picture, stored.convert("RGB")) < 6


def test_lab_is_turned_into_the_colours_it_means() -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    stored = ImageCms.profileToProfile(_corners(), *profiles, outputMode="LAB")
    assert stored is not None
    assert _difference(decode(_encoded(stored, "TIFF")), _corners()) < 3


def test_the_first_frame_stands_for_an_animation() -> None:
    frames = [photo(seed, (48, 48)).quantize(32) for seed in (1, 2, 3)]
    picture = decode(_encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert picture.is_animated
    assert _difference(picture, frames[0]) < 1
    assert not decode(_encoded(frames[0], "GIF")).is_animated


def test_the_end_of_the_name_does_not_matter_only_the_bytes() -> None:
    assert decode(webp(photo(6, (48, 48)))).format == "WEBP"


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "QOI"]
)
def test_a_file_cut_short_is_reported_and_not_silently_gray(file_format: str) -> None:
    data = _encoded(photo(7, (200, 150)), file_format)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(CorruptImage):
            decode(data[: int(len(data) * share)])


def test_a_png_whose_picture_data_was_changed_is_corrupt() -> None:
    data = bytearray(png(photo(8, (100, 100))))
    data[-20] ^= 0xFF  # in the last IDAT or its checksum
    with pytest.raises(CorruptImage):
        decode(bytes(data))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_png_with_a_broken_text_is_still_a_picture() -> None:
    data = png(_corners())
    bomb = _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000), 9))
    assert _difference(decode(data[:33] + bomb + data[33:]), _corners()) == 0


def test_a_picture_larger_than_the_limit_is_refused_before_its_pixels_are_made() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(100_000)))
    with pytest.raises(ImageTooLarge):
        decode(bomb)
    with pytest.raises(ImageTooLarge, match="100 × 80"):
        decode(png(photo(1, (100, 80))), Limits(max_pixels=7_999))


def test_a_jpeg_may_be_larger_than_the_limit_if_it_is_read_at_a_fraction() -> None:
    data, limits = jpeg(photo(9, (800, 600))), Limits(max_pixels=200_000)
    assert decode(data, limits, shrink_to=40_000).width == 800
    with pytest.raises(ImageTooLarge):
        decode(data, limits)


def test_a_jpeg_of_endless_passes_is_refused() -> None:
    data = jpeg(photo(10, (400, 300)), progressive=True)
    scans = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageTooLarge, match="passes"):
        decode(data[:-2] + scans * 40 + data[-2:], Limits(max_pixels=130_000))


def test_limits_on_bytes_and_frames_are_kept() -> None:
    frames = [photo(seed, (32, 32)) for seed in (1, 2, 3)]
    data = webp(frames[0], save_all=True, append_images=frames[1:])
    assert decode(data, Limits(max_frames=3)).is_animated
    with pytest.raises(ImageTooLarge, match="3 frames"):
        decode(data, Limits(max_frames=2))
    with pytest.raises(ImageTooLarge, match="limit is 99"):
        decode(data, Limits(max_bytes=99))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFile),
        (b"\0", NotAnImage),
        (bytes(5000), NotAnImage),
        (b"Dear reader,\nthis is no picture.\n" * 20, NotAnImage),
        (b"PK\x03\x04" + bytes(range(200)), NotAnImage),
        (b"\x89PNG\r\n\x1a\n", CorruptImage),
        (b"\xff\xd8\xff\xe0", CorruptImage),
        (b"GIF89a\x01\0", CorruptImage),
        (b"RIFF\x10\0\0\0WEBPVP8 ", CorruptImage),
        (b"\0\0\0\x18ftypheic" + bytes(40), CorruptImage),
        (b"\xff\x0a" + bytes(100), UnsupportedImage),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedImage),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UnsupportedImage),
        (b"%PDF-1.7\n", UnsupportedImage),
        (b"\0\0\0\x18ftypisom" + bytes(40), UnsupportedImage),
    ],
)
def test_bytes_that_are_no_picture_say_what_they_are(data: bytes, error: type[DecodingError]) -> None:
    with pytest.raises(DecodingError) as caught:
        decode(data)
    assert type(caught.value) is error
    assert caught.value.detail


def test_any_damage_gives_a_picture_or_a_decoding_error_and_no_noise(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    picture = photo(11, (60, 40))
    for file_format in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "ICO", "PPM", "TGA", "JPEG2000"):
        whole = np.frombuffer(_encoded(picture, file_format), np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[rng.integers(0, min(len(whole), 400), 6)] = rng.integers(0, 256, 6)
            with contextlib.suppress(DecodingError):
                decode(damaged.tobytes(), shrink_to=1000)
    assert capfd.readouterr() == ("", "")


def test_facts_of_a_photograph_are_read() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2021:05:06 07:08:09"
    facts = decode(jpeg(photo(12, (64, 48)), quality=83, exif=exif)).facts
    assert facts.jpeg_quality == 83
    assert facts.taken_at == 1620284889
    assert facts.metadata_count >= 3
    assert not facts.is_lossless


@pytest.mark.parametrize("broken", [b"Exif\0\0II*\0", b"Exif\0\0" + b"\xff" * 40, b"\0"])
def test_broken_metadata_does_not_cost_the_picture(broken: bytes) -> None:
    assert decode(jpeg(_corners(), exif=broken)).facts.taken_at == 0


def test_lossless_webp_is_told_from_lossy() -> None:
    assert decode(webp(_corners(), lossless=True)).facts.is_lossless
    assert not decode(webp(_corners(), quality=80)).facts.is_lossless
