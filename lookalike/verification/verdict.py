"""The verdict: whether an alignment and the agreement of its pixels prove two versions of one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lookalike.verification.agreement import Agreement
from lookalike.verification.alignment import Alignment
from lookalike.verification.changes import PLAIN, Changes
from lookalike.verification.ink import Ink
from lookalike.verification.inspection import Inspection

# Of 6,998 unrelated pairs none had more than 6 key points that agree by chance; weak true edits had 16.
CERTAIN_INLIERS = 12
LIKELY_INLIERS = 7
SCENE_INLIERS = 24
MANY_INLIERS = 100
PERFECT_TILE, MOSTLY = 0.97, 0.65
# Correlation of tiles: of what did not move between two shots; another thing on one floor has less.
STANDING = 0.8
# Where much was laid over a picture, the rest agrees very well, or the whole does under a faint pattern.
# Of two pictures with one caption neither does (0.46 at least in 304 edits; 0.41 and 0.84 at most there).
DOUBTFUL, AS_IT_WAS, ALL_IN_ALL = 0.6, 0.43, 0.93  # shares of good and of very good tiles; correlation
CAPTION = 0.012  # spread of key points, as a share of the area, that a line of writing or a badge has
STRUCTURELESS = 0.01  # share of structured tiles
SAME_COLOUR = 2.5  # gray levels, CIELAB
LARGEST_STICKER = 0.45  # share of the area
STILL_SEEN = 0.3  # share of the tiles
SOLID = 0.75  # share of the changes

MOST_DETAIL_GONE = 15.0  # of 100
DRAWN = 0.7  # share of three colours
# Three colours that a photo has nowhere else, as a share of what changed, less what the other picture has of
# them: 0.48 and up for logos and stickers, 0.23 at most where an object was painted out of what agrees still.
# Where less agrees, a garment that was painted out has as much, but is not as even, nor as small.
FOREIGN, CLEARLY_FOREIGN, EVENLY_FOREIGN, LARGEST_LOGO = 0.38, 0.45, 0.27, 0.38
# Of the pixels that did not change in structure, those that are as they were, to the level.
UNTOUCHED_REST = 0.9
SMALLEST_OBJECT, WHOLE_FRAME = 0.125, 0.95  # shares of the area
# What is left where the main object was painted out: pixels as they were, and not of one tone only.
LEFT, LEFT_SPREAD = 0.25, 8.0

SURROUNDINGS = "only_the_surroundings_are_the_same"

CHANGED = 0.004  # share of the area
# A number drawn into each copy of a photo leaves it the same photo: such series changed up to 0.026 of it.
CHANGED_IN_PHOTOS = 0.03
REPLACED_IN_GRAPHICS = 0.37
RECOLOURED_IN_GRAPHICS, RECOLOURED_AT_ALL = 0.08, 0.3
# Shares of the area: clear colours that stayed, and others gone; one colour that became two. No common change
# of tone does either, but a logo may: where structure changed too, much must be gone or split.
COLOURS_KEPT, COLOURS_GONE, COLOUR_SPLIT = 0.02, 0.12, 0.06
GONE_BESIDE_CHANGES, SPLIT_BESIDE_CHANGES = 0.27, 0.14
FEW_CHANGED = 12  # cells of 8 px
# Ink: of 3,000 edited copies of 100 drawn pictures 1 % leave as much of it unlike, half of those overlaid.
# Blur and tones leave more: how well ink fits tells something only of pictures that are alike in both.
LEAST_INK, FEW_CELLS, MOSTLY_KEPT = 5, 3, 0.125  # cells, cells, share of the cells
UNTONED, AS_SHARP, NEARLY_AS_SHARP = 2.5, 0.3, 0.5  # CIELAB, logarithms
MISFIT_OF_INK, LARGE_MISFIT = 0.04, 0.1  # shares of variance
MOST_OF_WORDS, SHARP, EXACT = 0.17, 0.003, 0.00005  # share of the cells, typical misfit
FEWEST_OF_WORDS, FEWEST_OF_LETTERS = 2, 3  # cells
FEWEST_REVERSED, REVERSED, FAINTLY_REVERSED = 4, 0.1, 0.35  # cells, shares of those that changed
OWN_COLOURS = 0.1  # of the changed pixels' colours are common: less, and something new was laid over
BOTH_WAYS = 0.2
REPLACED_IN_PHOTOS = 0.55
# Lighter turned darker and as much back: less need be the same elsewhere. Of 1,500 photos with captions and
# logos none is like that.
CLEARLY_OPPOSED, REPLACED_AND_OPPOSED = 0.64, 0.5
SCATTERED, MOVED_HERE_AND_THERE = 0.003, 0.65  # share of the area; share of what is the same elsewhere
MISFIT, MISFIT_NOISE, MISFIT_SHIFT = 8.0, 5.0, 0.5  # gray levels, px
STROKES = 0.11  # share of the changed pixels

# Residual motion: windows, px, px, gray levels; then CIELAB and a logarithm.
LEAST_WINDOWS, COHERENT, LARGE, RESIDUAL = 100, 0.055, 0.15, 3.0
SAME_LIGHT, SAME_SHARPNESS, SAME_CONTRAST, CLEARLY_COHERENT = 4.0, 0.15, 0.06, 0.12


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
    if agrees and (agreement.good >= DOUBTFUL or _is_as_it_was(agreement)):
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


def reconsidered(verdict: Verdict, overlap: float, agreement: Agreement, seen: Inspection) -> Verdict:
    """Look again, once it is known which regions changed and what moved; `overlap` is a share of the area."""
    changes = seen.changes
    if verdict.kind in ("scene", "edited") and _is_laid_over(changes, agreement):
        verdict = Verdict("copy", "pixels_differ_only_under_what_was_laid_over")
    if verdict.reason == SURROUNDINGS and not changes.is_compact:
        return Verdict("nothing", "too_few_common_key_points")
    if verdict.kind in ("copy", "scene") and _is_most_gone(overlap, seen):
        return Verdict("edited", "most_detail_is_gone")
    if not verdict.is_copy:
        return verdict
    if changes.plain >= PLAIN:
        return _reconsidered_graphic(verdict, agreement, seen)
    if _is_moved_here_and_there(changes):
        return Verdict("series", "things_moved")
    if _is_replaced_in_photo(changes):
        # Between two shots things move; whoever fills in a template writes with a pen or a printer.
        if changes.strokes > STROKES:
            return Verdict("edited", "parts_replaced")
        if agreement.tile < STANDING:
            return Verdict("nothing", "few_common_key_points_and_pixels_differ")
        return Verdict("series", "things_moved")
    if _is_moved_camera(seen, agreement) and not _is_logo(changes):
        return Verdict("series", "camera_moved")
    return verdict


def _reconsidered_graphic(verdict: Verdict, agreement: Agreement, seen: Inspection) -> Verdict:
    """In graphics any replaced part is another content: a word, a curve, the colour of a stripe."""
    changes, motion = seen.changes, seen.motion
    if _is_replaced_in_graphic(changes):
        return Verdict("edited", "parts_of_a_graphic_replaced")
    misfit = motion.residual > MISFIT and changes.noise > MISFIT_NOISE and motion.large > MISFIT_SHIFT
    if motion.windows >= LEAST_WINDOWS and misfit:
        return Verdict("edited", "lines_of_a_graphic_do_not_meet")
    if _is_other_ink(agreement, seen):
        return Verdict("edited", "ink_of_a_graphic_differs")
    if _is_recoloured(agreement, seen):
        return Verdict("edited", "parts_of_a_graphic_recoloured")
    return verdict


def _is_other_ink(agreement: Agreement, seen: Inspection) -> bool:
    """Another typeface fits nowhere well, other words all but a few cells; marked cells are reversed."""
    if _fits_badly(agreement, seen) or _is_reversed(seen.ink, seen.changes):
        return True
    return _has_other_words(seen.ink) and not _has_new_colours(seen.changes)


def _fits_badly(agreement: Agreement, seen: Inspection) -> bool:
    """Nothing was laid over, and yet the strokes are others."""
    ink, blur = seen.ink, abs(seen.sharpness)
    if ink.cells < LEAST_INK or ink.changed > max(FEW_CELLS, MOSTLY_KEPT * ink.cells):
        return False
    if agreement.colour_shift >= UNTONED or blur >= NEARLY_AS_SHARP:
        return False
    return ink.misfit > (MISFIT_OF_INK if blur < AS_SHARP else LARGE_MISFIT)


def _is_reversed(ink: Ink, changes: Changes) -> bool:
    if ink.reversed >= max(FEWEST_REVERSED, REVERSED * ink.changed) and not _is_sticker(changes):
        return True
    return ink.faintly_reversed >= max(FEWEST_REVERSED, FAINTLY_REVERSED * ink.uncorrelated)


def _has_other_words(ink: Ink) -> bool:
    """Where all other ink is exactly as it was, as in two files without losses, even a letter shows."""
    most = MOST_OF_WORDS * ink.cells
    words = ink.typical_misfit < SHARP and FEWEST_OF_WORDS <= ink.words.changed <= most
    letters = ink.typical_misfit < EXACT and FEWEST_OF_LETTERS <= ink.words.slightly_changed <= most
    return words or letters


def _has_new_colours(changes: Changes) -> bool:
    return changes.exchange.levels > 0 and changes.exchange.colours <= OWN_COLOURS


def _is_recoloured(agreement: Agreement, seen: Inspection) -> bool:
    limit = RECOLOURED_IN_GRAPHICS
    if _is_sticker(seen.changes):
        # The sticker's own area has other colours, however large it is.
        limit = max(RECOLOURED_AT_ALL, seen.changes.share + RECOLOURED_IN_GRAPHICS)
    if agreement.recoloured > limit:
        return True
    found = seen.recolouring
    if seen.ink.changed <= FEW_CHANGED:
        return found.split > COLOUR_SPLIT or (found.kept > COLOURS_KEPT and found.gone > COLOURS_GONE)
    return found.split > SPLIT_BESIDE_CHANGES or found.gone > max(GONE_BESIDE_CHANGES, limit)


def _is_replaced_in_photo(changes: Changes) -> bool:
    """A logo brings colours of its own, a caption more edges than what it hides."""
    opposed, replaced = changes.exchange.opposed, _replaced_in_photo(changes)
    is_replaced = opposed > BOTH_WAYS and replaced > REPLACED_IN_PHOTOS
    is_moved = opposed > CLEARLY_OPPOSED and replaced > REPLACED_AND_OPPOSED
    return changes.share > CHANGED_IN_PHOTOS and (is_replaced or is_moved)


def _is_moved_here_and_there(changes: Changes) -> bool:
    """Small people walked on in two places at least: a number that is drawn into each copy is one line."""
    both = min(changes.exchange.opposed, _replaced_in_photo(changes))
    is_small = SCATTERED < changes.share <= CHANGED_IN_PHOTOS
    return is_small and changes.is_scattered and both > MOVED_HERE_AND_THERE


def _replaced_in_photo(changes: Changes) -> float:
    exchange = changes.exchange
    return 0.2 * exchange.levels + 0.47 * exchange.colours + 0.33 * changes.balance


def _is_replaced_in_graphic(changes: Changes) -> bool:
    """All writing of a graphic has one ink, and what differs is where it is."""
    exchange = changes.exchange
    return changes.share > CHANGED and 0.55 * exchange.levels + 0.45 * exchange.opposed > REPLACED_IN_GRAPHICS


def _is_moved_camera(seen: Inspection, agreement: Agreement) -> bool:
    """Whether near and far moved differently, and nothing else was done: tone curves bend like motion."""
    motion = seen.motion
    return (
        motion.windows >= LEAST_WINDOWS
        and motion.coherent > COHERENT
        and motion.large > LARGE
        and motion.residual > RESIDUAL
        and agreement.colour_shift < SAME_LIGHT
        and abs(seen.sharpness) < SAME_SHARPNESS
        and (abs(math.log(agreement.gain)) < SAME_CONTRAST or motion.coherent > CLEARLY_COHERENT)
    )


def _is_laid_over(changes: Changes, agreement: Agreement) -> bool:
    """A sticker, or lines of writing on a photo: they leave most of the picture to be seen."""
    is_sticker = _is_sticker(changes) and changes.drawn > DRAWN
    is_writing = bool(changes.boxes) and not changes.is_compact and changes.plain < PLAIN
    is_seen = changes.share < LARGEST_STICKER and agreement.good >= STILL_SEEN
    if _is_logo(changes) and _is_rest_untouched(changes, agreement):
        return True
    return is_seen and _is_as_it_was(agreement) and (is_writing or is_sticker)


def _is_logo(changes: Changes) -> bool:
    """Whether a photo got an even shape of colours that it has nowhere else."""
    is_even = changes.flat - changes.exchange.colours > EVENLY_FOREIGN
    is_even_shape = is_even and _is_sticker(changes) and changes.share < LARGEST_LOGO
    return is_even_shape and _foreign(changes) > CLEARLY_FOREIGN


def _foreign(changes: Changes) -> float:
    """Share of what changed in colours that only one has, and nowhere else: drawn, not painted to hide."""
    return changes.bold - changes.exchange.colours if changes.plain < PLAIN else 0.0


def _is_rest_untouched(changes: Changes, agreement: Agreement) -> bool:
    return agreement.same > UNTOUCHED_REST * (1 - changes.share)


def _is_as_it_was(agreement: Agreement) -> bool:
    return agreement.well > AS_IT_WAS or agreement.whole > ALL_IN_ALL


def _is_most_gone(overlap: float, seen: Inspection) -> bool:
    """Whether the main object was painted out, and the rest left as it was."""
    changes = seen.changes
    is_drawn = changes.drawn > DRAWN or _foreign(changes) > FOREIGN
    is_object = changes.is_compact and not is_drawn and changes.share > SMALLEST_OBJECT
    return seen.shared_detail < MOST_DETAIL_GONE and overlap > WHOLE_FRAME and is_object


def _is_sticker(changes: Changes) -> bool:
    return changes.solid > SOLID


def _whole_frame_agrees(alignment: Alignment, agreement: Agreement) -> bool:
    """Low-texture pictures have few key points: then the whole frame must agree, or most of it perfectly."""
    if alignment.kind != "frame":
        return False
    mostly = agreement.tile >= PERFECT_TILE and agreement.good >= MOSTLY
    return mostly or (agreement.good >= 0.85 and agreement.whole >= 0.9)


def _surroundings_are_the_same(alignment: Alignment, agreement: Agreement) -> bool:
    is_left = agreement.same > LEFT and agreement.same_spread > LEFT_SPREAD
    return alignment.kind == "frame" and is_left
