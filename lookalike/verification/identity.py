"""Whether two pictures have the same pixels: asked only where all cheaper signs say so."""

from __future__ import annotations

from lookalike.features.record import Flag
from lookalike.verification.alignment import hash_distances
from lookalike.verification.subject import Prepared

MOST_HASH_BITS = 8  # a JPEG decoded at a fraction of its size moves its hash by up to 4 bits
MOST_DIFFERENCE = 1.5  # gray levels between the proxies


def have_same_pixels(first: Prepared, second: Prepared, difference: float) -> bool:
    """Prove it by decoding both in full; `difference` is the mean one of the proxies, in gray levels."""
    if difference > MOST_DIFFERENCE or not _may_be_the_same(first, second):
        return False
    return first.pixel_digest is not None and first.pixel_digest == second.pixel_digest


def _may_be_the_same(first: Prepared, second: Prepared) -> bool:
    if first.full_size != second.full_size or _is_animated(first) or _is_animated(second):
        return False
    if int(hash_distances(first.record, second.record)[0]) > MOST_HASH_BITS:
        return False
    qualities = {int(first.record["jpeg_quality"]), int(second.record["jpeg_quality"])} - {0}
    # Two JPEGs of different quantisation have different pixels: no need to decode them.
    return len(qualities) < 2


def _is_animated(one: Prepared) -> bool:
    return bool(int(one.record["flags"]) & Flag.ANIMATED)
