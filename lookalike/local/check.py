"""The cheap check before verification: lay thumbnails on each other as hashes or votes say.

Pictures of one template, such as receipts, have near hashes and vote for each other, whatever their words
are. The check moves the map until the thumbnails fit (registration.py), measures how alike they are then
(likeness.py), and weighs the measures. A pair whose odds are too low is not verified. What is sure without
it passes unseen. The weights were learned by benchmarks/learn_check.py: two copies of a plain picture must
agree better than two copies of a photo, and the more so the further apart their hashes are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.local.likeness import likeness, plain_shares
from lookalike.local.record import Records

ODDS_LEAST = -1.0
"""Logarithm of the odds; pairs below are not verified."""
VOTES_SURE = 8
BITS_SURE = 40
"""With so many votes, or so few bits apart, pairs are verified whatever the thumbnails say."""

VOTES_BY_CHANCE = 2
"""By chance photos have so many votes at most."""
AGREEMENT_LEAST, HASH_AGREEMENT_LEAST = 0.35, 0.2
"""Where nothing fits, for pairs of such votes and of hashes: the weights know of templates, not of chance."""
NEVER = -99.0
PLAIN_BITS, FARTHEST_BITS = 60.0, 105.0
"""Hashes of pictures of one even ground count as so many bits further apart; beyond, they tell nothing."""
STRETCH_MOST = 0.3
"""Logarithm: copies are cut out, but hardly ever made a third wider alone."""
TERM_COUNT = 11
# What one more of each is worth: a vote or a bit, the measures of likeness, how plain the less plain picture
# is; and the constant.
_VOTE_WEIGHTS = np.array([0.809, 4.148, 1.445, 5.403, -3.934, -4.197, 5.110, -1.919, -1.471, -7.469, -4.061])
_HASH_WEIGHTS = np.array([-0.086, 4.955, -2.311, 2.970, -3.130, -4.003, 8.403, 1.935, -4.440, -8.907, 4.370])


def odds_of_votes(votes: NDArray[np.void], first: Records, second: Records) -> NDArray[np.float64]:
    """Return the odds (n,) of votes (n,) VOTE to be of copies; first, second (n,) LOCAL are those of i, j."""
    maps = maps_of_votes(votes, first, second)
    told = terms(votes["votes"], maps, first, second)
    by_chance = (votes["votes"] <= VOTES_BY_CHANCE) & (_agreements(told) < AGREEMENT_LEAST)
    return np.where(by_chance, NEVER, _weighed(told, _VOTE_WEIGHTS))


def odds_of_hashes(
    bits: NDArray[np.integer[Any]], maps: NDArray[np.float64], first: Records, second: Records
) -> NDArray[np.float64]:
    """Return the odds (n,) of pictures to be copies, of hashes so many bits apart, under maps (n, 2, 3)."""
    told = terms(bits, maps, first, second)
    return np.where(_agreements(told) < HASH_AGREEMENT_LEAST, NEVER, _weighed(told, _HASH_WEIGHTS))


def are_worth_a_look(bits: NDArray[np.integer[Any]], plain: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell of hashes so many bits apart, of pictures at least so plain, which are not too far apart.

    Of ten pairs of one template this drops eight, at a fraction of the cost of a look.
    """
    near: NDArray[np.bool_] = bits + PLAIN_BITS * plain <= FARTHEST_BITS
    return near


def are_worth_verifying(votes: NDArray[np.void], odds: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell of votes (n,) VOTE with their odds which pairs go on to verification."""
    kept: NDArray[np.bool_] = (odds >= ODDS_LEAST) | (votes["votes"] >= VOTES_SURE)
    return kept


def terms(
    told: NDArray[np.integer[Any]], maps: NDArray[np.float64], first: Records, second: Records
) -> NDArray[np.float64]:
    """Return what is weighed (n, 11); told (n,) are votes or bits."""
    plain = np.minimum(plain_shares(first), plain_shares(second))
    return np.column_stack([told, likeness(maps, first, second), plain, np.ones(len(told))])


def _agreements(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the correlation of the whole, half that of tiles: one large shape is not enough."""
    agreements: NDArray[np.float64] = 0.5 * (terms[:, 2] + terms[:, 3])
    return agreements


def _weighed(terms: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not as a product of matrices: their last bit depends on how many rows there are.
    odds: NDArray[np.float64] = (terms * weights).sum(axis=1)
    return odds


def maps_of_votes(votes: NDArray[np.void], first: Records, second: Records) -> NDArray[np.float64]:
    """Return the maps (n, 2, 3) between frames of side one that votes tell between frames of pixels."""
    return maps_of(votes["transform"].astype(np.float64), votes["mirrored"], first, second)


def maps_of(
    transforms: NDArray[np.float64], mirrored: NDArray[np.bool_], first: Records, second: Records
) -> NDArray[np.float64]:
    """Return the maps (n, 2, 3) between frames of side one, of transforms (n, 4) between frames of pixels."""
    a, b, tx, ty = transforms.T
    width, height = first["width"].astype(np.float64), first["height"].astype(np.float64)
    # Pixel centres lie at p + 0.5.
    across = np.stack([a * width, -b * height, tx + 0.5 * (1 - a + b)], axis=1) / second["width"][:, None]
    down = np.stack([b * width, a * height, ty + 0.5 * (1 - b - a)], axis=1) / second["height"][:, None]
    maps = np.stack([across, down], axis=1)
    maps[mirrored, :, 2] += maps[mirrored, :, 0]
    maps[mirrored, :, 0] *= -1
    return maps
