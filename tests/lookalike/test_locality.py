"""Pairs of one group come together, whenever their pictures came in."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from lookalike.locality import neighbours_together


def test_pairs_of_a_group_follow_each_other_and_none_is_lost() -> None:
    pictures = np.random.default_rng(0).permutation(400) * 7
    groups = pictures.reshape(100, 4)
    pairs = np.sort([pair for group in groups for pair in combinations(group, 2)], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    ordered = pairs[neighbours_together(pairs)]
    assert {tuple(pair) for pair in ordered} == {tuple(pair) for pair in pairs}
    for six in ordered.reshape(100, 6, 2):
        assert len(np.unique(six)) == 4


def test_a_chain_of_pictures_is_followed_from_one_to_the_next() -> None:
    chain = np.random.default_rng(1).permutation(50)
    pairs = np.sort(np.stack([chain[:-1], chain[1:]], axis=1), axis=1)
    ordered = pairs[neighbours_together(pairs)]
    assert all(set(one) & set(following) for one, following in pairwise(ordered))


def test_no_pairs_have_an_order_too() -> None:
    assert len(neighbours_together(np.zeros((0, 2), np.int64))) == 0
