"""A comparison as a picture: both laid out alike side by side, with what differs marked in both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lookalike.explanation import MATCH
from lookalike.placement import Size, changed_quads, placement
from lookalike.verification.comparison import Comparison
from lookalike.verification.geometry import Matrix, between_centres, corners, scaling, translation

PANEL = 640  # px, the longer side of what a panel shows
MARGIN = 28
MOST_SENTENCES = 5
LARGEST_CANVAS = 4.0  # times the first picture: what reaches farther out is cut off

PAPER, INK, FAINT, EMPTY = (250, 250, 248), (32, 33, 36), (110, 113, 118), (226, 227, 230)
GREEN, AMBER, RED, BLUE = (24, 128, 72), (196, 124, 8), (196, 48, 40), (0, 120, 212)

Points = np.ndarray
"""(4, 2): corners in pixels of the first picture."""


@dataclass(frozen=True)
class Side:
    """One of the two pictures: its name, its pixels (perhaps shrunk) and its full size."""

    name: str
    image: Image.Image
    size: Size


def illustrated(
    first: Side, second: Side, found: Comparison, sentences: Sequence[str], *, swapped: bool
) -> Image.Image:
    """Return an RGB picture of the comparison; `swapped` if the second was the first when it was made."""
    if found.similarity >= MATCH and found.transform:
        panels = _aligned(first, second, found, swapped)
    else:
        panels = [_alone(first), _alone(second)]
    width = max(2 * PANEL, panels[0].width + panels[1].width + MARGIN) + 2 * MARGIN
    header = _header(found, sentences, width)
    height = header.height + max(panel.height for panel in panels) + 40 + MARGIN
    page = Image.new("RGB", (width, height), PAPER)
    page.paste(header, (0, 0))
    column = (width - 3 * MARGIN) // 2
    for number, (panel, side) in enumerate(zip(panels, (first, second), strict=True)):
        left = MARGIN + number * (column + MARGIN)
        page.paste(panel, (left + (column - panel.width) // 2, header.height))
        _caption(page, side, left, header.height + max(panel.height for panel in panels) + 10, column)
    return page


def _aligned(first: Side, second: Side, found: Comparison, swapped: bool) -> list[Image.Image]:
    """Both on one canvas, large enough for both: what only one shows is dimmed, what differs is framed."""
    matrix = placement(found.transform, first.size, second.size)
    frame, quad = corners(np.eye(3), first.size), corners(matrix, second.size)
    left, top, right, bottom = _canvas(frame, quad, first.size)
    scale = PANEL / max(right - left, bottom - top)
    to_canvas = scaling(scale, scale) @ translation(-left, -top)
    size = max(1, math.ceil((right - left) * scale)), max(1, math.ceil((bottom - top) * scale))
    boxes = found.evidence.get("changes", {}).get("boxes", [])
    changed = changed_quads(boxes, matrix, first.size, second.size, from_second=swapped)
    panels = []
    for side, onto, other in ((first, np.eye(3), quad), (second, matrix, frame)):
        panel = _placed(side, to_canvas @ onto, size)
        panels.append(_marked(panel, _mapped([other], to_canvas)[0], _mapped(changed, to_canvas)))
    return panels


def _canvas(frame: Points, quad: Points, size: Size) -> tuple[float, float, float, float]:
    both = np.concatenate([frame, quad])
    most = np.array(size) * (LARGEST_CANVAS - 1) / 2
    left, top = np.maximum(both.min(axis=0), -most)
    right, bottom = np.minimum(both.max(axis=0), np.array(size) + most)
    return float(left), float(top), float(right), float(bottom)


def _mapped(quads: Iterable[Points], matrix: Matrix) -> list[Points]:
    return [quad @ matrix[:2, :2].T + matrix[:2, 2] for quad in quads]


def _placed(side: Side, matrix: Matrix, size: Size) -> Image.Image:
    """Return a picture warped onto a canvas; `matrix` maps its full pixels."""
    pixels = np.asarray(side.image)
    shrink = math.sqrt(abs(np.linalg.det(matrix[:2, :2]))) * side.size[0] / pixels.shape[1]
    if shrink < 0.75:
        small = max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink))
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    shown = matrix @ scaling(side.size[0] / pixels.shape[1], side.size[1] / pixels.shape[0])
    centred = between_centres(shown)[:2]
    warped = cv2.warpAffine(
        pixels,
        centred,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=[float(level) for level in EMPTY],
    )
    return Image.fromarray(np.asarray(warped, np.uint8))


def _marked(panel: Image.Image, other: Points, changed: list[Points]) -> Image.Image:
    """Dim what the other picture does not show, and frame the changed regions. Drawn at double size."""
    double = (panel.width * 2, panel.height * 2)
    layer = Image.new("RGBA", double, (*PAPER, 120))
    draw = ImageDraw.Draw(layer)
    outline = [tuple(point) for point in (other * 2).tolist()]
    draw.polygon(outline, fill=(0, 0, 0, 0))
    covers_all = (other.min(axis=0) < 2).all() and (other.max(axis=0) > np.array(panel.size) - 2).all()
    if not covers_all or _is_tilted(other):
        draw.line([*outline, outline[0], outline[1]], fill=(*BLUE, 255), width=5, joint="curve")
    for quad in changed:
        points = [tuple(point) for point in (_grown(quad, 4.0) * 2).tolist()]
        draw.polygon(points, fill=(*RED, 36))
        draw.line([*points, points[0], points[1]], fill=(*RED, 255), width=6, joint="curve")
    return Image.alpha_composite(
        panel.convert("RGBA"), layer.resize(panel.size, Image.Resampling.BOX)
    ).convert("RGB")


def _is_tilted(quad: Points) -> bool:
    sides = np.abs(quad - np.roll(quad, 1, axis=0))
    return bool((sides.min(axis=1) > 0.02 * sides.max(axis=1)).any())


def _grown(quad: Points, by: float) -> Points:
    """Return the region a little larger, so that its frame hides nothing of it."""
    out = quad - quad.mean(axis=0)
    grown: Points = quad + by * np.sign(out)
    return grown


def _alone(side: Side) -> Image.Image:
    scale = PANEL / max(side.size)
    size = max(1, round(side.size[0] * scale)), max(1, round(side.size[1] * scale))
    return side.image.resize(size, Image.Resampling.LANCZOS)


def _header(found: Comparison, sentences: Sequence[str], width: int) -> Image.Image:
    """The similarity and relation, large, and the first sentences beside them."""
    large, plain = ImageFont.load_default(54), ImageFont.load_default(17)
    relation = found.relation.replace("_", " ")
    colour = GREEN if found.similarity >= 80 else AMBER if found.similarity >= MATCH else RED
    told = [
        line for sentence in sentences[:MOST_SENTENCES] for line in _wrapped(sentence, plain, width - 330)
    ]
    height = max(130, 2 * MARGIN + 24 * len(told))
    header = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(header)
    draw.text((MARGIN, MARGIN - 8), f"{found.similarity:.1f}", font=large, fill=colour)
    draw.text((MARGIN + 2, MARGIN + 58), relation, font=ImageFont.load_default(22), fill=INK)
    for number, line in enumerate(told):
        draw.text((270, MARGIN + 24 * number), line, font=plain, fill=INK if number == 0 else FAINT)
    return header


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in text.replace("×", "x").split():  # Pillow's own font has no such sign
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _caption(page: Image.Image, side: Side, left: int, top: int, width: int) -> None:
    font = ImageFont.load_default(16)
    facts = f"{side.size[0]} x {side.size[1]}"
    name = side.name
    while len(name) > 8 and font.getlength(f"{name}   {facts}") > width:
        name = f"{name[: len(name) // 2 - 2]}...{name[len(name) // 2 + 1 :]}"
    draw = ImageDraw.Draw(page)
    draw.text((left + width / 2, top), f"{name}   {facts}", font=font, fill=FAINT, anchor="ma")
