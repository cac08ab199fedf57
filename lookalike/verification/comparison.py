"""The comparison of two pictures: similarity, relation, and the evidence for both."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalike import relations, similarity
from lookalike.verification.agreement import Agreement, measure
from lookalike.verification.alignment import (
    FEW_INLIERS,
    Alignment,
    are_near,
    frame_alignment,
    hash_distances,
    is_negative,
    keypoint_alignment,
    looks_alike,
    mirrored_alignment,
)
from lookalike.verification.changes import PLAIN, Changes
from lookalike.verification.geometry import corners
from lookalike.verification.glance import SHOWN, Glance, glance
from lookalike.verification.grain import NO_GRAIN, Grain, compared
from lookalike.verification.identity import have_same_pixels
from lookalike.verification.inspection import SIDE, Graphic, Inspection, inspect, inspect_untouched, offset
from lookalike.verification.laid_over import is_laid_over, is_rest_untouched
from lookalike.verification.left_alone import is_left_alone
from lookalike.verification.overlap import overlap
from lookalike.verification.perspective import straightened
from lookalike.verification.reconsideration import reconsidered
from lookalike.verification.relighting import is_lit_otherwise, relit
from lookalike.verification.sketched import sketch_alignment
from lookalike.verification.subject import Prepared
from lookalike.verification.transform import Transform, describe
from lookalike.verification.verdict import LEFT, SURROUNDINGS, Verdict, is_untouched, judge

AGREEMENT_SIDE = 140  # grid px: tiles of 15 px are then about a ninth of the side
DOUBTFUL = 0.9  # correlation of tiles
STRAIGHT = 1.9  # of 2: what was only slanted agrees as well as this
NEARLY_PERFECT = 1.994  # of 2: no other alignment can be much better
AGREEING = 1.8  # of 2
# The corners of copies of whole frames lay 0.45 px aside at most, those of crops by half a percent 0.76.
IN_PLACE = 0.5  # px of the grid
STRUCTURED_ENOUGH = 0.05  # share of tiles: with less it counts how many key points there are
WELL_STRUCTURED = 0.2  # of photos; formulas and diagrams in two fonts have less, and agree nearly


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two pictures are.

    `transform` tells how the second is made from the first, `evidence` what was found at each step; both hold
    only what JSON can hold.
    """

    similarity: float
    relation: str
    transform: dict[str, Any]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """An alignment with what the pixels say about it."""

    alignment: Alignment
    agreement: Agreement
    shares: tuple[float, float]  # of the first and of the second that are common
    grain: Grain = NO_GRAIN  # of whole frames that may be one picture with an object painted out
    slant: float = 0.0  # what was taken out of the second first, as a share of its diagonal
    needs_keypoints: bool = True
    is_relit: bool = False  # a vignette, or other light, was taken out of the second first

    @property
    def fit(self) -> float:
        """How well the pixels agree, 0 to 2."""
        return self.agreement.good + self.agreement.tile

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """What orders competing alignments."""
        verdict = judge(self.alignment, self.agreement, self.grain)
        return verdict.is_copy, verdict.connects, self.fit


def verify(a: Prepared, b: Prepared) -> Comparison:
    """Compare two pictures; verify(b, a) has the same similarity and relation, and the inverse transform."""
    # The order is fixed by what the pictures are: RANSAC and grids would else give slightly other numbers.
    swapped = b.key < a.key
    first, second = (b, a) if swapped else (a, b)
    negative = is_negative(first, second)
    seen = None if negative or are_near(first, second) else glance(first.sketch, second.sketch)
    if seen is None or seen.is_promising:
        return closely(first, second, negative=negative, swapped=swapped)
    if is_left_alone(first.sketch, second.sketch):
        found = closely(first, second, negative=negative, swapped=swapped)
        if found.relation == relations.EDITED:
            return found
    return _ended(first, second, seen)


def closely(first: Prepared, second: Prepared, *, negative: bool, swapped: bool) -> Comparison:
    """Compare two pictures, whatever they look like at first glance."""
    if negative:
        second = second.negative
    checked = _best_alignment(first, second)
    evidence: dict[str, Any] = {"hashes": _hash_evidence(first, second)}
    if checked is None:
        checked = _by_sketches(first, second)
    if checked is None:
        verdict = Verdict("nothing", "nothing_in_common")
        evidence |= {"verdict": dataclasses.asdict(verdict), "shared_detail": 0.0}
        return Comparison(0.0, relations.UNRELATED, {}, evidence)
    if not checked.rank[0]:
        checked = _by_sketches(first, second) or checked
    second, checked = _relit(first, second, checked)
    second, checked = _straightened(first, second, checked)
    if negative:
        checked = dataclasses.replace(
            checked, agreement=dataclasses.replace(checked.agreement, negative=True)
        )
    return _described(first, second, checked, evidence, swapped)


def _ended(first: Prepared, second: Prepared, seen: Glance) -> Comparison:
    """At first glance other words or lines are in the same places: no key point can make it one picture."""
    verdict = Verdict("nothing", "other_content_in_the_same_places")
    found = similarity.of_unrelated(seen.of("whole"), seen.of("good_tiles"))
    evidence = {
        "hashes": _hash_evidence(first, second),
        "glance": _rounded({name: seen.of(name) for name in SHOWN} | {"likelihood": seen.likelihood}),
        "verdict": dataclasses.asdict(verdict),
        "shared_detail": 0.0,
    }
    return Comparison(similarity.rounded(found), relations.of_others(found), {}, evidence)


def _by_sketches(first: Prepared, second: Prepared) -> Checked | None:
    """An alignment that needs no key points, if it makes a copy of the second."""
    found = sketch_alignment(first, second)
    checked = None if found is None else _checked(first, second, found)
    return checked if checked is not None and checked.rank[0] else None


def _relit(first: Prepared, second: Prepared, checked: Checked) -> tuple[Prepared, Checked]:
    """The second picture in the light of the first, where that makes a copy of whole frames of it."""
    if checked.rank[0] or not is_lit_otherwise(first, second):
        return second, checked
    frame = frame_alignment(first, second)
    in_light = relit(first, second, frame.matrix)
    found = None if in_light is None else _checked(first, in_light, frame)
    before = _checked(first, second, frame)
    if in_light is None or found is None or before is None or not found.rank[0]:
        return second, checked
    # It was toned all the same.
    told = ("colour_shift", "colour_spread", "difference")
    toned = {name: getattr(before.agreement, name) for name in told}
    agreement = dataclasses.replace(found.agreement, **toned)
    return in_light, dataclasses.replace(found, agreement=agreement, is_relit=True)


def _straightened(first: Prepared, second: Prepared, checked: Checked) -> tuple[Prepared, Checked]:
    """The second picture without its slant, where that brings nearly everything into place."""
    if checked.fit > NEARLY_PERFECT:
        return second, checked
    found = straightened(first, second, checked.alignment)
    straight = None if found is None else _checked(first, found.second, found.alignment)
    if found is None or straight is None or straight.fit < STRAIGHT:
        return second, checked
    return found.second, dataclasses.replace(straight, slant=found.slant)


def _best_alignment(first: Prepared, second: Prepared) -> Checked | None:
    """Of the alignments worth a look, the one whose pixels agree best."""
    by_frame, frame = frame_alignment(first, second), None
    if looks_alike(first, second):
        frame = _checked(first, second, by_frame)
        if frame is not None and _needs_no_keypoints(first, second, frame):
            return dataclasses.replace(frame, needs_keypoints=False)
    by_keypoints = keypoint_alignment(first, second)
    if by_keypoints is None:
        return frame or _checked(first, second, by_frame)
    if _is_same_place(by_frame, by_keypoints, first, second):
        # The frame's map is exact where it holds; the key points then are evidence for it.
        frame = _with_inliers(frame or _checked(first, second, by_frame), by_keypoints)
        if frame is not None and frame.fit > NEARLY_PERFECT:
            return frame
        return _better(frame, _checked(first, second, by_keypoints))
    best = _checked(first, second, by_keypoints)
    if frame is not None:
        # What repeats itself, such as bars and bricks, misleads key points by a period.
        best = _better(best, frame)
    elif best is None or not best.rank[0]:
        best = _better(best, _checked(first, second, by_frame))
    if by_keypoints.inliers >= FEW_INLIERS and (best is None or best.agreement.tile < DOUBTFUL):
        # A symmetric picture agrees with its mirror image too, but not as well.
        mirrored = mirrored_alignment(first, second)
        best = best if mirrored is None else _better(best, _checked(first, second, mirrored))
    return best


def _needs_no_keypoints(first: Prepared, second: Prepared, frame: Checked) -> bool:
    """Whether whole frame on whole frame agrees so well that nothing is left to be said by key points."""
    if frame.fit > NEARLY_PERFECT:
        return frame.agreement.structured > STRUCTURED_ENOUGH
    if frame.fit < AGREEING or frame.agreement.structured < WELL_STRUCTURED or not frame.rank[0]:
        return False
    # A crop or turn by half a percent agrees as well as a change of tone does, but lies aside.
    aside = offset(first, second, frame.alignment.matrix, AGREEMENT_SIDE)
    return aside is not None and aside < IN_PLACE


def _better(one: Checked | None, other: Checked | None) -> Checked | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda checked: checked.rank)


def _checked(first: Prepared, second: Prepared, alignment: Alignment) -> Checked | None:
    common = overlap(first, second, alignment.matrix, AGREEMENT_SIDE)
    if common is None:
        return None
    checked = Checked(alignment, measure(common), (common.share_of_first, common.share_of_second))
    if alignment.kind != "frame" or checked.agreement.same <= LEFT or checked.rank[0]:
        return checked
    fine = overlap(first, second, alignment.matrix, SIDE)
    return checked if fine is None else dataclasses.replace(checked, grain=compared(fine))


def _with_inliers(frame: Checked | None, keypoints: Alignment) -> Checked | None:
    if frame is None:
        return None
    alignment = dataclasses.replace(
        frame.alignment, matched=keypoints.matched, inliers=keypoints.inliers, spread=keypoints.spread
    )
    return dataclasses.replace(frame, alignment=alignment)


def _is_same_place(frame: Alignment, keypoints: Alignment, first: Prepared, second: Prepared) -> bool:
    """Whether both maps put the second's corners within 1.5 % of the first's diagonal."""
    apart = corners(frame.matrix, second.size) - corners(keypoints.matrix, second.size)
    return bool(np.hypot(apart[:, 0], apart[:, 1]).max() < 0.015 * math.hypot(*first.size))


def _described(
    first: Prepared, second: Prepared, checked: Checked, evidence: dict[str, Any], swapped: bool
) -> Comparison:
    alignment, agreement = checked.alignment, checked.agreement
    verdict = judge(alignment, agreement, checked.grain)
    seen = _seen(first, second, checked, verdict) if verdict.connects else Inspection(alignment.matrix)
    changes = seen.changes
    transform = describe(seen.matrix, checked.shares, agreement, first, second)
    if changes.share > 0 and is_rest_untouched(changes, agreement):
        # Tones were fitted over all of the picture, what was laid over it and all.
        transform = dataclasses.replace(transform, gain=1.0, colour_shift=0.0)
    verdict = reconsidered(
        verdict, min(checked.shares), agreement, checked.grain, seen, mirrored=transform.mirrored
    )
    findings = _findings(transform, checked, changes)
    found, relation = _judged(verdict, findings, transform, checked, changes)
    if verdict.is_copy and not agreement.negative and have_same_pixels(first, second, agreement.difference):
        found, relation = similarity.SAME_PIXELS, relations.IDENTICAL_PIXELS
    evidence |= {
        "key_points": _keypoint_evidence(first, second, checked),
        "agreement": _figures(agreement),
        "grain": _figures(checked.grain),
        "changes": _figures(changes) | {"boxes": [list(box) for box in changes.boxes]},
        "motion": _figures(seen.motion),
        **_graphic_evidence(seen.graphic),
        "veil": _figures(seen.veil),
        "relit": checked.is_relit,
        "shared_detail": seen.shared_detail,
        "verdict": dataclasses.asdict(verdict),
    }
    shown = transform.inverse() if swapped else transform
    return Comparison(similarity.rounded(found), relation, shown.as_dict(), evidence)


def _seen(first: Prepared, second: Prepared, checked: Checked, verdict: Verdict) -> Inspection:
    if is_untouched(checked.grain):
        seen = inspect_untouched(first, second, checked.alignment)
        is_edited = verdict.reason == SURROUNDINGS and not is_laid_over(checked.agreement, seen)
        # Of graphics that may be copies more is asked.
        if is_edited or seen.changes.plain < PLAIN:
            return seen
    return inspect(first, second, checked.alignment)


def _judged(
    verdict: Verdict,
    findings: similarity.Findings,
    transform: Transform,
    checked: Checked,
    changes: Changes,
) -> tuple[float, str]:
    if verdict.is_copy:
        relation = relations.of_copy(findings, mirrored=transform.mirrored, turned=transform.is_turned)
        return similarity.of_copy(findings), relation
    if verdict.kind == "edited":
        return similarity.of_edited(max(changes.share, checked.agreement.recoloured)), relations.EDITED
    if verdict.kind == "series":
        return similarity.of_series(changes.share), relations.SERIES
    if verdict.kind == "scene":
        found = similarity.of_scene(checked.alignment.inliers, checked.agreement.good)
    else:
        found = similarity.of_unrelated(checked.agreement.whole, checked.agreement.good)
    return found, relations.of_others(found)


def _findings(transform: Transform, checked: Checked, changes: Changes) -> similarity.Findings:
    agreement = checked.agreement
    return similarity.Findings(
        overlap=transform.overlap,
        resize=abs(math.log(transform.scale)),
        stretch=transform.stretch + checked.slant,
        quarter_turn_or_mirror=transform.mirrored or transform.is_turned,
        tilt=transform.tilt,
        colour_shift=math.hypot(agreement.colour_shift, agreement.colour_spread),
        tint=agreement.colour_shift,
        contrast_shift=abs(math.log(agreement.gain)),
        negative=agreement.negative,
        good=agreement.good,
        tile=agreement.tile,
        residual=agreement.residual,
        changed=changes.share,
    )


def _hash_evidence(first: Prepared, second: Prepared) -> dict[str, Any]:
    distances = hash_distances(first.record, second.record)
    trimmed = np.bitwise_xor(first.record["trimmed"], second.record["trimmed"])
    return {
        "whole": int(distances[0]),
        "turned": int(distances.min()),
        "orientation": int(distances.argmin()) + 1,
        "trimmed": int(np.bitwise_count(trimmed).sum()),
        "bits": 256,
    }


def _keypoint_evidence(first: Prepared, second: Prepared, checked: Checked) -> dict[str, Any]:
    alignment = checked.alignment
    return {
        # None where they were not looked for.
        "counts": [len(first.keypoints), len(second.keypoints)] if checked.needs_keypoints else None,
        "matched": alignment.matched,
        "inliers": alignment.inliers,
        "spread": round(alignment.spread, 4),
        "alignment": alignment.kind,
        "slant": round(checked.slant, 4),
    }


def _graphic_evidence(graphic: Graphic | None) -> dict[str, Any]:
    """What was asked of graphics; None where it was not."""
    asked = vars(graphic) if graphic else {}
    return {name: _figures(asked[name]) if name in asked else None for name in ("ink", "recolouring")}


def _figures(found: Any) -> dict[str, Any]:
    """The fields of a dataclass, rounded; dataclasses.asdict takes four times as long."""
    return {name: _rounded(getattr(found, name)) for name in found.__slots__}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return _figures(value) if dataclasses.is_dataclass(value) else value
