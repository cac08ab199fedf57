from __future__ import annotations

import random

import numpy as np
import pytest

from lookalike.errors import NotFound
from lookalike.version import EXTRACTOR_VERSION
from storage import contents
from storage.db import Database
from storage.models import FeatureBlock
from tests.racing import race
from tests.storage import samples
from tests.storage.samples import sha256


def test_many_who_meet_the_same_bytes_get_one_content(database: Database) -> None:
    names = [str(number) for number in range(60)]
    results: list[dict[bytes, int]] = []

    def meet(seed: int) -> None:
        for turn in range(3):
            mixed = random.Random(seed * 10 + turn).sample(names, 50)
            with database.transaction() as session:
                results.append(contents.ensure_many(session, [(sha256(name), len(name)) for name in mixed]))

    assert race(meet, range(4)) == []
    assert len(results) == 12
    together = {key: {result[key] for result in results if key in result} for key in map(sha256, names)}
    assert all(len(found) <= 1 for found in together.values())


def test_features_come_back_in_the_order_asked_for(database: Database) -> None:
    with database.transaction() as session:
        found = contents.ensure_many(session, [(sha256(str(n)), 1) for n in range(300)])
        content_ids = [found[sha256(str(n))] for n in range(300)]
        for start in range(0, 300, 100):
            samples.add_features(session, content_ids[start : start + 100], first=start)
    order = np.random.default_rng(0).permutation(300)
    asked = [content_ids[i] for i in order] + [content_ids[5], content_ids[5]]
    with database.reading() as session:
        loaded = contents.load_features(session, np.array(asked))
        assert loaded["width"].tolist() == [*order.tolist(), 5, 5]
        places = contents.proxy_places(session, [content_ids[250], content_ids[3]])
        assert places == [("proxies/200", 5000, 100), ("proxies/0", 300, 100)]
        assert len(contents.load_features(session, [])) == 0


def test_what_an_older_extractor_stored_is_still_read(database: Database) -> None:
    """Thumbnails are shown until the next job has looked at the pictures again."""
    with database.transaction() as session:
        found = contents.ensure_many(session, [(sha256(str(n)), 1) for n in range(3)])
        content_ids = [found[sha256(str(n))] for n in range(3)]
        block_id = samples.add_features(session, content_ids)
        made = samples.records(3)
        shorter = made.view(np.uint8).reshape(3, -1)[:, : made.itemsize - 32]
        session.get_one(FeatureBlock, block_id).data = shorter.tobytes()
    with database.reading() as session:
        assert (contents.load_features(session, content_ids) == made).all()
        assert contents.proxy_places(session, content_ids[1:2]) == [("proxies/0", 100, 100)]


def test_a_content_without_features_is_named_an_error(database: Database) -> None:
    with database.transaction() as session:
        content = contents.ensure(session, sha256("a"), 1)
        with pytest.raises(NotFound):
            contents.load_features(session, [content.id])


def test_what_is_known_needs_no_second_look_by_the_same_version(database: Database) -> None:
    with database.transaction() as session:
        one, other, _ = (contents.ensure(session, sha256(name), 1).id for name in "abc")
        samples.add_features(session, [one])
        contents.store_errors(session, [(other, "not_an_image", "text")], EXTRACTOR_VERSION)
    with database.reading() as session:
        asked = [sha256(name) for name in "abcd"]
        assert contents.known(session, asked, EXTRACTOR_VERSION) == {
            sha256("a"): (one, None),
            sha256("b"): (other, "not_an_image"),
        }
        assert contents.known(session, asked, EXTRACTOR_VERSION + 1) == {}


def test_features_stored_again_replace_an_error_and_older_features(database: Database) -> None:
    with database.transaction() as session:
        content_id = contents.ensure(session, sha256("a"), 1).id
        contents.store_errors(session, [(content_id, "corrupt_image", "cut")], EXTRACTOR_VERSION)
        samples.add_features(session, [content_id], first=1)
        samples.add_features(session, [content_id], first=2)
    with database.reading() as session:
        assert contents.load_features(session, [content_id])["width"].tolist() == [2]
        content = session.get_one(contents.Content, content_id)
        assert (content.error_code, content.format, content.width) == (None, "JPEG", 2)


def test_workers_that_store_the_same_contents_in_other_orders_do_not_block_each_other(
    database: Database,
) -> None:
    with database.transaction() as session:
        content_ids = list(contents.ensure_many(session, [(sha256(str(n)), 1) for n in range(40)]).values())

    def work(seed: int) -> None:
        for turn in range(5):
            mixed = random.Random(seed * 10 + turn).sample(content_ids, 40)
            with database.transaction() as session:
                samples.add_features(session, mixed, first=turn)
            with database.transaction() as session:
                mixed.reverse()
                contents.store_errors(session, [(i, "corrupt_image", "") for i in mixed], 1)

    assert race(work, range(3)) == []
