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
EMPTY_CORNERS = 0.012  # share of the area, a degree
UNCOVERED = 0.013
SHIFTED = 3.0  # CIELAB
RESCALED = 0.02
STRETCHED = 1.03


def of_copy(findings: Findings, *, mirrored: bool, turned: bool) -> str:
    """Name the most telling difference of two versions of one picture."""
    # The corners that a small rotation leaves empty are part of the rotation.
    if findings.changed > CHANGED + EMPTY_CORNERS * findings.tilt:
        return OVERLAID
    if mirrored:
        return MIRRORED
    if turned or findings.tilt > TILTED:
        return ROTATED
    if 1 - findings.overlap > UNCOVERED:
        return CROPPED
    if findings.negative or findings.colour_shift > SHIFTED or findings.contrast_shift > 0.09:
        return TONED
    if findings.resize > RESCALED or findings.stretch > STRETCHED:
        return RESIZED
    return REENCODED


def of_others(similarity: float) -> str:
    """Name what connects two pictures that are not versions of one picture."""
    return SERIES if 70 <= similarity < LEAST_OF_COPIES else UNRELATED
