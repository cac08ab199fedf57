"""Hubs: what is spared never changes a group, whoever else takes its images."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import select

from lookalike import grouping
from lookalike import hubs as gathering
from lookalike import jobs as life
from lookalike.candidates import candidates, plan
from lookalike.columns import Columns
from lookalike.features.record import FEATURES
from storage import contents, contexts, groups, images, job_errors, jobs, shards
from storage.blobs import Blobs
from storage.db import Database
from storage.models import Job, Shard
from storage.settings import Settings
from tests.pictures import jpeg, photo
from tests.worker.inline import Inline
from worker import hubs, submission
from worker.dispatch import Dispatcher
from worker.recovery import recover
from worker.tools import Tools, make_tools

Integers = NDArray[np.int64]
THRESHOLD = 900


def near_records(random: np.random.Generator, count: int) -> np.ndarray:
    """Records most of which are candidates of each other."""
    records = np.zeros(count, FEATURES)
    base = random.integers(0, 256, 32, np.uint8)
    records["whole"] = random.integers(0, 256, records["whole"].shape, np.uint8)
    records["regions"] = random.integers(0, 256, records["regions"].shape, np.uint8)
    records["whole"][:, 0] = base ^ np.packbits(random.random((count, 256)) < 0.12, axis=1)
    return records


def candidate_pairs(records: np.ndarray) -> Integers:
    found = [np.empty((0, 2), np.int64), *(candidates(records, spec) for spec in plan(len(records)))]
    return np.unique(np.concatenate(found), axis=0)


def described(groups: grouping.Groups, low: Integers, high: Integers) -> list[object]:
    """Groups without the numbers of their matches."""
    whose = [(low[m], high[m]) if m >= 0 else None for m in groups.matches.tolist()]
    of_related = [(low[m], high[m]) for m in groups.related_matches.tolist()]
    arrays = (groups.starts, groups.images, groups.tenths, groups.related_starts, groups.related_images)
    return [*(array.tolist() for array in arrays), groups.related_tenths.tolist(), whose, of_related]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 18), st.sampled_from([0.0, 0.2]), st.integers(0, 4))
def test_groups_are_those_of_all_pairs_whoever_is_taken_by_others(
    seed: int, count: int, contested_share: float, outsiders: int
) -> None:
    random = np.random.default_rng(seed)
    records = near_records(random, count)
    pairs = candidate_pairs(records)
    tenths = random.choice([860, 890, 900, 950, 1000], len(pairs), p=[0.1, 0.1, 0.2, 0.3, 0.3])
    similarity = {(int(i), int(j)): int(t) for (i, j), t in zip(pairs, tenths, strict=True)}
    is_contested = random.random(count) < contested_share
    known: dict[tuple[int, int], int] = {}

    def verify(one: Integers, other: Integers) -> Integers:
        for pair in zip(one.tolist(), other.tolist(), strict=True):
            assert pair not in known
            known[pair] = similarity[pair]
        return np.array([similarity[pair] for pair in zip(one.tolist(), other.tolist(), strict=True)])

    spared = hubs.verified(Columns.of(records), is_contested, THRESHOLD, verify)
    assert spared >= len(similarity) - len(known)
    # Better images, not of the hub, that match some of the contested ones.
    outside = [
        (count + number, int(row))
        for number in range(outsiders)
        for row in np.flatnonzero(is_contested)
        if random.random() < 0.5
    ]
    rank = np.concatenate([np.arange(count) + outsiders, np.arange(outsiders)]).astype(np.int64)
    found = []
    for inside in (similarity, known):
        ends = np.array([*inside, *outside], np.int64).reshape(-1, 2)
        low, high = np.sort(ends, axis=1).T
        order = np.lexsort((high, low))
        told = np.array([*inside.values(), *(950 for _ in outside)], np.int64)
        groups = grouping.group(rank, low[order], high[order], told[order], THRESHOLD)
        found.append(described(groups, low[order], high[order]))
    assert found[0] == found[1]


def test_a_hub_of_nearly_equal_images_takes_one_comparison_for_each() -> None:
    count = 700
    records = near_records(np.random.default_rng(0), count)
    base = records["whole"][0, 0].copy()
    records["whole"][:, 0] = base
    records["whole"][:, 0, 31] ^= np.arange(count).astype(np.uint8)
    compared = 0

    def verify(one: Integers, other: Integers) -> Integers:
        nonlocal compared
        compared += len(one)
        return np.full(len(one), 980)

    spared = hubs.verified(Columns.of(records), np.zeros(count, bool), THRESHOLD, verify)
    assert compared == count - 1
    assert spared == (count - 1) * (count - 2) // 2


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_a_hub_of_no_pairs(count: int) -> None:
    records = near_records(np.random.default_rng(0), count)
    assert hubs.verified(Columns.of(records), np.zeros(count, bool), THRESHOLD, lambda i, j: i) == 0


HUB = [f"hub-{number:02}.jpg" for number in range(14)]
TWO = ["two-a.jpg", "two-b.jpg"]


def shown(database: Database, job: Job) -> set[tuple[object, ...]]:
    """Groups and related images of a job, by image id."""
    with database.reading() as session:
        page = groups.page(session, job.id, 900, 100)
    return {
        (
            tuple((image.image_id, image.similarity) for image in group.images),
            frozenset((image.image_id, image.similarity) for image in group.related),
        )
        for group in page.items
    }


def find(tools: Tools, context_id: uuid.UUID, mode: str = "full") -> Job:
    job = Inline(tools).run(context_id, life.FIND_DUPLICATES, similarity_threshold=90.0, mode=mode)
    assert job.state == life.SUCCEEDED
    return job


class Killed(BaseException):
    """In the place of a signal: nothing of a worker catches it."""


class DeadlyBlobs(Blobs):
    """A store of which one proxy kills who reads it."""

    deadly: tuple[str, int] | None = None

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        if (key, offset) == self.deadly:
            raise Killed
        return super().read_range(key, offset, length)


def find_in_spite_of_kills(tools: Tools, context_id: uuid.UUID) -> Job:
    """Do a job whose workers may be killed, and recover what they leave behind."""
    inline = Inline(tools)
    job_id = submission.submit(
        tools.database,
        cast(Dispatcher, inline),
        context_id=context_id,
        kind=life.FIND_DUPLICATES,
        parameters={"similarity_threshold": 90.0},
    )
    for _ in range(40):
        try:
            inline.work()
        except Killed:
            with tools.database.transaction() as session:
                shards.expire(
                    session, session.scalars(select(Shard.id).where(Shard.state == "running")).one()
                )
                for shard_id in shards.expired(session):
                    recover(session, session.get_one(Shard, shard_id), 30)
            inline.dispatch(job_id)
        with tools.database.reading() as session:
            if jobs.get(session, job_id).state in life.FINAL_STATES:
                return jobs.get(session, job_id)
    raise AssertionError("the job does not end")


@pytest.mark.parametrize("rank", [0, 5])
def test_an_image_of_a_hub_that_kills_its_worker_is_left_out(
    sqlite_database: Database,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    rank: int,
) -> None:
    scene = photo(3, (240, 180))
    # The better, the less they are compressed.
    pictures = {name: jpeg(scene, 90 - 2 * number) for number, name in enumerate(HUB)}
    store = DeadlyBlobs(str(tmp_path / "blobs"))
    tools = replace(make_tools(settings, database=sqlite_database, blobs=store), join_memory_bytes=256 * 16)
    with sqlite_database.transaction() as session:
        context_id = contexts.create(session, name="deadly").id
    put(tools, context_id, pictures)
    assert Inline(tools).run(context_id, life.EXTRACT_FEATURES).state == life.SUCCEEDED
    with sqlite_database.reading() as session:
        content = images.get(session, context_id, HUB[rank]).content_id
        place = contents.proxy_places(session, [content or 0])[0]
    store.deadly = (place.key, place.offset)
    monkeypatch.setattr(gathering, "LEAST_DEGREE", 6)
    job = find_in_spite_of_kills(tools, context_id)
    assert job.state == life.SUCCEEDED
    assert job.counts["hub_images"] == len(HUB)
    with sqlite_database.reading() as session:
        errors = {each.image_id: each.code for each in job_errors.page(session, job.id).items}
    # Where it is the best, that is told only when another has been left out because of it.
    assert errors.keys() == ({HUB[rank]} if rank else {HUB[0], HUB[1]})
    assert set(errors.values()) == {"crashed_worker"}
    members, related = next(iter(shown(sqlite_database, job)))
    assert [name for name, _ in members] == [name for name in HUB if name not in errors]
    assert not related


def put(tools: Tools, context_id: uuid.UUID, pictures: dict[str, bytes]) -> None:
    for image_id, data in pictures.items():
        sha256, size = tools.blobs.put_content(data)
        with tools.database.transaction() as session:
            images.put_stored(session, context_id, image_id, contents.ensure(session, sha256, size))


def test_a_job_with_a_hub_finds_what_one_without_finds_and_tells_what_it_spared(
    sqlite_database: Database, blobs: Blobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = photo(3, (240, 180))
    pictures = {name: jpeg(scene, 60 + 2 * number) for number, name in enumerate(HUB)}
    pictures |= {name: jpeg(photo(4, (240, 180)), 80 - number) for number, name in enumerate(TWO)}
    plain = make_tools(settings, database=sqlite_database, blobs=blobs)
    small = replace(plain, join_memory_bytes=256 * 16)
    with sqlite_database.transaction() as session:
        with_hubs, without = (contexts.create(session, name=name).id for name in ("with", "without"))
    for context_id in (with_hubs, without):
        put(plain, context_id, pictures)
    with monkeypatch.context() as patch:
        patch.setattr(gathering, "LEAST_DEGREE", 6)
        first = find(small, with_hubs)
        found = shown(sqlite_database, first)
        assert first.counts["hub_images"] == len(HUB)
        assert first.counts["verified"] < 3 * len(HUB)
        assert first.counts["spared"] >= len(HUB) * (len(HUB) - 1) // 2 - 3 * len(HUB)
        # The original goes, and with it what had taken the others.
        original = next(names[0][0] for names, _ in found if len(names) > 2)
        with sqlite_database.transaction() as session:
            images.remove(session, with_hubs, original)
        later = shown(sqlite_database, find(small, with_hubs, "incremental"))
    full = find(plain, without)
    assert "spared" not in full.counts
    assert found == shown(sqlite_database, full)
    with sqlite_database.transaction() as session:
        images.remove(session, without, original)
    assert later == shown(sqlite_database, find(plain, without))
