"""One side of a comparison: what is known of a picture, and what verification derives from it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.levels import most_of_one_tone
from lookalike.verification.keypoints import Keypoints, detect, mirrored
from lookalike.verification.pixels import PixelDigest, digest
from lookalike.verification.sketch import PIXELS as SKETCH_PIXELS
from lookalike.verification.sketch import Sketch, sketch

# All proxies are brought to this area: long strips keep their detail, and memory stays bounded.
PROXY_AREA = 400 * 300
NARROWEST = 16  # px; strips are widened to it, so that cells and tiles fit in


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture to compare: its FEATURES record, its proxy (JPEG bytes), and how to get its content.

    `content` returns the file's bytes; without it identical pixels cannot be proven, and 99.9 is the most.
    """

    record: Any
    proxy: bytes
    content: Callable[[], bytes] | None = None
    byte_count: int = 0


@dataclass
class Prepared:
    """A subject and all that is derived from it, each when first asked for.

    `changed` are pixels other than the proxy's: turned over, straightened, or in another light.
    """

    subject: Subject
    changed: NDArray[np.uint8] | None = field(default=None, repr=False)
    _halved: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    _halved_gray: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """The proxy's pixels (h, w, 3), or those that it was changed to."""
        if self.changed is not None:
            return self.changed
        # OpenCV's reading of a proxy is Pillow's to the bit, in two thirds of its time.
        return _resized(_read(self.subject.proxy, cv2.IMREAD_COLOR_RGB))

    @property
    def record(self) -> Any:
        """The FEATURES record."""
        return self.subject.record

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the proxy as used here, in px."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def full_size(self) -> tuple[int, int]:
        """Oriented width and height of the picture itself, in px."""
        return int(self.record["width"]), int(self.record["height"])

    @cached_property
    def key(self) -> bytes:
        """What orders the two sides of a comparison, whatever order they are given in."""
        return bytes(np.asarray(self.record["whole"]).tobytes()) + self.subject.proxy

    @cached_property
    def negative(self) -> Prepared:
        """The same picture with every level turned over."""
        return Prepared(self.subject, np.asarray(255 - self.pixels, np.uint8))

    @cached_property
    def gray(self) -> NDArray[np.uint8]:
        """The proxy in gray."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def sketch(self) -> Sketch:
        """What a first look needs."""
        # It holds nothing of this, which else only the garbage collector could free.
        if self.changed is not None:
            gray = self.gray
            return sketch(self.record, lambda: gray)
        return sketch(self.record, partial(_small_gray, self.subject))

    @cached_property
    def plain(self) -> float:
        """Share of the commonest gray level and its two neighbours: large in graphics."""
        counts = np.bincount(self.gray.ravel(), minlength=256)
        return most_of_one_tone(counts, 1) / self.gray.size

    def sketched(self) -> Prepared:
        """The same subject, with nothing of what was derived from it but what a glance needs."""
        kept, derived = Prepared(self.subject, self.changed), vars(self)
        vars(kept).update({name: derived[name] for name in ("key", "sketch") if name in derived})
        return kept

    def halved(self, times: int, *, is_gray: bool = False) -> NDArray[np.uint8]:
        """The proxy in colour or gray, halved `times` times; at most down to 8 px."""
        kept = self._halved_gray if is_gray else self._halved
        if not kept:
            kept.append(self.gray if is_gray else self.pixels)
        while len(kept) <= times:
            kept.append(_half(kept[-1]))
        return kept[times]

    @cached_property
    def keypoints(self) -> Keypoints:
        """Key points of the proxy."""
        return detect(self.gray)

    @cached_property
    def mirrored_keypoints(self) -> Keypoints:
        """Key points of the proxy's mirror image, at their places in the proxy itself."""
        return mirrored(self.gray, self.keypoints)

    @cached_property
    def pixel_digest(self) -> PixelDigest | None:
        """Digest of the fully decoded pixels, or None where the content is not at hand or not readable."""
        return digest(self.subject.content) if self.subject.content else None


def prepare(subject: Subject) -> Prepared:
    """Return what comparisons ask of a picture; it may be kept for all of them."""
    return Prepared(subject)


def _small_gray(subject: Subject) -> NDArray[np.uint8]:
    """The proxy in gray; where half its sides are enough for a sketch, no more is read of it."""
    is_large = int(subject.record["width"]) * int(subject.record["height"]) >= 4 * SKETCH_PIXELS
    return _read(subject.proxy, cv2.IMREAD_REDUCED_GRAYSCALE_2 if is_large else cv2.IMREAD_GRAYSCALE)


def _read(proxy: bytes, how: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(proxy, np.uint8), how), np.uint8)


def _resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink to PROXY_AREA; enlarge tiny pictures so that key points find room for their patches."""
    height, width = pixels.shape[:2]
    scale = (PROXY_AREA / (height * width)) ** 0.5
    if scale > 1:
        # Enlarging adds no detail; only pictures too small for a 31 px patch on several levels gain.
        scale = min(scale, max(1.0, 160 / max(height, width)))
    if 0.95 < scale <= 1.0 and min(height, width) >= NARROWEST:
        return pixels
    size = max(NARROWEST, round(width * scale)), max(NARROWEST, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _half(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if min(height, width) < 16:
        return pixels
    size = (width + 1) // 2, (height + 1) // 2
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
