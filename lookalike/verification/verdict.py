"""The verdict: whether an alignment and the agreement of its pixels prove two versions of one picture."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.verification.agreement import Agreement
from lookalike.verification.alignment import Alignment
from lookalike.verification.changes import Changes

# Of 6,998 unrelated pairs none had more than 6 key points that agree by chance; weak true edits had 16.
CERTAIN_INLIERS = 12
LIKELY_INLIERS = 7
SCENE_INLIERS = 24
STRUCTURELESS = 0.01  # share of structured tiles
SAME_COLOUR = 2.5  # gray levels, CIELAB
# Drawings, charts, screens, documents and flags: much of one tone. Photos have less.
PLAIN = 0.33
CHANGED_IN_GRAPHICS = 0.008  # share of the area
REPLACED = 0.45  # share of the changes
SOLID = 0.75  # share of the changes
LARGEST_STICKER = 0.45  # share of the area
RECOLOURED_IN_GRAPHICS = 0.08


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was proven.

    `copy`: versions of one picture. `edited`: one picture with parts replaced. `scene`: something in common.
    `nothing`: nothing that connects them.
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
    connected = alignment.inliers >= CERTAIN_INLIERS or (
        alignment.inliers >= LIKELY_INLIERS and agreement.good >= 0.85
    )
    if not connected:
        return Verdict("nothing", "too_few_common_key_points")
    if agreement.good < 0.55 or agreement.tile < 0.6:
        # Garments on one carpet share its corners: a scene takes more of them.
        if alignment.inliers < SCENE_INLIERS:
            return Verdict("nothing", "few_common_key_points_and_pixels_differ")
        return Verdict("scene", "pixels_differ")
    return Verdict("copy", "key_points_and_pixels_agree")


def _judge_colours(agreement: Agreement) -> Verdict:
    """Without structure there is nothing to correlate: the colours themselves must be the same."""
    if agreement.difference <= SAME_COLOUR and agreement.colour_shift <= SAME_COLOUR:
        return Verdict("copy", "same_plain_colours")
    return Verdict("nothing", "other_plain_colours")


def reconsidered(verdict: Verdict, agreement: Agreement, changes: Changes) -> Verdict:
    """Look again, once it is known which regions changed."""
    if verdict.kind == "scene" and _is_sticker(changes) and changes.share < LARGEST_STICKER:
        return Verdict("copy", "pixels_differ_only_under_a_filled_shape")
    if verdict.is_copy and changes.plain >= PLAIN and not _is_sticker(changes):
        return _doubted(verdict, agreement, changes)
    return verdict


def _doubted(verdict: Verdict, agreement: Agreement, changes: Changes) -> Verdict:
    """Take back a verdict of `copy` where a template was filled with something else.

    In graphics any replaced part is another content: a word, a curve, the colour of a stripe. In photos what
    is drawn over textured ground looks the same, so there it stays a copy with something laid over it.
    """
    if changes.share > CHANGED_IN_GRAPHICS and changes.replaced > REPLACED * changes.share:
        return Verdict("edited", "parts_of_a_graphic_replaced")
    if agreement.recoloured > RECOLOURED_IN_GRAPHICS:
        return Verdict("edited", "parts_of_a_graphic_recoloured")
    return verdict


def _is_sticker(changes: Changes) -> bool:
    return changes.solid > SOLID


def _whole_frame_agrees(alignment: Alignment, agreement: Agreement) -> bool:
    """Low-texture pictures have few key points: then the whole frame must agree."""
    return alignment.kind == "frame" and agreement.good >= 0.85 and agreement.whole >= 0.9
