"""The verdict: whether an alignment and the agreement of its pixels prove two versions of one picture."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.verification.agreement import Agreement
from lookalike.verification.alignment import Alignment

# Of 6,998 unrelated pairs none had more than 6 key points that agree by chance; weak true edits had 16.
CERTAIN_INLIERS = 12
LIKELY_INLIERS = 7
# Garments on one floor share up to 33 that agree; of 138 pairs of frames all stay shots of one scene at 48.
SCENE_INLIERS = 48
MANY_INLIERS = 100
PERFECT_TILE, MOSTLY = 0.97, 0.65
DOUBTFUL = 0.6  # share of good tiles: with less the rest must be as it was
CAPTION = 0.012  # spread of key points, as a share of the area, that a line of writing or a badge has
# Of a part found without key points: shares of tiles, correlations.
SKETCH_GOOD, SKETCH_TILE, SKETCH_WHOLE, SKETCH_STRUCTURED = 0.75, 0.93, 0.88, 0.3
STRUCTURELESS = 0.01  # share of structured tiles
SAME_COLOUR = 2.5  # gray levels, CIELAB
# What is left where the main object was painted out: pixels as they were, and not of one tone only.
LEFT, LEFT_SPREAD = 0.25, 8.0
SURROUNDINGS = "only_the_surroundings_are_the_same"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was proven.

    `copy`: versions of one picture. `edited`: one picture with parts replaced. `series`: shots of one scene.
    `scene`: something in common. `nothing`: nothing that connects them.
    """

    kind: str
    reason: str

    @property
    def is_copy(self) -> bool:
        """Whether the two are versions of one picture."""
        return self.kind == "copy"

    @property
    def connects(self) -> bool:
        """Whether the two have anything in common."""
        return self.kind != "nothing"


def judge(alignment: Alignment, agreement: Agreement) -> Verdict:
    """Decide what alignment and agreement prove."""
    if agreement.structured < STRUCTURELESS and alignment.inliers < CERTAIN_INLIERS:
        return _judge_colours(agreement)
    if _whole_frame_agrees(alignment, agreement):
        return Verdict("copy", "whole_frame_agrees")
    if alignment.kind == "sketch":
        return _judge_pixels(agreement)
    connected = alignment.inliers >= CERTAIN_INLIERS or (
        alignment.inliers >= LIKELY_INLIERS and agreement.good >= 0.85
    )
    if not connected and _surroundings_are_the_same(alignment, agreement):
        return Verdict("edited", SURROUNDINGS)
    if not connected:
        return Verdict("nothing", "too_few_common_key_points")
    # What lies under a large logo agrees with nothing: many key points make up for it.
    least_good, least_tile = (0.4, 0.45) if alignment.inliers >= MANY_INLIERS else (0.55, 0.6)
    agrees = agreement.good >= least_good and agreement.tile >= least_tile
    if agrees and (agreement.good >= DOUBTFUL or agreement.is_as_it_was):
        return Verdict("copy", "key_points_and_pixels_agree")
    if _surroundings_are_the_same(alignment, agreement):
        return Verdict("edited", SURROUNDINGS)
    # Garments on one carpet share its corners, and agree by halves: a scene takes more of them.
    if alignment.inliers < (MANY_INLIERS if agrees else SCENE_INLIERS):
        return Verdict("nothing", "few_common_key_points_and_pixels_differ")
    if alignment.spread < CAPTION:
        return Verdict("nothing", "only_a_small_part_is_common")
    return Verdict("scene", "pixels_differ")


def _judge_colours(agreement: Agreement) -> Verdict:
    """Without structure there is nothing to correlate: the colours themselves must be the same."""
    if agreement.difference <= SAME_COLOUR and agreement.colour_shift <= SAME_COLOUR:
        return Verdict("copy", "same_plain_colours")
    return Verdict("nothing", "other_plain_colours")


def _judge_pixels(agreement: Agreement) -> Verdict:
    """Without key points the pixels must agree by themselves, and there must be something to agree."""
    agrees = (
        agreement.good >= SKETCH_GOOD and agreement.tile >= SKETCH_TILE and agreement.whole >= SKETCH_WHOLE
    )
    if agrees and agreement.structured >= SKETCH_STRUCTURED:
        return Verdict("copy", "pixels_agree")
    return Verdict("nothing", "too_few_common_key_points")


def _whole_frame_agrees(alignment: Alignment, agreement: Agreement) -> bool:
    """Low-texture pictures have few key points: then the whole frame must agree, or most of it perfectly."""
    if alignment.kind != "frame":
        return False
    mostly = agreement.tile >= PERFECT_TILE and agreement.good >= MOSTLY
    return mostly or (agreement.good >= 0.85 and agreement.whole >= 0.9)


def _surroundings_are_the_same(alignment: Alignment, agreement: Agreement) -> bool:
    is_left = agreement.same > LEFT and agreement.same_spread > LEFT_SPREAD
    return alignment.kind == "frame" and is_left
