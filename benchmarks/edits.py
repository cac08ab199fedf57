"""The battery: 98 edits in 40 families that people and programs make of a photo."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Colour = tuple[int, int, int]

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SEPIA = (0.393, 0.769, 0.189, 0, 0.349, 0.686, 0.168, 0, 0.272, 0.534, 0.131, 0)


@dataclass(frozen=True)
class Edit:
    """One edited copy: its family, its name in the family, and the bytes of the file."""

    family: str
    name: str
    data: bytes


def edits(image: Picture, generator: np.random.Generator) -> Iterator[Edit]:
    """Yield every edit of an RGB picture; where an edit has a place or a colour, the generator picks it."""
    for family in (
        _encodings,
        _sizes,
        _crops,
        _frames,
        _tones,
        _filters,
        _textures,
        _overlays,
        _turns,
        _combinations,
        _screens,
    ):
        for family_name, name, data in family(image, generator):
            yield Edit(family_name, name, data)


Made = Iterator[tuple[str, str, bytes]]


def jpeg(image: Picture, quality: int = 90) -> bytes:
    return encoded(image.convert("RGB"), "JPEG", quality=quality)


def encoded(image: Picture, file_format: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def _encodings(image: Picture, _: np.random.Generator) -> Made:
    for quality in (95, 75, 50, 30, 10):
        yield "jpeg", f"q{quality}", jpeg(image, quality)
    yield "format", "webp80", encoded(image, "WEBP", quality=80, method=2)
    yield "format", "webp40", encoded(image, "WEBP", quality=40, method=2)
    yield "format", "png", encoded(image, "PNG", compress_level=1)
    yield "format", "gif256", encoded(image, "GIF")
    yield "format", "avif60", encoded(image, "AVIF", quality=60, speed=10)


def _sizes(image: Picture, _: np.random.Generator) -> Made:
    yield "resize", "2x", jpeg(_scaled(image, 2), 85)
    for factor in (0.75, 0.5, 0.25):
        yield "resize", f"{factor}", jpeg(_scaled(image, factor))
    yield "resize", "thumb128", jpeg(_scaled(image, 128 / max(image.size)), 80)
    for percent in (5, 10, 20):
        wider = round(image.width * (1 + percent / 100)), image.height
        yield "aspect", f"{percent}", jpeg(image.resize(wider, Image.Resampling.BICUBIC))


def _crops(image: Picture, generator: np.random.Generator) -> Made:
    for percent in (2, 5, 10, 20, 30):
        yield f"crop{percent}", "c", jpeg(_cropped(image, percent / 100))
        yield f"crop{percent}", "off", jpeg(_cropped(image, percent / 100, *generator.random(2)))
    yield "crop10", "1side", jpeg(_cut(image, 0.1, int(generator.integers(4))))
    yield "crop20", "1side", jpeg(_cut(image, 0.2, int(generator.integers(4))))
    yield "crop50", "off", jpeg(_cropped(image, 0.5, *generator.random(2)))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    yield "cropsq", "square", jpeg(image.crop((left, top, left + side, top + side)))


def _frames(image: Picture, _: np.random.Generator) -> Made:
    yield "pad", "letterbox10", jpeg(_padded(image, 0, 0.1))
    yield "pad", "pillar10w", jpeg(_padded(image, 0.1, 0, WHITE))
    yield "pad", "tosquare", jpeg(ImageOps.pad(image, (max(image.size),) * 2, color=BLACK))
    yield "border", "3w", jpeg(_bordered(image, 0.03, WHITE))
    yield "border", "8k", jpeg(_bordered(image, 0.08, BLACK))
    yield "border", "polaroid", jpeg(_polaroid(image))


def _tones(image: Picture, _: np.random.Generator) -> Made:
    for factor in (0.7, 0.9, 1.1, 1.3):
        yield "bright", f"{factor}", jpeg(ImageEnhance.Brightness(image).enhance(factor))
        yield "contrast", f"{factor}", jpeg(ImageEnhance.Contrast(image).enhance(factor))
    for factor in (0.7, 1.3):
        yield "satur", f"{factor}", jpeg(ImageEnhance.Color(image).enhance(factor))
    for exponent in (0.7, 1.4):
        yield "gamma", f"{exponent}", jpeg(_gamma(image, exponent))
    yield "gray", "gray", jpeg(image.convert("L"))
    for degrees in (15, 60):
        yield "hue", f"{degrees}", jpeg(_hue_turned(image, degrees))
    yield "tone", "autocontrast", jpeg(ImageOps.autocontrast(image, cutoff=1))
    yield "tone", "equalize", jpeg(ImageOps.equalize(image))
    yield "invert", "invert", jpeg(ImageOps.invert(image))


def _filters(image: Picture, _: np.random.Generator) -> Made:
    yield "filter", "sepia", jpeg(image.convert("RGB", SEPIA))
    for recipe in (_clarendon, _gingham, _nashville, _lomo, _vignette):
        yield "filter", recipe.__name__.strip("_"), jpeg(recipe(image))


def _textures(image: Picture, generator: np.random.Generator) -> Made:
    for radius in (1, 3):
        yield "blur", f"{radius}", jpeg(image.filter(ImageFilter.GaussianBlur(radius)))
    yield "sharpen", "usm", jpeg(image.filter(ImageFilter.UnsharpMask(2, 150, 2)))
    for deviation in (8, 20):
        yield "noise", f"{deviation}", jpeg(_noisy(image, deviation, generator))


def _overlays(image: Picture, generator: np.random.Generator) -> Made:
    yield "text", "line", jpeg(_captioned(image, 0.08, 0.85))
    meme = _captioned(image, 0.11, 0.02, "WHEN YOU FINALLY")
    yield "text", "meme", jpeg(_captioned(meme, 0.11, 0.86, "FIND THE DUPLICATE"))
    for percent in (5, 10, 20, 30):
        yield f"overlay{percent}", "logo", jpeg(_with_logo(image, percent / 100, generator))
    yield "watermark", "alpha20", jpeg(_with_logo(image, 0.2, generator, alpha=110))
    yield "watermark", "tiled", jpeg(_tiled_watermark(image))
    yield "emoji", "1x25", jpeg(_with_emoji(image, 0.25, generator))
    yield "emoji", "3x20", jpeg(_with_emoji(image, 0.2, generator, count=3))


def _turns(image: Picture, generator: np.random.Generator) -> Made:
    for angle in (1, 2, 5, 10):
        signed = angle if generator.random() < 0.5 else -angle
        yield f"rot{angle}", "fill", jpeg(_rotated(image, signed, expand=False))
    yield "rot5", "crop", jpeg(_rotated_and_cropped(image, 5))
    yield "rot10", "crop", jpeg(_rotated_and_cropped(image, 10))
    yield "rot30", "expand", jpeg(_rotated(image, 30, expand=True))
    yield "dihedral", "90", jpeg(image.transpose(Image.Transpose.ROTATE_90))
    yield "dihedral", "180", jpeg(image.transpose(Image.Transpose.ROTATE_180))
    yield "dihedral", "270", jpeg(image.transpose(Image.Transpose.ROTATE_270))
    yield "dihedral", "mirror", jpeg(ImageOps.mirror(image))
    yield "dihedral", "flip", jpeg(ImageOps.flip(image))


def _combinations(image: Picture, generator: np.random.Generator) -> Made:
    def crop(share: float) -> Picture:
        return _cropped(image, share, *generator.random(2))

    yield "combo", "crop5jpg50half", jpeg(_scaled(crop(0.05), 0.5), 50)
    bright = ImageEnhance.Brightness(crop(0.1)).enhance(1.15)
    yield "combo", "crop10bright_webp", encoded(_scaled(bright, 0.8), "WEBP", quality=60, method=2)
    yield "combo", "crop10mirror", jpeg(ImageOps.mirror(crop(0.1)), 60)
    yield "combo", "crop20text_q60", jpeg(_captioned(crop(0.2), 0.09, 0.8), 60)
    framed = _bordered(_clarendon(image), 0.04, WHITE)
    yield "combo", "filter_frame_thumb", jpeg(_scaled(framed, 0.4), 75)
    yield "combo", "rot3crop_q70", jpeg(_rotated_and_cropped(image, 3), 70)


def _screens(image: Picture, _: np.random.Generator) -> Made:
    yield "screenshot", "dark", jpeg(_phone_screenshot(image, dark=True), 85)
    yield "screenshot", "light", jpeg(_phone_screenshot(image, dark=False), 85)
    yield "screenshot", "article12", jpeg(_article(image), 85)


def _scaled(image: Picture, factor: float) -> Picture:
    size = max(8, round(image.width * factor)), max(8, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _cropped(image: Picture, removed: float, across: float = 0.5, down: float = 0.5) -> Picture:
    """Remove a share of the area; `across` and `down` place what is left, 0 to 1."""
    side = math.sqrt(1 - removed)
    width, height = round(image.width * side), round(image.height * side)
    left, top = round((image.width - width) * across), round((image.height - height) * down)
    return image.crop((left, top, left + width, top + height))


def _cut(image: Picture, share: float, side: int) -> Picture:
    width, height = image.size
    x, y = round(width * share), round(height * share)
    return image.crop(
        [(x, 0, width, height), (0, 0, width - x, height), (0, y, width, height), (0, 0, width, height - y)][
            side
        ]
    )


def _padded(image: Picture, across: float, down: float, colour: Colour = BLACK) -> Picture:
    x, y = round(image.width * across), round(image.height * down)
    padded = Image.new("RGB", (image.width + 2 * x, image.height + 2 * y), colour)
    padded.paste(image, (x, y))
    return padded


def _bordered(image: Picture, share: float, colour: Colour) -> Picture:
    return ImageOps.expand(image, round(min(image.size) * share), colour)


def _polaroid(image: Picture) -> Picture:
    border = round(min(image.size) * 0.06)
    card = Image.new("RGB", (image.width + 2 * border, image.height + 5 * border), (250, 250, 245))
    card.paste(image, (border, border))
    return card


def _mapped(image: Picture, curve: Callable[[float], float]) -> Picture:
    table = [max(0, min(255, round(255 * curve(level / 255)))) for level in range(256)]
    return image.point(table * 3)


def _gamma(image: Picture, exponent: float) -> Picture:
    return _mapped(image, lambda level: level**exponent)


def _hue_turned(image: Picture, degrees: int) -> Picture:
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(level + round(degrees * 256 / 360)) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _levels(image: Picture) -> np.ndarray:
    return np.asarray(image, np.float32) / 255


def _from_levels(levels: np.ndarray) -> Picture:
    return Image.fromarray((levels.clip(0, 1) * 255).astype(np.uint8))


def _vignette(image: Picture) -> Picture:
    y, x = np.mgrid[0 : image.height, 0 : image.width]
    across, down = image.width / 2, image.height / 2
    radius = np.hypot((x - across) / across, (y - down) / down) / 1.414
    return _from_levels(_levels(image) * (1 - 0.6 * radius**2)[..., None])


def _clarendon(image: Picture) -> Picture:
    levels = _levels(image)
    gain, offset = np.array([1, 1.05, 1.1], np.float32), np.array([-0.02, 0.01, 0.06], np.float32)
    return ImageEnhance.Color(_from_levels(levels + (levels - 0.5) * 0.2 * gain + offset)).enhance(1.35)


def _gingham(image: Picture) -> Picture:
    faded = _levels(image) * 0.8 + 0.16 + np.array([0.03, 0.02, -0.01], np.float32)
    return ImageEnhance.Color(_from_levels(faded)).enhance(0.8)


def _nashville(image: Picture) -> Picture:
    red, green, blue = np.moveaxis(_levels(image), -1, 0)
    return _from_levels(np.stack([red**0.85, green * 0.95 + 0.02, blue * 0.8 + 0.08], axis=-1))


def _lomo(image: Picture) -> Picture:
    return _vignette(ImageEnhance.Contrast(ImageEnhance.Color(image).enhance(1.3)).enhance(1.4))


def _noisy(image: Picture, deviation: float, generator: np.random.Generator) -> Picture:
    noise = generator.normal(0, deviation / 255, (image.height, image.width, 3))
    return _from_levels(_levels(image) + noise)


def _captioned(image: Picture, size: float, top: float, caption: str = "Sample caption TEXT 2024") -> Picture:
    """Draw a line of white text with a black outline, `size` and `top` relative to the height."""
    captioned = image.copy()
    draw = ImageDraw.Draw(captioned)
    font = ImageFont.load_default(max(8, round(image.height * size)))
    width = draw.textlength(caption, font=font)
    if width > image.width * 0.95:
        font = ImageFont.load_default(max(8, round(font.size * image.width * 0.95 / width)))
        width = draw.textlength(caption, font=font)
    place = (image.width - width) / 2, round(image.height * top)
    draw.text(
        place,
        caption,
        font=font,
        fill="white",
        stroke_width=max(1, round(font.size / 15)),
        stroke_fill="black",
    )
    return captioned


def _with_logo(image: Picture, area: float, generator: np.random.Generator, alpha: int = 255) -> Picture:
    side = math.sqrt(area)
    width, height = round(image.width * side), round(image.height * side)
    colour = tuple(int(level) for level in generator.integers(0, 256, 3))
    opposite = tuple(255 - level for level in colour)
    logo = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(logo)
    draw.rectangle((0, 0, width, height), fill=(*colour, alpha))
    draw.ellipse((width * 0.15, height * 0.15, width * 0.85, height * 0.85), fill=(*opposite, alpha))
    draw.rectangle((width * 0.4, height * 0.3, width * 0.6, height * 0.7), fill=(255, 255, 255, alpha))
    left = int(generator.integers(0, image.width - width + 1))
    top = int(generator.integers(0, image.height - height + 1))
    overlaid = image.convert("RGBA")
    overlaid.alpha_composite(logo, (left, top))
    return overlaid.convert("RGB")


def _with_emoji(image: Picture, size: float, generator: np.random.Generator, count: int = 1) -> Picture:
    decorated = image.copy()
    draw = ImageDraw.Draw(decorated)
    side = round(min(image.size) * size)
    for _ in range(count):
        x, y = int(generator.integers(0, image.width - side)), int(generator.integers(0, image.height - side))
        _draw_emoji(draw, x, y, side)
    return decorated


def _draw_emoji(draw: ImageDraw.ImageDraw, x: int, y: int, side: int) -> None:
    brown, eye = (60, 40, 0), side * 0.1
    draw.ellipse(
        (x, y, x + side, y + side), fill=(255, 205, 50), outline=(160, 110, 0), width=max(1, side // 30)
    )
    for across in (0.3, 0.7):
        centre = x + side * across, y + side * 0.35
        draw.ellipse((centre[0] - eye, centre[1] - eye, centre[0] + eye, centre[1] + eye), fill=brown)
    mouth = x + side * 0.25, y + side * 0.35, x + side * 0.75, y + side * 0.8
    draw.arc(mouth, 20, 160, fill=brown, width=max(1, side // 18))


def _tiled_watermark(image: Picture) -> Picture:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(10, image.height // 14))
    for y in range(0, image.height, max(20, image.height // 4)):
        for x in range(0, image.width, max(40, image.width // 3)):
            draw.text((x, y), "© stock", font=font, fill=(255, 255, 255, 110))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _rotated(image: Picture, angle: float, *, expand: bool) -> Picture:
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=expand, fillcolor=BLACK)


def _rotated_and_cropped(image: Picture, angle: float) -> Picture:
    """Rotate and cut the largest upright part of the same proportions that shows no corner."""
    rotated = _rotated(image, angle, expand=True)
    width, height = image.size
    cosine, sine = math.cos(math.radians(abs(angle))), math.sin(math.radians(abs(angle)))
    scale = 0.995 * min(width / (width * cosine + height * sine), height / (height * cosine + width * sine))
    x, y = rotated.width / 2, rotated.height / 2
    across, down = width * scale / 2, height * scale / 2
    return rotated.crop((round(x - across), round(y - down), round(x + across), round(y + down)))


def _phone_screenshot(image: Picture, *, dark: bool) -> Picture:
    width, gray = 540, (128, 128, 128)
    screen = Image.new("RGB", (width, 960), (18, 18, 20) if dark else (245, 245, 247))
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(18)
    draw.rectangle((0, 0, width, 40), fill=(30, 30, 30) if dark else WHITE)
    draw.text((14, 10), "12:34   LTE  84%", font=font, fill=gray)
    scale = min(width / image.width, 760 / image.height)
    shown = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    screen.paste(shown, ((width - shown.width) // 2, 100))
    draw.text((14, 115 + shown.height), "user_name  1,204 likes", font=font, fill=gray)
    draw.text((14, 145 + shown.height), "caption of the post goes here ...", font=font, fill=gray)
    return screen


def _article(image: Picture) -> Picture:
    """The picture in a page with a margin of 12 % and a headline."""
    margin = round(0.12 * image.width)
    page = Image.new("RGB", (image.width + 2 * margin, image.height + margin + margin // 2), WHITE)
    page.paste(image, (margin, margin))
    font = ImageFont.load_default(max(9, margin // 3))
    ImageDraw.Draw(page).text(
        (margin, margin // 3), "Breaking: article headline", font=font, fill=(20, 20, 20)
    )
    return page
