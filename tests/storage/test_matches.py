from __future__ import annotations

import random

import numpy as np
import pytest

from lookalike import relations
from storage import matches
from storage.db import Database
from storage.matches import NewMatch
from tests.racing import race
from tests.storage import samples


def test_a_match_is_found_in_either_order_with_its_detail(database: Database) -> None:
    one, other = samples.add_images(database, samples.add_context(database), "a", "b")
    detail = {"transform": {"rotation": 90}, "evidence": {"shared_detail": 87.5, "ö": None}}
    with database.transaction() as session:
        matches.store(session, [NewMatch(one, other, 987, "rotated", detail)], 1)
    with database.reading() as session:
        found = matches.detail(session, other, one)
        assert found is not None
        assert (found.similarity_tenths, found.relation, found.detail) == (987, "rotated", detail)
        assert matches.detail(session, one, 999) is None


def test_storing_again_replaces(database: Database) -> None:
    one, other, third = samples.add_images(database, samples.add_context(database), "a", "b", "c")
    with database.transaction() as session:
        matches.store(session, [NewMatch(one, other, 900, "edited", {"x": 1})], 1)
        matches.store(session, [NewMatch(one, third, 0, "unrelated"), NewMatch(one, other, 950, "toned")], 2)
    with database.reading() as session:
        found = matches.detail(session, one, other)
        assert found is not None
        assert (found.similarity_tenths, found.relation, found.detail) == (950, "toned", None)
        pairs = np.array([[one, other], [other, third], [one, third]])
        assert matches.known_pairs(session, pairs, 2).tolist() == [True, False, True]
        assert matches.known_pairs(session, pairs, 1).tolist() == [False] * 3
        assert matches.known_pairs(session, np.empty((0, 2), np.int64), 1).tolist() == []


def test_the_low_content_comes_first(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as session, pytest.raises(ValueError, match="lower"):
        matches.store(session, [NewMatch(2, 1, 900, "edited")], 1)


def test_matches_are_those_between_the_given_contents_down_to_a_floor(database: Database) -> None:
    context_id = samples.add_context(database)
    a, b, c, d = samples.add_images(database, context_id, "a", "b", "c", "d")
    with database.transaction() as session:
        pairs = [(a, b, 950), (a, c, 700), (b, c, 699), (a, d, 990)]
        matches.store(session, [NewMatch(low, high, tenths, "edited") for low, high, tenths in pairs], 1)
    with database.reading() as session:
        then = matches.among(session, np.array([a, b, c]), 700, 1)
        now = matches.among(session, np.array([a, c]), 700, 1)
        theirs = matches.among(session, np.array([a, d]), 0, 1)
        nobodys = matches.among(session, np.array([a, b, c]), 700, 2)
    assert list(zip(then.low_content, then.high_content, then.tenths, strict=True)) == [
        (a, b, 950),
        (a, c, 700),
    ]
    assert [relations.NAMES[number] for number in then.relation] == ["edited", "edited"]
    assert list(zip(now.low_content, now.high_content, strict=True)) == [(a, c)]
    assert theirs.high_content.tolist() == [d]
    assert len(nobodys) == 0


def test_what_matches_connect_is_followed_to_its_ends(database: Database) -> None:
    ids = samples.add_images(database, samples.add_context(database), *"abcdefg")
    a, b, c, d, e, f, g = ids
    pairs = [(a, b, 950), (b, c, 900), (c, d, 890), (a, e, 950), (e, f, 950), (f, g, 950)]
    with database.transaction() as session:
        matches.store(session, [NewMatch(*pair, "edited") for pair in pairs], 1)
    with database.reading() as session:
        # e is not among the contents: nothing is reached by way of it.
        among = np.array([a, b, c, d, f, g])
        reached, found = matches.connected(session, np.array([c]), among, 900, 1)
        both, _ = matches.connected(session, np.array([c, g, e]), among, 890, 1)
        none, empty = matches.connected(session, np.array([e]), among, 890, 1)
    assert reached.tolist() == [a, b, c]
    assert list(zip(found.low_content, found.high_content, found.tenths, strict=True)) == [
        (a, b, 950),
        (b, c, 900),
    ]
    assert both.tolist() == [a, b, c, d, f, g]
    assert (len(none), len(empty)) == (0, 0)


def test_workers_that_store_the_same_pairs_do_not_block_each_other(database: Database) -> None:
    content_ids = samples.add_images(database, samples.add_context(database), *map(str, range(12)))
    pairs = [(low, high) for low in content_ids for high in content_ids if low < high]

    def work(seed: int) -> None:
        for turn in range(5):
            mixed = random.Random(seed * 10 + turn).sample(pairs, len(pairs))
            with database.transaction() as session:
                matches.store(session, [NewMatch(*pair, 900, "edited") for pair in mixed], 1)

    assert race(work, range(3)) == []
    with database.reading() as session:
        assert matches.known_pairs(session, np.array(pairs), 1).all()
