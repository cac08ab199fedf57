"""The cheap check before verification: lay thumbnails on each other as hashes or votes say.

Pictures of one template, such as receipts, have near hashes and vote for each other, whatever their words
are. Key points of pairs that voted are recounted first (recount.py): most voted by chance. The check moves
the map until the thumbnails fit (registration.py), measures how alike they are then
(likeness.py), and weighs the measures. A pair whose odds are too low is not verified. What is sure without
it passes unseen. The weights were learned by benchmarks/learn_check.py: two copies of a plain picture must
agree better than two copies of a photo, and the more so the further apart their hashes are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.local.frame_maps import frame_sizes, maps_of
from lookalike.local.likeness import likeness, plain_shares
from lookalike.local.record import Records
from lookalike.local.recount import are_turned, points_of, recounted

ODDS_LEAST, VOTE_ODDS_LEAST = -1.0, -2.0
"""Logarithms of the odds of pairs of hashes and of votes; pairs below are not verified."""
VOTES_SURE = 8
BITS_SURE = 40
"""With so many votes, or so few bits apart, pairs are verified whatever the thumbnails say."""

POINTS_ENOUGH = 16
"""Key points that are recounted; more tell no more."""
EXACT_LEAST, EXACT_LEAST_OF_PLAIN = 3, 4
"""With fewer key points on one map it was chance, whatever the thumbnails say."""
PLAIN = 0.5
"""Pictures at least so plain share letters and lines in any case."""
HASH_AGREEMENT_LEAST = 0.2
"""Where nothing fits, for pairs of hashes: the weights know of templates, not of chance."""
NEVER = -99.0
PLAIN_BITS, FARTHEST_BITS = 60.0, 100.0
"""Hashes of pictures of one even ground count as so many bits further apart; beyond, they tell nothing."""
STRETCH_MOST = 0.3
"""Logarithm: copies are cut out, but hardly ever made a third wider alone."""
VOTE_TERMS, HASH_TERMS = 12, 11
# What one more of each is worth: key points that agree and those on one map, or bits; the measures of
# likeness; how plain the less plain picture is; and the constant.
_VOTE_WEIGHTS = np.array(
    [0.153, 0.561, 3.610, 1.749, 6.607, -7.987, -3.245, 6.484, -1.904, -0.816, -6.104, -5.747]
)
_HASH_WEIGHTS = np.array([-0.086, 4.955, -2.311, 2.970, -3.130, -4.003, 8.403, 1.935, -4.440, -8.907, 4.370])


def odds_of_votes(votes: NDArray[np.void], first: Records, second: Records) -> NDArray[np.float64]:
    """Return the odds (n,) of votes (n,) VOTE to be of copies; first, second (n,) LOCAL are those of i, j."""
    odds = np.full(len(votes), NEVER)
    rows, told = terms_of_votes(votes, first, second)
    odds[rows] = _weighed(told, _VOTE_WEIGHTS)
    return odds


def terms_of_votes(
    votes: NDArray[np.void], first: Records, second: Records
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Recount votes (n,) VOTE; return the rows (k,) that are no chance, and what is weighed (k, 12)."""
    # A field of records is laid out otherwise than an array: the kernels would be compiled for both.
    mirrored = np.ascontiguousarray(votes["mirrored"])
    one, other = points_of(first), points_of(second)
    turned = are_turned(one, other)
    found = recounted(one, other, mirrored, turned)
    rows = np.flatnonzero(found.exact >= EXACT_LEAST)
    plain = plainness(first[rows], second[rows])
    is_enough = (found.exact[rows] >= EXACT_LEAST_OF_PLAIN) | (plain < PLAIN)
    rows, plain = rows[is_enough], plain[is_enough]
    told = np.minimum(np.column_stack([found.agreeing, found.exact])[rows], POINTS_ENOUGH)
    first, second = first[rows], second[rows]
    maps = maps_of(
        found.transforms[rows], mirrored[rows], turned[rows], frame_sizes(first), frame_sizes(second)
    )
    return rows, terms(told, maps, first, second, plain)


def odds_of_hashes(
    bits: NDArray[np.integer[Any]],
    maps: NDArray[np.float64],
    first: Records,
    second: Records,
    plain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the odds (n,) of pictures to be copies, of hashes so many bits apart, under maps (n, 2, 3)."""
    told = terms(bits, maps, first, second, plain)
    return np.where(_agreements(told) < HASH_AGREEMENT_LEAST, NEVER, _weighed(told, _HASH_WEIGHTS))


def are_worth_a_look(bits: NDArray[np.integer[Any]], plain: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell of hashes so many bits apart, of pictures at least so plain, which are not too far apart.

    Of ten pairs of one template this drops eight, at a fraction of the cost of a look.
    """
    near: NDArray[np.bool_] = bits + PLAIN_BITS * plain <= FARTHEST_BITS
    return near


def are_worth_verifying(votes: NDArray[np.void], odds: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell of votes (n,) VOTE with their odds which pairs go on to verification."""
    kept: NDArray[np.bool_] = (odds >= VOTE_ODDS_LEAST) | (votes["votes"] >= VOTES_SURE)
    return kept


def plainness(first: Records, second: Records) -> NDArray[np.float64]:
    """Return how plain (n,) the less plain picture of each pair is."""
    plain: NDArray[np.float64] = np.minimum(plain_shares(first), plain_shares(second))
    return plain


def terms(
    told: NDArray[np.integer[Any]],
    maps: NDArray[np.float64],
    first: Records,
    second: Records,
    plain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what is weighed (n, 11 or 12); told (n,) or (n, 2) are bits or key points."""
    return np.column_stack([told, likeness(maps, first, second), plain, np.ones(len(told))])


def _agreements(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the correlation of the whole, half that of tiles: one large shape is not enough."""
    agreements: NDArray[np.float64] = 0.5 * (terms[:, 2] + terms[:, 3])
    return agreements


def _weighed(terms: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not as a product of matrices: their last bit depends on how many rows there are.
    odds: NDArray[np.float64] = (terms * weights).sum(axis=1)
    return odds
