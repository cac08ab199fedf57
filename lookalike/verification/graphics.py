"""Graphics: any replaced part makes another content of it: a word, a curve, the colour of a stripe."""

from __future__ import annotations

from lookalike.verification.agreement import Agreement
from lookalike.verification.changes import Changes
from lookalike.verification.ink import Ink
from lookalike.verification.inspection import Inspection
from lookalike.verification.laid_over import is_sticker_on_graphic

CHANGED = 0.004  # share of the area
REPLACED_IN_GRAPHICS = 0.37
# Of 513 pairs of other contents none had less of its changes both ways, and two were more one-sided: bright
# tones and blur take something away, and bring nothing.
BOTH_WAYS, ONE_SIDED = 0.1, 0.9
RECOLOURED_IN_GRAPHICS, RECOLOURED_AT_ALL = 0.08, 0.3
# Share of the commonest tone. Shaded drawings have less: what no one turn of all colours explains there may
# be the work of tone curves all the same.
EVENLY_COLOURED = 0.28
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
MARKED = 0.18  # the same: stickers have 0.12 at most, marked cells 0.24 and more
OWN_COLOURS = 0.1  # of the changed pixels' colours are common: less, and something new was laid over
MISFIT, MISFIT_NOISE, MISFIT_SHIFT = 8.0, 5.0, 0.5  # gray levels, px


def difference(agreement: Agreement, seen: Inspection) -> str | None:
    """Return what makes two graphics different ones, None where nothing does."""
    changes, motion = seen.changes, seen.motion
    if is_sticker_on_graphic(changes, agreement) and not _is_marked(seen.ink):
        return None
    if _is_replaced_in_graphic(changes):
        return "parts_of_a_graphic_replaced"
    misfit = motion.residual > MISFIT and changes.noise > MISFIT_NOISE and motion.large > MISFIT_SHIFT
    if motion.is_told and misfit:
        return "lines_of_a_graphic_do_not_meet"
    if _is_other_ink(agreement, seen):
        return "ink_of_a_graphic_differs"
    if _is_recoloured(agreement, seen):
        return "parts_of_a_graphic_recoloured"
    return None


def _is_replaced_in_graphic(changes: Changes) -> bool:
    """All writing of a graphic has one ink, and what differs is where it is."""
    exchange = changes.exchange
    is_one_sided = max(changes.first_only, changes.second_only) > ONE_SIDED * changes.share
    if changes.share <= CHANGED or is_one_sided or exchange.opposed < BOTH_WAYS:
        return False
    return 0.55 * exchange.levels + 0.45 * exchange.opposed > REPLACED_IN_GRAPHICS


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
    if ink.reversed >= max(FEWEST_REVERSED, REVERSED * ink.changed) and not changes.is_sticker:
        return True
    return ink.faintly_reversed >= max(FEWEST_REVERSED, FAINTLY_REVERSED * ink.uncorrelated)


def _is_marked(ink: Ink) -> bool:
    """Whether what was filled shows the same words still, light on dark: cells of a table that are marked."""
    return ink.reversed >= max(FEWEST_REVERSED, MARKED * ink.changed)


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
    if seen.changes.is_sticker:
        # The sticker's own area has other colours, however large it is.
        limit = max(RECOLOURED_AT_ALL, seen.changes.share + RECOLOURED_IN_GRAPHICS)
    if agreement.recoloured > limit and seen.changes.plain >= EVENLY_COLOURED:
        return True
    found = seen.recolouring
    if seen.ink.changed <= FEW_CHANGED:
        return found.split > COLOUR_SPLIT or (found.kept > COLOURS_KEPT and found.gone > COLOURS_GONE)
    return found.split > SPLIT_BESIDE_CHANGES or found.gone > max(GONE_BESIDE_CHANGES, limit)
