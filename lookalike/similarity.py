"""Similarity: one number from 0 to 100 for what was found between two pictures, in fixed bands.

    100             same pixels
    98   to 99.9    re-encoded
    95   to 98.9    resized, losslessly rotated or mirrored
    90   to 95      toned, lightly cropped or overlaid
    80   to 90      the same picture with more changed
    70   to 79.9    visually similar: series, other angle, parts replaced
    under 60        unrelated

Each kind of change has a penalty that grows with its strength, so a stronger edit is never more similar. The
penalties add up, softly limited to 19.9: what is the same picture stays at 80 or more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SAME_PIXELS = 100.0
MOST_WITHOUT_SAME_PIXELS = 99.9
LEAST_OF_COPIES = 80.0
LEAST_OF_SIMILAR = 70.0
MOST_OF_UNRELATED = 59.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What verification found; shares from 0 to 1."""

    overlap: float  # the common part as a share of the picture of which it is the smaller part
    resize: float  # absolute logarithm of the ratio of sizes, what was cropped apart
    stretch: float  # largest over smallest scale, 1 if the proportions were kept
    quarter_turn_or_mirror: bool
    tilt: float  # degrees from the nearest quarter turn
    colour_shift: float  # typical change of a colour, CIELAB
    tint: float  # change of the mean colour, CIELAB: encoders leave it alone
    contrast_shift: float  # absolute logarithm of the gain
    negative: bool
    good: float  # share of structured tiles that agree
    tile: float  # median correlation of structured tiles
    residual: float  # gray levels after gain and offset
    changed: float  # share of the common part whose structure changed


def rounded(similarity: float) -> float:
    """Round once, to the tenth that is stored and compared."""
    return round(min(max(similarity, 0.0), SAME_PIXELS), 1)


def of_copy(findings: Findings) -> float:
    """Similarity of two versions of one picture whose pixels are not all the same: 80 to 99.9."""
    penalty = _loss(findings) + _geometry(findings) + _tone(findings) + _crop(findings) + _content(findings)
    return MOST_WITHOUT_SAME_PIXELS - _soft(penalty)


def of_edited(changed: float) -> float:
    """Similarity of one template filled with two things: under 80, the less the more is changed."""
    return LEAST_OF_COPIES - 0.1 - 19.9 * min(1.0, 4 * changed)


def of_series(changed: float) -> float:
    """Similarity of two shots of one scene, a moment or a step apart: 72 to 79.9."""
    return LEAST_OF_COPIES - 0.1 - 7.9 * min(1.0, 2 * changed)


def of_scene(inliers: int, good: float) -> float:
    """Similarity of two pictures of one thing that are not versions of one picture: 70 to 79.9."""
    certainty = min(1.0, max(0.0, math.log(max(inliers, 1) / 7) / math.log(12)))
    return LEAST_OF_SIMILAR + 9.9 * certainty * min(1.0, 0.4 + good)


def of_unrelated(whole: float, good: float) -> float:
    """Similarity of two pictures that nothing connects: under 60, by what their pixels have in common."""
    return min(MOST_OF_UNRELATED, MOST_OF_UNRELATED * 0.6 * max(0.0, whole) + 25 * good)


def _loss(findings: Findings) -> float:
    """What lossy encoding, noise and blur do: at most 1.9, so that re-encoded copies stay at 98 or more."""
    return min(1.9, 0.12 * findings.residual + 8 * max(0.0, 0.99 - findings.tile))


def _crop(findings: Findings) -> float:
    """What one picture shows and the other does not: 4 at 2 % of the area, 7 at 10 %, 18 at half."""
    missing = max(0.0, 1.0 - findings.overlap - 0.002)
    return 4.5 * (1 - math.exp(-missing / 0.01)) + 26 * missing


def _geometry(findings: Findings) -> float:
    resize = 1.2 + 0.6 * findings.resize if findings.resize > 0.02 else 60 * findings.resize
    stretch = 12 * min(0.25, max(0.0, findings.stretch - 1.005))
    turn = 2.0 if findings.quarter_turn_or_mirror else 0.0
    tilt = 0.0 if findings.tilt < 0.2 else 1.5 + 0.1 * min(findings.tilt, 45.0)
    return min(resize, 2.5) + stretch + turn + tilt


def _tone(findings: Findings) -> float:
    """Nothing for what encoders do; 5 for a clear change of tone, 10 for the strongest."""
    shift = max(0.0, findings.colour_shift - 1.8) + 25 * max(0.0, findings.contrast_shift - 0.03)
    return 5 * (1 - math.exp(-shift / 3)) + 5 * min(1.0, shift / 60) + (8 if findings.negative else 0)


def _content(findings: Findings) -> float:
    """What was drawn over or replaced: 3 at 1 % of the area, 7 at 10 %, 15 at 30 %."""
    drawn = 4 * (1 - math.exp(-findings.changed / 0.008)) + 25 * findings.changed
    return drawn + 10 * max(0.0, 0.97 - findings.good)


def _soft(penalty: float) -> float:
    """The penalty itself up to 14, then ever slower towards 19.9."""
    room = MOST_WITHOUT_SAME_PIXELS - LEAST_OF_COPIES - 14
    return penalty if penalty <= 14 else 14 + room * (1 - math.exp(-(penalty - 14) / room))
