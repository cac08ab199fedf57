"""Photos: what makes another shot of one scene: things that moved, or a camera that moved."""

from __future__ import annotations

import math

from lookalike.verification.agreement import Agreement
from lookalike.verification.changes import Changes
from lookalike.verification.inspection import Inspection
from lookalike.verification.laid_over import is_logo
from lookalike.verification.verdict import Verdict

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
NATURAL_LIGHT = 25.0  # CIELAB: two shots of one scene do not differ more; hues that were turned do
# Residual motion: px, px, gray levels; then CIELAB, and logarithms.
COHERENT, LARGE, RESIDUAL, CLEARLY_COHERENT = 0.05, 0.15, 3.0, 0.1
SAME_LIGHT, SAME_COLOURS = 4.0, 4.5
SAME_SHARPNESS, SAME_CONTRAST = 0.15, 0.06


def difference(agreement: Agreement, seen: Inspection, *, mirrored: bool) -> Verdict | None:
    """Return what makes another shot or content of a photo that agrees with one, None where nothing does."""
    changes = seen.changes
    may_have_moved = not changes.is_in_lines and agreement.colour_shift < NATURAL_LIGHT
    if may_have_moved and _is_moved_here_and_there(changes):
        return Verdict("series", "things_moved")
    if _is_replaced(changes):
        # Between two shots things move; whoever fills in a template writes with a pen or a printer.
        if changes.strokes > STROKES and not changes.is_caption:
            return Verdict("edited", "parts_replaced")
        if not may_have_moved:
            return None
        if agreement.tile < STANDING:
            return Verdict("nothing", "few_common_key_points_and_pixels_differ")
        return Verdict("series", "things_moved")
    # Nobody's next shot is the mirror image of the last.
    if not mirrored and not is_logo(changes) and _is_moved_camera(seen, agreement):
        return Verdict("series", "camera_moved")
    return None


def _is_moved_here_and_there(changes: Changes) -> bool:
    """Small people walked on in two places at least: a number that is drawn into each copy is one line."""
    both = min(changes.exchange.opposed, _replaced(changes))
    is_small = SCATTERED < changes.share <= CHANGED_IN_PHOTOS
    return is_small and changes.is_scattered and both > MOVED_HERE_AND_THERE


def _is_replaced(changes: Changes) -> bool:
    """A logo brings colours of its own, a caption more edges than what it hides."""
    opposed, replaced = changes.exchange.opposed, _replaced(changes)
    is_replaced = opposed > BOTH_WAYS and replaced > REPLACED_IN_PHOTOS
    is_moved = opposed > CLEARLY_OPPOSED and replaced > REPLACED_AND_OPPOSED
    return changes.share > CHANGED_IN_PHOTOS and (is_replaced or is_moved)


def _replaced(changes: Changes) -> float:
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
        and agreement.colour_spread < SAME_COLOURS
        and abs(seen.sharpness) < SAME_SHARPNESS
        and (abs(math.log(agreement.gain)) < SAME_CONTRAST or motion.coherent > CLEARLY_COHERENT)
    )
