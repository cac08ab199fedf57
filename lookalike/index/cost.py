"""What a join costs in seconds of one core: the planner picks the cheapest way by it.

Measured on a Zen 3 core with AVX2; AVX-512 is 2 to 4 times faster at everything, which moves no decision far.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import comb

from lookalike.index.bands import BAND_BITS, budgets, key_bits_for

NUMBA_START_SECONDS = 1.5
_FLAT_PAIRS_A_SECOND = 60e6
_BRUTE_WORDS_A_SECOND = 4.6e9
_RING_CANDIDATES_A_SECOND = 7e9
_LISTED_SECONDS = 20e-9
_LOOKED_UP_SECONDS = 8e-9
_LISTED_A_SECOND = 5e8
_BUCKET_PAIR_SECONDS = 60e-9
_SORTED_ROW_SECONDS = 25e-9
_PLANE_ROW_SECONDS = 8e-9


def has_numba() -> bool:
    """Whether the fast joins can run here at all."""
    return find_spec("numba") is not None


def flat_seconds(queries: int, candidates: int) -> float:
    """Return the cost in NumPy, whose self-join also compares what lies below the diagonal in part."""
    return queries * candidates / _FLAT_PAIRS_A_SECOND


def brute_seconds(queries: int, candidates: int, bits: int, radius: int, is_self: bool) -> float:
    """Return the cost by brute force: bits counted in the planes that the filter needs."""
    planes = _planes(bits, radius)
    compared = queries * candidates / (2 if is_self else 1)
    return compared * planes / _BRUTE_WORDS_A_SECOND + (queries + candidates) * _PLANE_ROW_SECONDS


def directory_seconds(queries: int, candidates: int, bits: int, radius: int, is_self: bool) -> float:
    """Return the cost of looking the many up among the few, or infinity where that cannot be done."""
    if bits != 64 or is_self:
        return float("inf")
    few, many = sorted((queries, candidates))
    return sum(
        few * partners * _LISTED_SECONDS
        + many * (_LOOKED_UP_SECONDS + few * partners / 2**16 / _LISTED_A_SECOND)
        for partners in (_partners(int(share) - 1, BAND_BITS) for share in budgets(bits, radius) if share)
    )


def ring_seconds(queries: int, candidates: int, bits: int, radius: int, is_self: bool) -> float:
    """Return the cost of all bands of the ring join, or infinity where the bits make no bands."""
    if bits % (4 * BAND_BITS):
        return float("inf")
    return sum(
        _band_seconds(queries, candidates, int(share) - 1, is_self)
        for share in budgets(bits, radius)
        if share
    )


def _band_seconds(queries: int, candidates: int, flips: int, is_self: bool) -> float:
    key_bits = key_bits_for(max(queries, candidates))
    partners = _partners(flips, key_bits) / (2 if is_self else 1)
    buckets = 1 << key_bits
    compared = partners * queries * candidates / buckets
    sorting = (queries if is_self else queries + candidates) * _SORTED_ROW_SECONDS
    return sorting + partners * buckets * _BUCKET_PAIR_SECONDS + compared / _RING_CANDIDATES_A_SECOND


def _partners(flips: int, key_bits: int) -> int:
    return sum(comb(key_bits, count) for count in range(min(flips, key_bits) + 1))


def _planes(bits: int, radius: int) -> int:
    words = -(-bits // 64)
    for planes in range(1, words):
        if 32 * planes - radius >= 4.3 * (64 * planes) ** 0.5 / 2:
            return planes
    return words
