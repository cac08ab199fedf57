"""Relations: the words for how the two pictures of a match differ."""

from __future__ import annotations

from lookalike.similarity import LEAST_OF_COPIES, Findings

ORIGINAL = "original"  # of the first image of a group, to itself
IDENTICAL_FILE = "identical_file"
IDENTICAL_PIXELS = "identical_pixels"
REENCODED = "reencoded"
RESIZED = "resized"
CROPPED = "cropped"
ROTATED = "rotated"
MIRRORED = "mirrored"
TONED = "toned"
OVERLAID = "overlaid"
EDITED = "edited"
SERIES = "series"
UNRELATED = "unrelated"  # of a comparison that is no match; never of a match

# By number, as stored groups keep them: append only.
NAMES = (
    ORIGINAL,
    IDENTICAL_FILE,
    IDENTICAL_PIXELS,
    REENCODED,
    RESIZED,
    CROPPED,
    ROTATED,
    MIRRORED,
    TONED,
    OVERLAID,
    EDITED,
    SERIES,
    UNRELATED,
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}

# Where each change begins to be the one worth naming.
CHANGED = 0.004
TILTED = 0.6  # degrees
# Share of the area whose change is part of another: of the corners that a rotation leaves empty, with each
# degree more; and of what is clipped where the tone was changed that much (CIELAB, logarithm).
EMPTY_CORNERS, EMPTY_CORNERS_PER_DEGREE = 0.02, 0.045
CLIPPED, CLIPPING_TINT, CLIPPING_CONTRAST = 0.04, 5.0, 0.15
UNCOVERED = 0.013
TINTED, RECOLOURED, CONTRASTED = 1.4, 6.0, 0.06
RESCALED = 0.02
STRETCHED = 1.03


def of_copy(findings: Findings, *, mirrored: bool, turned: bool) -> str:
    """Name the most telling difference of two versions of one picture."""
    if findings.changed > _explained(findings):
        return OVERLAID
    if mirrored:
        return MIRRORED
    if turned or findings.tilt > TILTED:
        return ROTATED
    if 1 - findings.overlap > UNCOVERED:
        return CROPPED
    if _is_toned(findings):
        return TONED
    if findings.resize > RESCALED or findings.stretch > STRETCHED:
        return RESIZED
    return REENCODED


def _explained(findings: Findings) -> float:
    """Share of changed area that needs nothing laid over to be explained."""
    if findings.tilt > TILTED:
        return EMPTY_CORNERS + EMPTY_CORNERS_PER_DEGREE * findings.tilt
    if findings.tint > CLIPPING_TINT or findings.contrast_shift > CLIPPING_CONTRAST:
        return CLIPPED
    return CHANGED


def _is_toned(findings: Findings) -> bool:
    shifted = findings.tint > TINTED or findings.colour_shift > RECOLOURED
    return findings.negative or shifted or findings.contrast_shift > CONTRASTED


def of_others(similarity: float) -> str:
    """Name what connects two pictures that are not versions of one picture."""
    return SERIES if 70 <= similarity < LEAST_OF_COPIES else UNRELATED
