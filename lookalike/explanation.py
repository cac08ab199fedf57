"""A comparison in plain words: what was found, how the second picture differs, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lookalike.candidacy import candidacy
from lookalike.verification.comparison import Comparison

REASONS = {
    "nothing_in_common": "No part of one can be laid over the other.",
    "other_content_in_the_same_places": "They are laid out alike, but laid over one another other words, "
    "lines or shapes are in the same places.",
    "too_few_common_key_points": "Hardly any detail of one is found in the other, no more than by chance.",
    "few_common_key_points_and_pixels_differ": "A few details are found in both, but what lies around them "
    "is not the same: another subject on the same ground, for instance.",
    "only_a_small_part_is_common": "A small part is the same in both, such as a caption or a badge, and "
    "nothing around it is.",
    "pixels_differ": "The same details are found in both, but laid over one another the pixels differ: "
    "another moment, angle or state of one scene.",
    "other_plain_colours": "Both are plain, and of other colours.",
    "same_plain_colours": "Both are plain, and of the same colours.",
    "whole_frame_agrees": "Laid over one another as a whole, they agree.",
    "key_points_and_pixels_agree": "The same details lie in the same places, and their pixels agree.",
    "pixels_agree": "Few details can be told apart, but the pixels of what is common agree.",
    "pixels_differ_only_under_what_was_laid_over": "They agree but for what was laid over one of them.",
    "seen_through_what_was_laid_over": "They agree, a part of one seen through something faint.",
    "most_detail_is_gone": "What there was to see in one is gone from the other; the rest is the same.",
    "only_the_surroundings_are_the_same": "Only what surrounds the main object is the same in both.",
    "parts_replaced": "They agree but for parts that were replaced.",
    "parts_of_a_graphic_replaced": "One layout with other words, lines or symbols in it.",
    "ink_of_a_graphic_differs": "One drawing with other words, symbols, marks or another typeface.",
    "parts_of_a_graphic_recoloured": "One drawing with other colours in some places.",
    "lines_of_a_graphic_do_not_meet": "One layout, but the lines in it run elsewhere.",
    "things_moved": "One scene in which things have moved.",
    "camera_moved": "One scene from a camera that has moved.",
}
TOLD_BITS = 96  # of 256: a turn that leaves more tells nothing
UNLIKE_BITS = 128  # of 256, between hashes of pictures that have nothing to do with each other
MATCH = 70.0  # the least similarity that any context calls a match


def with_candidacy(found: Comparison, first: np.void, second: np.void) -> Comparison:
    """Return the comparison of two FEATURES records with what makes them candidates among the evidence."""
    return replace(found, evidence=found.evidence | {"candidacy": candidacy(first, second)})


def explained(found: Comparison) -> list[str]:
    """Return sentences: the verdict, then the transform, then the evidence step by step."""
    evidence = found.evidence
    reason = evidence["verdict"]["reason"]
    verdict = REASONS.get(reason) or f"{reason.replace('_', ' ').capitalize()}."
    if found.relation == "identical_file":
        return ["The two files are the same, byte for byte."]
    if found.relation == "identical_pixels":
        verdict = "Decoded in full, every pixel is the same."
    elif found.similarity < MATCH:
        verdict = f"No match. {verdict}"
    connected = found.similarity >= MATCH or evidence["verdict"]["kind"] != "nothing"
    return [verdict, *(_transform(found) if connected else ()), *_evidence(evidence)]


def _transform(found: Comparison) -> Iterator[str]:
    transform = found.transform
    if not transform:
        return
    left, top, right, bottom = transform["box"]
    width, height = right - left, bottom - top
    if min(width, height) < 0.995 and transform["overlap"] < 0.995:
        yield (
            f"The second shows the part of the first from {left:.0%} to {right:.0%} across "
            f"and from {top:.0%} to {bottom:.0%} down."
        )
    elif max(width, height) > 1.005 and transform["overlap"] < 0.995:
        yield "The second shows more around it."
    made = list(_made(transform))
    if made:
        yield f"It is {_listed(made)}."
    changes = found.evidence.get("changes", {})
    if changes.get("boxes"):
        count = len(changes["boxes"])
        regions = "1 region" if count == 1 else f"{count} regions" if count < 8 else "8 regions or more"
        yield f"Of what both show, {changes['share']:.1%} is changed, in {regions}."


def _made(transform: dict[str, Any]) -> Iterator[str]:
    """What was done to the first to make the second, each as words that follow `It is`."""
    if transform["mirrored"]:
        yield "mirrored"
    if abs(transform["angle"]) >= 0.2:
        way = "counter-clockwise" if transform["angle"] > 0 else "clockwise"
        yield f"turned {way} by {abs(transform['angle']):g}°"
    if abs(transform["scale"] - 1) >= 0.005:
        yield f"{transform['scale']:.3g} times as large"
    if transform["stretch"] >= 1.01:
        yield f"stretched by {transform['stretch'] - 1:.0%}"
    if transform["negative"]:
        yield "a negative"
    if abs(transform["gain"] - 1) >= 0.05:
        more = "more" if transform["gain"] > 1 else "less"
        yield f"of {more} contrast (× {transform['gain']:.2f})"
    if transform["colour_shift"] >= 2:
        yield f"of other colours ({transform['colour_shift']:g} in CIELAB)"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _evidence(evidence: dict[str, Any]) -> Iterator[str]:
    hashes = evidence["hashes"]
    told = f"Hashes: {hashes['whole']} of {hashes['bits']} bits differ between the whole frames"
    if hashes["turned"] < min(hashes["whole"], TOLD_BITS):
        told += f", {hashes['turned']} if turned as EXIF orientation {hashes['orientation']}"
    yield f"{told} (about {UNLIKE_BITS} between any two pictures)."
    if (candidates := evidence.get("candidacy")) is not None:
        yield _candidacy(candidates)
    if (points := evidence.get("key_points")) is not None:
        yield _key_points(points)
    if (agreement := evidence.get("agreement")) is not None:
        yield (
            f"Pixels: {agreement['good']:.0%} of the tiles agree, "
            f"with a median correlation of {agreement['tile']:.2f}."
        )
    if (seen := evidence.get("glance")) is not None:
        yield (
            f"At first glance: {seen['good_tiles']:.0%} of the tiles of two small pictures agree at best, "
            f"and one was made from the other with a likelihood of {seen['likelihood']:.2f}: too little."
        )
    yield f"Shared detail: {evidence['shared_detail']:g} of 100."


def _key_points(found: dict[str, Any]) -> str:
    if found["counts"] is None:
        return "Key points: not looked for, as whole frame on whole frame leaves nothing to ask."
    first, second = found["counts"]
    return (
        f"Key points: of {first} and {second}, {found['matched']} pairs look alike, "
        f"of which {found['inliers']} agree on one place."
    )


def _candidacy(found: dict[str, Any]) -> str:
    told = []
    if (nearest := found["hash"]) is not None:
        told.append(
            f"the nearest hashes ({nearest['kind']}) are {nearest['distance']} bits apart, "
            f"{nearest['coarse_distance']} of them in low frequencies, "
            f"the limits are {nearest['limit']} and {nearest['coarse_limit']}"
        )
    if (strips := found["strips"]) is not None and strips["distance"] <= strips["limit"]:
        told.append(
            f"the same strip along one side differs in {strips['distance']} bits of 63, "
            f"and {strips['unchanged']:.0%} of the thumbnails is the same"
        )
    if found["votes"]:
        told.append(
            f"{found['votes']} key points vote for one place, "
            f"where the thumbnails are of one picture with a likelihood of {found['thumbnails']:.2f}"
        )
    else:
        told.append("no key points vote for one place")
    is_candidate = "would be compared" if found["is_candidate"] else "would not even be compared"
    return f"In a search they {is_candidate}: {'; '.join(told)}."
