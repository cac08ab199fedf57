"""One image's bytes to its features and proxy, in one decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from PIL import Image

from lookalike.decoding import Limits, Picture, decode
from lookalike.features import border, detail, hashes, proxy
from lookalike.features.record import FEATURES, Flag
from lookalike.features.regions import region_hashes
from lookalike.features.strips import strip_hashes
from lookalike.features.waves import squashed
from lookalike.local.keypoints import extract_local
from lookalike.local.likeness import plain_shares

# Below this standard deviation of the 64 × 64 gray levels a hash is made of noise.
_FLAT_CONTRAST = 3.0
# Pictures of one template have their margins in common; they are made on so much paper of one tone. Half of
# the charts and receipts that were drawn are plainer, and one photo in eight.
_PAPER = 0.45

# One image, one thread: the workers already fill the cores.
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Extracted:
    """What extraction gives: the record, a JPEG proxy of about 120,000 pixels, and facts for listings."""

    record: np.void
    proxy: bytes
    format: str
    width: int
    height: int


def extract(data: bytes, limits: Limits = Limits()) -> Extracted:
    """Return features and proxy of an image; raise DecodingError if it cannot be decoded."""
    picture = decode(data, limits, shrink_to=proxy.PIXELS)
    record = np.zeros((), FEATURES)
    small = proxy.shrunk(picture.image)
    encoded = proxy.encoded(small)
    record["proxy_length"], record["proxy_width"], record["proxy_height"] = (
        len(encoded),
        small.width,
        small.height,
    )
    gray = picture.image.convert("L")
    record["flags"] = _describe_file(record, picture) | _hash(record, gray, small)
    record["true_width"], record["true_height"] = _true_size(picture, gray)
    return Extracted(cast(np.void, record[()]), encoded, picture.format, picture.width, picture.height)


def _describe_file(record: np.ndarray, picture: Picture) -> Flag:
    facts = picture.facts
    record["width"], record["height"] = picture.width, picture.height
    record["jpeg_quality"], record["metadata_count"] = facts.jpeg_quality, facts.metadata_count
    record["taken_at"] = facts.taken_at
    told = (
        (picture.has_alpha, Flag.ALPHA),
        (picture.is_animated, Flag.ANIMATED),
        (facts.is_lossless, Flag.LOSSLESS),
    )
    return Flag(sum(flag for is_set, flag in told if is_set))


def _hash(record: np.ndarray, gray: Image.Image, small: Image.Image) -> Flag:
    """Fill in the hashes: the whole from all decoded pixels, its parts from the proxy's."""
    levels = hashes.reduced(gray)
    small_pixels = np.asarray(small)
    small_gray = cv2.cvtColor(small_pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    record["whole"] = hashes.oriented_hashes(levels)
    grid = squashed(small_gray)
    record["regions"] = region_hashes(grid)
    record["trimmed"] = record["whole"][0]
    record["contrast"] = levels.std()
    record["colour"] = np.rint(cv2.mean(small_pixels)[:3])
    record["sharpness"] = detail.sharpness(small_gray)
    record["local"] = extract_local(small_gray)
    flags = Flag.FLAT if record["contrast"] < _FLAT_CONTRAST else Flag(0)
    if not flags and plain_shares(record["local"][None])[0] < _PAPER:
        record["strips"] = strip_hashes(grid)
    if (box := border.inner_box(small_gray)) is not None:
        left, top, right, bottom = box
        inner = hashes.reduced(Image.fromarray(small_gray[top:bottom, left:right]))
        if inner.std() >= _FLAT_CONTRAST:
            record["trimmed"] = hashes.hash_of(inner)
            flags |= Flag.HAS_TRIM
    return flags


def _true_size(picture: Picture, gray: Image.Image) -> tuple[int, int]:
    """Return the width and height that hold all the detail there is.

    A JPEG read at a fraction does not show whether it was enlarged. It is taken at its word: a smooth
    picture that is taken for an enlarged one would lose to its own thumbnail, and that is what people miss.
    """
    if gray.width < picture.width:
        return picture.width, picture.height
    share = detail.true_share(np.asarray(gray))
    if share == 1.0:
        return picture.width, picture.height
    return max(1, round(gray.width * share)), max(1, round(gray.height * share))
