"""The verdict: whether an alignment and the agreement of its pixels prove two versions of one picture."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.verification.agreement import Agreement
from lookalike.verification.alignment import Alignment
from lookalike.verification.grain import Grain

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
# What is left where much was laid over or painted out: pixels as they were, and not of one tone only.
LEFT, LEFT_SPREAD = 0.25, 8.0
# Where an object was painted out they are the same down to their grain, here and there. Of 28,000 pairs of
# distinct photos none has as much, and all but those on white of 2,000 photos whose objects were painted out.
LEFT_GRAIN, LEFT_REACH = 0.12, 0.5
# Plain ground has no grain: there some other thing must be left, and lie apart both ways, as no caption does.
LEFT_ON_PLAIN, REACH_ON_PLAIN = 0.03, 0.2
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


def judge(alignment: Alignment, agreement: Agreement, grain: Grain) -> Verdict:
    """Decide what alignment and agreement prove; the grain is that of whole frames, where pixels differ."""
    if agreement.structured < STRUCTURELESS and alignment.inliers < CERTAIN_INLIERS:
        return _judge_colours(agreement)
    if _whole_frame_agrees(alignment, agreement):
        return Verdict("copy", "whole_frame_agrees")
    if alignment.kind == "sketch":
        return _judge_pixels(agreement)
    connected = alignment.inliers >= CERTAIN_INLIERS or (
        alignment.inliers >= LIKELY_INLIERS and agreement.good >= 0.85
    )
    if not connected and _surroundings_are_the_same(alignment, agreement, grain):
        return Verdict("edited", SURROUNDINGS)
    if not connected:
        return Verdict("nothing", "too_few_common_key_points")
    # What lies under a large logo agrees with nothing: many key points make up for it.
    least_good, least_tile = (0.4, 0.45) if alignment.inliers >= MANY_INLIERS else (0.55, 0.6)
    agrees = agreement.good >= least_good and agreement.tile >= least_tile
    if agrees and (agreement.good >= DOUBTFUL or agreement.is_as_it_was):
        return Verdict("copy", "key_points_and_pixels_agree")
    if _surroundings_are_the_same(alignment, agreement, grain):
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


def is_left(grain: Grain, *, is_plain: bool) -> bool:
    """Whether what is left where an object was painted out tells that it is one picture's."""
    if is_plain and grain.same > LEFT_ON_PLAIN and grain.reach >= REACH_ON_PLAIN:
        return True
    return is_untouched(grain)


def is_untouched(grain: Grain) -> bool:
    """Whether what two pictures have in common was left alone, down to its grain."""
    return grain.same > LEFT_GRAIN and grain.reach >= LEFT_REACH


def _surroundings_are_the_same(alignment: Alignment, agreement: Agreement, grain: Grain) -> bool:
    is_same = alignment.kind == "frame" and agreement.same > LEFT
    is_told = agreement.same_spread > LEFT_SPREAD or is_left(grain, is_plain=True)
    return is_untouched(grain) or (is_same and is_told)
