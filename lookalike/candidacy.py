"""Why two images are candidates, or are not: their nearest hashes and strips, and their key points' votes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.candidates import (
    NEGATIVE_RADII,
    REGION_RADII,
    TURNED_RADII,
    WHOLE_RADII,
    candidates,
    plan,
)
from lookalike.features.coarse import coarse
from lookalike.features.record import FEATURES, Flag, has_flag
from lookalike.local import check
from lookalike.local import join as local
from lookalike.local.unchanged import unchanged_shares
from lookalike.strips import RADIUS, UNCHANGED_LEAST, strip_distance

Hashes = NDArray[np.uint8]


def candidacy(a: np.void, b: np.void) -> dict[str, Any]:
    """Tell of two FEATURES records what makes them candidates; holds only what JSON can hold.

    `hash` is the comparison of hashes with the most bits to spare, or the least missing; None where one is
    flat. `strips` tells of the strips along one side that differ least, and how much of the thumbnails is
    the same; None where there are none. `votes` are key points that agree on one place, at most 8;
    `thumbnails` how likely the thumbnails show one picture there, from 0 to 1.
    """
    both = np.array([a, b], FEATURES)
    found = [candidates(both, spec) for spec in plan(2)]
    votes = local.self_join(both["local"])
    odds = check.odds_of_votes(votes, both["local"][votes["i"]], both["local"][votes["j"]])
    best = int(np.argmax(votes["votes"])) if len(votes) else None
    return {
        "is_candidate": any(len(pairs) for pairs in found),
        "hash": None if has_flag(both, Flag.FLAT).any() else _nearest(a, b),
        "strips": _strips(a, b, float(unchanged_shares(both["local"][:1], both["local"][1:])[0])),
        "votes": 0 if best is None else int(votes["votes"][best]),
        "votes_needed": check.VOTES_SURE,
        "thumbnails": None if best is None else _likelihood(float(odds[best])),
        "thumbnails_needed": _likelihood(check.VOTE_ODDS_LEAST),
    }


def _strips(a: np.void, b: np.void, unchanged: float) -> dict[str, Any] | None:
    if (distance := strip_distance(a, b)) is None:
        return None
    return {
        "distance": distance,
        "limit": RADIUS,
        "unchanged": round(unchanged, 3),
        "unchanged_needed": UNCHANGED_LEAST,
    }


def _likelihood(odds: float) -> float:
    return round(1 / (1 + math.exp(-odds)), 3)


def _nearest(a: np.void, b: np.void) -> dict[str, Any]:
    """The kind of hash, its distances and limits, of the comparison with the most bits to spare.

    Both limits must be kept: that of all bits, and that of the coarse hash, the lowest frequencies.
    """
    tried = []
    for one, other in ((a, b), (b, a)):
        for seen in (one["whole"][0], one["trimmed"]):
            tried += [
                _compared("whole", seen, other["whole"][:1], WHOLE_RADII),
                _compared("trimmed", seen, other["trimmed"][None], WHOLE_RADII),
                _compared("negative", seen, ~other["whole"][:1], NEGATIVE_RADII),
                _compared("turned", seen, other["whole"][1:], TURNED_RADII),
                _compared("region", seen, other["regions"], REGION_RADII),
            ]
    return min(tried, key=_share_spent)


def _compared(kind: str, seen: Hashes, others: Hashes, limits: tuple[int, int]) -> dict[str, Any]:
    """The best of the others."""
    distances = np.bitwise_count(others ^ seen).sum(axis=1).tolist()
    coarse_distances = np.bitwise_count(coarse(others) ^ coarse(seen)).tolist()
    told = [
        {
            "kind": kind,
            "distance": one,
            "limit": limits[0],
            "coarse_distance": other,
            "coarse_limit": limits[1],
        }
        for one, other in zip(distances, coarse_distances, strict=True)
    ]
    return min(told, key=_share_spent)


def _share_spent(told: dict[str, Any]) -> tuple[float, float, str]:
    shares = told["distance"] / told["limit"], told["coarse_distance"] / told["coarse_limit"]
    return max(shares), min(shares), told["kind"]
