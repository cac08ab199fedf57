"""What was laid over a picture, which leaves it a copy, and what was painted out of it, which does not."""

from __future__ import annotations

from lookalike.verification.agreement import Agreement
from lookalike.verification.changes import PLAIN, Changes
from lookalike.verification.inspection import Inspection

LARGEST_STICKER = 0.45  # share of the area
STILL_SEEN = 0.3  # share of the tiles
MOST_DETAIL_GONE = 15.0  # of 100
DRAWN = 0.7  # share of three colours
# Three colours that a photo has nowhere else, as a share of what changed, less what the other picture has of
# them: 0.48 and up for logos and stickers, 0.23 at most where an object was painted out of what agrees still.
# Where less agrees, a garment that was painted out has as much, but is not as even, nor as small.
FOREIGN, CLEARLY_FOREIGN, EVENLY_FOREIGN, LARGEST_LOGO = 0.38, 0.45, 0.27, 0.38
# Of the changed cells: of 367 objects painted out five ways three have more, of 229 logos two in three.
FOREIGN_SHAPES = 0.44
# What takes all detail away and is larger is an object that was painted out: a garment of one tone, say.
LARGEST_DRAWN = 0.41
# Of the pixels that did not change in structure, those that are as they were, to the level.
UNTOUCHED_REST = 0.9
# Of all pixels: two flags that differ in the colours of a stripe have 0.55 at most, faint logos left 0.75.
MOSTLY_UNTOUCHED = 0.65
# Of what changed in a graphic: a sticker brings colours of its own, other contents have much the same.
SHARED_COLOURS = 0.2
DRAWN_ON, HARDLY_FOREIGN = 0.35, 0.1  # shares
SMALLEST_OBJECT, WHOLE_FRAME = 0.125, 0.95  # shares of the area


def is_laid_over(agreement: Agreement, seen: Inspection) -> bool:
    """Whether a sticker, or lines of writing on a photo, leaves most of the picture to be seen."""
    changes = seen.changes
    largest = LARGEST_DRAWN if seen.shared_detail < MOST_DETAIL_GONE else LARGEST_STICKER
    is_sticker = changes.is_sticker and changes.drawn > DRAWN and changes.share < largest
    is_writing = bool(changes.boxes) and not changes.is_compact and changes.plain < PLAIN
    is_seen = changes.share < LARGEST_STICKER and agreement.good >= STILL_SEEN
    if is_logo(changes) and is_rest_untouched(changes, agreement):
        return True
    if is_seen and is_sticker_on_graphic(changes, agreement):
        return True
    return is_seen and agreement.is_as_it_was and (is_writing or is_sticker)


def is_veiled(agreement: Agreement, seen: Inspection) -> bool:
    """Whether a faint logo lies over a part; flags with a paler stripe look the same, but differ in more."""
    is_flag = seen.changes.plain >= PLAIN and agreement.same < MOSTLY_UNTOUCHED
    return seen.veil.is_laid_over and not is_flag


def is_logo(changes: Changes) -> bool:
    """Whether a photo got an even shape of colours that it has nowhere else."""
    is_even = changes.flat - changes.exchange.colours > EVENLY_FOREIGN
    is_drawn = changes.foreign > FOREIGN_SHAPES or (is_even and _foreign(changes) > CLEARLY_FOREIGN)
    return is_drawn and changes.is_sticker and changes.share < LARGEST_LOGO


def is_sticker_on_graphic(changes: Changes, agreement: Agreement) -> bool:
    """Whether a graphic got a filled shape of other colours, and is as it was elsewhere."""
    is_foreign = changes.is_sticker and changes.exchange.colours < SHARED_COLOURS
    # What was painted out of a photo with a plain ground shares no colours with what took its place, either.
    is_drawn = changes.plain >= DRAWN_ON or changes.foreign > HARDLY_FOREIGN
    is_graphic = changes.plain >= PLAIN and is_drawn
    return is_graphic and is_foreign and is_rest_untouched(changes, agreement)


def is_rest_untouched(changes: Changes, agreement: Agreement) -> bool:
    """Whether what did not change in structure is as it was, to the level."""
    return agreement.same > UNTOUCHED_REST * (1 - changes.share)


def is_most_gone(overlap: float, agreement: Agreement, seen: Inspection) -> bool:
    """Whether the main object was painted out, and the rest left as it was."""
    changes = seen.changes
    is_foreign = _foreign(changes) > FOREIGN or changes.foreign > FOREIGN_SHAPES
    is_drawn = changes.share < LARGEST_DRAWN and (changes.drawn > DRAWN or is_foreign)
    is_object = changes.is_compact and not is_drawn and changes.share > SMALLEST_OBJECT
    is_gone = seen.shared_detail < MOST_DETAIL_GONE and overlap > WHOLE_FRAME and is_object
    return is_gone and not is_sticker_on_graphic(changes, agreement)


def _foreign(changes: Changes) -> float:
    """Share of what changed in colours that only one has, and nowhere else: drawn, not painted to hide."""
    return changes.bold - changes.exchange.colours if changes.plain < PLAIN else 0.0
