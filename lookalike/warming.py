"""Compile what is compiled at first use: `python -m lookalike.warming`, once for an installation.

Numba keeps the machine code beside the modules (or in NUMBA_CACHE_DIR), where every process finds it. Without
this, the first job on a machine waits for the compiler, some 25 seconds of it.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from lookalike import candidates
from lookalike.columns import TRIMMED, WHOLE
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.frames import maps_between
from lookalike.index import planner
from lookalike.local import check
from lookalike.verification.comparison import verify
from lookalike.verification.glance import look
from lookalike.verification.grain import TILE, same_tiles
from lookalike.verification.places import places
from lookalike.verification.subject import Subject, prepare


def warm() -> None:
    """Run each kernel once, on a drawn picture and its mirror image."""
    planner.warm()
    picture = _picture()
    turned = np.asarray(Image.fromarray(picture).rotate(9))
    covered = picture.copy()
    covered[80:160, 100:220] = 255
    extracted = [extract(_png(each)) for each in (picture, picture, picture[:, ::-1], turned, covered)]
    features = np.array([each.record for each in extracted], FEATURES)
    first, same, _, other, changed = (prepare(Subject(each.record, each.proxy)) for each in extracted)
    # What lies frame on frame asks for less than what is found by key points, and what changed for more.
    for second in (same, other, changed):
        verify(first, second)
    look(first.sketch, other.sketch, places(first.sketch, other.sketch))
    same_tiles(first.sketch.pixels, first.sketch.pixels, TILE)
    for new_count in (None, 1):
        for spec in candidates.plan(len(features), new_count):
            candidates.candidates(
                features, spec, first_new=0 if new_count is None else len(features) - new_count
            )
    # Copies this near pass unseen.
    records = np.ascontiguousarray(features["local"])
    trimmed, whole = np.full(len(records), TRIMMED), np.full(len(records), WHOLE)
    maps, plain = maps_between(records, records, trimmed, whole), check.plainness(records, records)
    check.odds_of_hashes(trimmed, maps, records, records, plain)


def _picture() -> np.ndarray:
    # Blots of any size and shade: key points on every level.
    random = np.random.default_rng(0)
    coarse = [
        np.kron(random.integers(0, 80, (s, s * 4 // 3)), np.ones((240 // s, 240 // s))) for s in (6, 24, 60)
    ]
    pixels: np.ndarray = sum(coarse).astype(np.uint8)  # type: ignore[union-attr]
    return pixels


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    warm()
