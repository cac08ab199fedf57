"""Why two images are candidates, or are not: their nearest hashes, and the votes of their key points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.candidates import (
    NEGATIVE_RADIUS,
    REGION_RADIUS,
    TURNED_RADIUS,
    WHOLE_RADIUS,
    candidates,
    plan,
)
from lookalike.features.record import FEATURES, Flag, has_flag
from lookalike.local import check
from lookalike.local import join as local

Hashes = NDArray[np.uint8]


def candidacy(a: np.void, b: np.void) -> dict[str, Any]:
    """Tell of two FEATURES records what makes them candidates; holds only what JSON can hold.

    `hash` is the comparison of hashes with the most bits to spare, or the least missing; None where one is
    flat. `votes` are key points that agree on one place, at most 8; `thumbnails` how well they agree there.
    """
    both = np.array([a, b], FEATURES)
    found = [candidates(both, spec) for spec in plan(2)]
    votes = local.self_join(both["local"])
    agreements = check.agreements(votes, both["local"][votes["i"]], both["local"][votes["j"]])
    best = int(np.argmax(votes["votes"])) if len(votes) else None
    return {
        "is_candidate": any(len(pairs) for pairs in found),
        "hash": None if has_flag(both, Flag.FLAT).any() else _nearest(a, b),
        "votes": 0 if best is None else int(votes["votes"][best]),
        "votes_needed": check.VOTES_SURE,
        "thumbnails": None if best is None else round(float(agreements[best]), 3),
        "thumbnails_needed": check.AGREEMENT_LEAST,
    }


def _nearest(a: np.void, b: np.void) -> dict[str, Any]:
    """The kind of hash, its distance and limit, of the comparison with the most bits to spare."""
    tried = []
    for one, other in ((a, b), (b, a)):
        for seen in (one["whole"][0], one["trimmed"]):
            tried += [
                ("whole", _bits(seen, other["whole"][:1]), WHOLE_RADIUS),
                ("trimmed", _bits(seen, other["trimmed"][None]), WHOLE_RADIUS),
                ("negative", _bits(seen, ~other["whole"][:1]), NEGATIVE_RADIUS),
                ("turned", _bits(seen, other["whole"][1:]), TURNED_RADIUS),
                ("region", _bits(seen, other["regions"]), REGION_RADIUS),
            ]
    kind, distance, limit = min(tried, key=lambda one: one[1] - one[2])
    return {"kind": kind, "distance": distance, "limit": limit}


def _bits(seen: Hashes, others: Hashes) -> int:
    return int(np.bitwise_count(others ^ seen).sum(axis=1).min())
