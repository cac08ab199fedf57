"""How hashes are cut into bands for the ring join: bit order, budgets, masks, codes. ring.py says why."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from lookalike.index.words import Hashes, to_words

BAND_BITS = 16
_SAMPLE_ROWS = 16_384
_EVEN_ENOUGH = 0.98
_ROWS_A_BUCKET = 16
_LEAST_KEY_BITS = 6
_RARE = 1e-4


@dataclass(frozen=True)
class Band:
    """One band as the kernels need it.

    `code_bytes` are the byte columns that hold the band's bits and those of the `reach` bands after it; the
    code of a row is the xor of `code_tables[k, row[code_bytes[k]]]`: the band's 16 bits lowest, the next
    bands above. The lowest `key_bits` are the key: all 16 for many rows, fewer for few, so that buckets are
    not nearly empty. `masks` are the differences of keys within the band's budget, by bit count; `radii` is
    the filter's limit for each: what the budgets up to the last band in reach leave for the bits after the
    key.
    """

    number: int
    reach: int
    key_bits: int
    code_bytes: NDArray[np.int64]
    code_tables: NDArray[np.uint64]
    masks: NDArray[np.int64]
    radii: NDArray[np.uint64]

    @property
    def filter_type(self) -> type[np.uint32] | type[np.uint64]:
        """The word that holds the code above the key; of a short key its topmost bits are cut off."""
        return np.uint32 if self.reach * BAND_BITS <= 32 else np.uint64


def budgets(bits: int, radius: int) -> NDArray[np.int64]:
    """Return one integer a band; their sum is radius + 1, as even as can be."""
    count = bits // BAND_BITS
    shares = np.full(count, (radius + 1) // count, np.int64)
    shares[: (radius + 1) % count] += 1
    return shares


def reach_of(bits: int, radius: int) -> int:
    """Return how many bands the filter adds to the first: 2 (a 32-bit word) if it rarely errs, else 3."""
    shares = budgets(bits, radius)
    if len(shares) < 4:
        return len(shares) - 1
    limit = int(shares[:3].sum()) - 1 - max(0, int(shares[0]) - 1)
    passing = sum(comb(32, flipped) for flipped in range(limit + 1)) / 2**32
    return 2 if passing < _RARE else 3


def bit_order(hashes: Hashes) -> NDArray[np.int64]:
    """Return an order of the bits that gives every band the same share of information.

    Bits that are nearly always equal tell nothing; a band of such bits would put most images in one bucket.
    Bits are ranked by p(1 - p) on a fixed sample and dealt to the bands to and fro. Any order is exact; this
    is for speed.
    """
    bits = hashes.shape[1] * 8
    identity = np.arange(bits, dtype=np.int64)
    if len(hashes) == 0:
        return identity
    sample = np.asarray(hashes[:: max(1, len(hashes) // _SAMPLE_ROWS)])
    share = np.unpackbits(sample, axis=1, bitorder="little").mean(axis=0)
    information = share * (1 - share)
    of_bands = information.reshape(-1, BAND_BITS).mean(axis=1)
    if of_bands.min() >= _EVEN_ENOUGH * of_bands.mean():
        return identity
    ranked = np.argsort(-information, kind="stable").reshape(BAND_BITS, -1)
    ranked[1::2] = ranked[1::2, ::-1]
    return np.ascontiguousarray(ranked.T).ravel().astype(np.int64)


def key_bits_for(row_count: int) -> int:
    """Return how many bits of a band are the key: 16 rows a bucket were fastest from 100k to 1M rows."""
    return min(BAND_BITS, max(_LEAST_KEY_BITS, round(log2(max(1, row_count) / _ROWS_A_BUCKET))))


def make_band(number: int, order: NDArray[np.int64], radius: int, key_bits: int = BAND_BITS) -> Band:
    """Return band `number` of hashes whose bits are taken in this order."""
    bits = len(order)
    shares, reach = budgets(bits, radius), reach_of(bits, radius)
    wanted = order[(number * BAND_BITS + np.arange(BAND_BITS * (reach + 1))) % bits]
    code_bytes = np.unique(wanted // 8)
    masks = masks_within(int(shares[number]) - 1, key_bits)
    chain = int(shares[(number + np.arange(reach + 1)) % len(shares)].sum()) - 1
    radii = chain - np.bitwise_count(masks).astype(np.int64)
    # A mask that leaves the next bands no flip at all to spend is no candidate, so it is left out.
    possible = radii >= 0
    return Band(
        number,
        reach,
        key_bits,
        code_bytes,
        _code_tables(wanted, code_bytes),
        masks[possible],
        radii[possible].astype(np.uint64),
    )


def band_masks(order: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return (bands, words) uint64 with the bits of each band set, to count flips band by band."""
    bits = len(order)
    selected = np.zeros((bits // BAND_BITS, bits), np.uint8)
    selected[np.repeat(np.arange(bits // BAND_BITS), BAND_BITS), order] = 1
    return to_words(np.packbits(selected, axis=1, bitorder="little"))


def masks_within(flips: int, key_bits: int) -> NDArray[np.int64]:
    """Return the differences of keys of so many bits within so many flips, by bit count."""
    chosen = (places for count in range(flips + 1) for places in combinations(range(key_bits), count))
    return np.array([sum(1 << place for place in places) for places in chosen], np.int64)


def _code_tables(wanted: NDArray[np.int64], code_bytes: NDArray[np.int64]) -> NDArray[np.uint64]:
    tables = np.zeros((len(code_bytes), 256), np.uint64)
    values = np.arange(256)
    for place, bit in enumerate(wanted.tolist()):
        table = tables[np.searchsorted(code_bytes, bit // 8)]
        table |= (values >> bit % 8 & 1).astype(np.uint64) << np.uint64(place)
    return tables
