"""The verdict, looked at again once it is known which regions changed and what moved."""

from __future__ import annotations

import math

from lookalike.verification import graphics
from lookalike.verification.agreement import Agreement
from lookalike.verification.changes import PLAIN, Changes
from lookalike.verification.inspection import Inspection
from lookalike.verification.laid_over import is_laid_over, is_logo, is_most_gone
from lookalike.verification.verdict import SURROUNDINGS, Verdict

# Correlation of tiles: of what did not move between two shots; another thing on one floor has less.
STANDING = 0.8
# A number drawn into each copy of a photo leaves it the same photo: such series changed up to 0.026 of it.
CHANGED_IN_PHOTOS = 0.03
BOTH_WAYS = 0.2
REPLACED_IN_PHOTOS = 0.55
# Lighter turned darker and as much back: less need be the same elsewhere. Of 1,500 photos with captions and
# logos none is like that.
CLEARLY_OPPOSED, REPLACED_AND_OPPOSED = 0.64, 0.5
SCATTERED, MOVED_HERE_AND_THERE = 0.003, 0.65  # share of the area; share of what is the same elsewhere
STROKES = 0.11  # share of the changed pixels
# Residual motion: px, px, gray levels; then CIELAB and a logarithm.
COHERENT, LARGE, RESIDUAL = 0.055, 0.15, 3.0
SAME_LIGHT, SAME_SHARPNESS, SAME_CONTRAST, CLEARLY_COHERENT = 4.0, 0.15, 0.06, 0.12


def reconsidered(verdict: Verdict, overlap: float, agreement: Agreement, seen: Inspection) -> Verdict:
    """Look again, once it is known which regions changed and what moved; `overlap` is a share of the area."""
    changes = seen.changes
    if verdict.kind in ("scene", "edited") and is_laid_over(changes, agreement):
        verdict = Verdict("copy", "pixels_differ_only_under_what_was_laid_over")
    if verdict.reason == SURROUNDINGS and not changes.is_compact:
        return Verdict("nothing", "too_few_common_key_points")
    if verdict.kind in ("copy", "scene") and is_most_gone(overlap, seen):
        return Verdict("edited", "most_detail_is_gone")
    if not verdict.is_copy:
        return verdict
    if changes.plain >= PLAIN:
        differs = graphics.difference(agreement, seen)
        return verdict if differs is None else Verdict("edited", differs)
    if _is_moved_here_and_there(changes):
        return Verdict("series", "things_moved")
    if _is_replaced_in_photo(changes):
        # Between two shots things move; whoever fills in a template writes with a pen or a printer.
        if changes.strokes > STROKES:
            return Verdict("edited", "parts_replaced")
        if agreement.tile < STANDING:
            return Verdict("nothing", "few_common_key_points_and_pixels_differ")
        return Verdict("series", "things_moved")
    if _is_moved_camera(seen, agreement) and not is_logo(changes):
        return Verdict("series", "camera_moved")
    return verdict


def _is_moved_here_and_there(changes: Changes) -> bool:
    """Small people walked on in two places at least: a number that is drawn into each copy is one line."""
    both = min(changes.exchange.opposed, _replaced_in_photo(changes))
    is_small = SCATTERED < changes.share <= CHANGED_IN_PHOTOS
    return is_small and changes.is_scattered and both > MOVED_HERE_AND_THERE


def _is_replaced_in_photo(changes: Changes) -> bool:
    """A logo brings colours of its own, a caption more edges than what it hides."""
    opposed, replaced = changes.exchange.opposed, _replaced_in_photo(changes)
    is_replaced = opposed > BOTH_WAYS and replaced > REPLACED_IN_PHOTOS
    is_moved = opposed > CLEARLY_OPPOSED and replaced > REPLACED_AND_OPPOSED
    return changes.share > CHANGED_IN_PHOTOS and (is_replaced or is_moved)


def _replaced_in_photo(changes: Changes) -> float:
    exchange = changes.exchange
    return 0.2 * exchange.levels + 0.47 * exchange.colours + 0.33 * changes.balance


def _is_moved_camera(seen: Inspection, agreement: Agreement) -> bool:
    """Whether near and far moved differently, and nothing else was done: tone curves bend like motion."""
    motion = seen.motion
    return (
        motion.is_told
        and motion.coherent > COHERENT
        and motion.large > LARGE
        and motion.residual > RESIDUAL
        and agreement.colour_shift < SAME_LIGHT
        and abs(seen.sharpness) < SAME_SHARPNESS
        and (abs(math.log(agreement.gain)) < SAME_CONTRAST or motion.coherent > CLEARLY_COHERENT)
    )
