"""The verdict, looked at again once it is known which regions changed and what moved."""

from __future__ import annotations

from lookalike.verification import graphics, photographs
from lookalike.verification.agreement import Agreement
from lookalike.verification.changes import PLAIN
from lookalike.verification.grain import Grain
from lookalike.verification.inspection import Inspection
from lookalike.verification.laid_over import is_laid_over, is_most_gone, is_veiled
from lookalike.verification.verdict import SURROUNDINGS, Verdict, is_left


def reconsidered(
    verdict: Verdict,
    overlap: float,
    agreement: Agreement,
    grain: Grain,
    seen: Inspection,
    *,
    mirrored: bool,
) -> Verdict:
    """Look again, once it is known which regions changed and what moved; `overlap` is a share of the area."""
    changes = seen.changes
    if verdict.connects and is_veiled(agreement, seen):
        # Neither did anything move that is still seen in its place, nor is it gone.
        return Verdict("copy", "seen_through_what_was_laid_over")
    if verdict.kind in ("scene", "edited") and is_laid_over(agreement, seen):
        verdict = Verdict("copy", "pixels_differ_only_under_what_was_laid_over")
    is_object = changes.is_compact and is_left(grain, is_plain=changes.plain >= PLAIN)
    if verdict.reason == SURROUNDINGS and not is_object:
        return Verdict("nothing", "too_few_common_key_points")
    if verdict.kind in ("copy", "scene") and is_most_gone(overlap, agreement, seen):
        return Verdict("edited", "most_detail_is_gone")
    if not verdict.is_copy:
        return verdict
    if changes.plain >= PLAIN:
        reason = graphics.difference(agreement, seen)
        return verdict if reason is None else Verdict("edited", reason)
    return photographs.difference(agreement, seen, mirrored=mirrored) or verdict
