"""Incremental runs against full ones, over random histories: real join, grouping and storage."""

from __future__ import annotations

import hashlib
import itertools
import math
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike import jobs as life
from lookalike import relations
from lookalike.features.record import FEATURES
from lookalike.version import ENGINE_VERSION, EXTRACTOR_VERSION
from storage import contents, contexts, decisions, groups, images, jobs, lineages, matches, shards
from storage.blobs import Blobs
from storage.db import Database
from storage.groups import Packed, ShownGroup
from storage.matches import NewMatch
from storage.models import Job, Shard
from storage.settings import Settings
from worker import feature_files, regrouping, runs, snapshots
from worker.lease import Lease
from worker.packing import unpacked
from worker.stages import joining, verifying
from worker.tools import Tools, make_tools

FAMILIES, VARIANTS = 3, 5
NAMES = [f"{letter}.jpg" for letter in "abcdefghij"]
THRESHOLD = 90.0

Bytes = st.tuples(st.integers(0, FAMILIES - 1), st.integers(0, VARIANTS - 1))
Steps = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("put"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("remove"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("not_duplicates"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("keep_both"), st.sampled_from(NAMES), Bytes),
    st.tuples(st.just("take_back"), st.sampled_from(NAMES), Bytes),
)
# Images to begin with, and what happens before each run after the first.
Histories = st.tuples(
    st.lists(Bytes, min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(st.lists(Steps, min_size=1, max_size=6), min_size=2, max_size=5),
)
Shown = dict[str, tuple[object, ...]]


@dataclass
class World:
    """A context whose contents are drawn as features; what verification says of two is a function of both."""

    tools: Tools
    context_id: uuid.UUID
    salt: str
    live: dict[str, tuple[int, int]] = field(default_factory=dict)
    known: dict[tuple[int, int], int] = field(default_factory=dict)
    # Pairs of what was drawn, in their order, and the verdict.
    decided: dict[tuple[tuple[int, int], tuple[int, int]], str] = field(default_factory=dict)

    @classmethod
    def empty(cls, tools: Tools) -> World:
        with tools.database.transaction() as session:
            return cls(tools, contexts.create(session, name="world").id, uuid.uuid4().hex)

    def sha256(self, drawn: tuple[int, int]) -> bytes:
        return hashlib.sha256(f"{self.salt} {drawn}".encode()).digest()

    def put(self, name: str, drawn: tuple[int, int]) -> None:
        sha256 = self.sha256(drawn)
        with self.tools.database.transaction() as session:
            content = contents.ensure(session, sha256, 1000 + 10 * drawn[0] + drawn[1])
            images.put_stored(session, self.context_id, name, content)
            if drawn not in self.known:
                self.known[drawn] = content.id
                record = np.array([record_of(drawn)], FEATURES)
                contents.store_block(
                    session, record, f"proxies/{content.id}", [content.id], ["JPEG"], EXTRACTOR_VERSION
                )
        self.live[name] = drawn

    def remove(self, name: str) -> None:
        with self.tools.database.transaction() as session:
            images.remove(session, self.context_id, name)
        del self.live[name]

    def decide(self, verdict: str, one: tuple[int, int], variant: int) -> None:
        """Decide about two of a family; what is never like one another need not be told apart."""
        other = (one[0], variant)
        if other == one and verdict == "not_duplicates":
            # Of the same bytes it can only be said that they stay.
            return
        pair, hashes = (min(one, other), max(one, other)), [self.sha256(one), self.sha256(other)]
        with self.tools.database.transaction() as session:
            if verdict == "take_back":
                gone = decisions.take_back_all(session, self.context_id, hashes)
                assert gone == (self.decided.pop(pair, None) is not None)
            else:
                decisions.decide(session, self.context_id, hashes, verdict)
                self.decided[pair] = verdict

    def do(self, step: str, name: str, drawn: tuple[int, int]) -> None:
        if step == "put":
            self.put(name, drawn)
        elif step in ("not_duplicates", "keep_both", "take_back"):
            if name in self.live:
                self.decide(step, self.live[name], drawn[1])
        elif name in self.live:
            moved = self.live[name]
            self.remove(name)
            if step == "rename":
                self.put(f"moved-{name}", moved)

    def run(self, mode: str = "incremental") -> Job:
        """Do what the stages of a job do, one after another."""
        database = self.tools.database
        with database.transaction() as session:
            parameters = {"similarity_threshold": THRESHOLD, "mode": mode}
            stages = life.stages_of(life.FIND_DUPLICATES, imports=False)
            job = jobs.add(
                session,
                context_id=self.context_id,
                kind=life.FIND_DUPLICATES,
                stages=stages,
                parameters=parameters,
            )
            shards.add(session, job.id, stages.index(life.JOIN), joining.plan(session, job))
            joins = session.query(Shard).where(Shard.job_id == job.id).order_by(Shard.number).all()
        for shard in joins:
            found = joining.run(shard, self.context_id, self.tools, Lease(database, shard))
            with database.transaction() as session:
                session.merge(shard).output_data = found.data
        with database.transaction() as session:
            pairs = [unpacked(plan.input_data, columns=2) for plan in verifying.plan(session, job)]
            matches.store(
                session, [self.verified(*pair) for part in pairs for pair in part.tolist()], ENGINE_VERSION
            )
        # However many are touched: else so few would all be grouped anew.
        new = runs.prepare(job, round(THRESHOLD * 10), database, lambda: None, most_touched=math.inf)
        with database.transaction() as session:
            lineages.publish(session, new)
            jobs.succeed(session, job.id, expiry_days=30)
            shards.forget_output_data(session, job.id)
        return job

    def verified(self, low: int, high: int) -> NewMatch:
        drawn_as = {content_id: drawn for drawn, content_id in self.known.items()}
        one, other = sorted((drawn_as[low], drawn_as[high]))
        # Any fixed similarity will do, as long as it makes chains that break and close.
        tenths = (860, 880, 900, 920, 950, 990)[(7 * one[1] + 3 * other[1] + one[0]) % 6]
        return NewMatch(low, high, tenths, relations.RESIZED if tenths % 20 else relations.TONED)

    def matches(self) -> set[tuple[int, int, int]]:
        with self.tools.database.reading() as session:
            ids = np.unique([self.known[drawn] for drawn in self.live.values()]).astype(np.int64)
            found = matches.among(session, ids, 0, ENGINE_VERSION)
        return set(
            zip(found.low_content.tolist(), found.high_content.tolist(), found.tenths.tolist(), strict=True)
        )

    def expected_matches(self) -> set[tuple[int, int, int]]:
        pairs = itertools.combinations(sorted(set(self.live.values())), 2)
        same = [sorted((self.known[a], self.known[b])) for a, b in pairs if a[0] == b[0]]
        return {self.verified(*pair)[:3] for pair in same}

    def respects_decisions(self, groups_now: Iterable[tuple[object, ...]]) -> None:
        """Check that no pair decided on is original and member, nor related if it is no match at all."""
        verdicts = {
            frozenset((self.known[one], self.known[other])): verdict
            for (one, other), verdict in self.decided.items()
            if one in self.known and other in self.known
        }
        named = {name: self.known[drawn] for name, drawn in self.live.items()}
        for members, related, *_ in groups_now:
            first, *others = [image[-1] for image in members]  # type: ignore[attr-defined]
            assert not any(frozenset((first, other)) in verdicts for other in others)
            for image_id, _, _, related_to in related:  # type: ignore[attr-defined]
                pair = frozenset((named[image_id], named[related_to]))
                assert verdicts.get(pair) != "not_duplicates"

    def stored(self, job_id: uuid.UUID, sort: str = "number", limit: int = 3) -> Shown:
        found: list[ShownGroup] = []
        cursor = None
        with self.tools.database.reading() as session:
            while True:
                page = groups.page(session, job_id, round(THRESHOLD * 10), limit, cursor, sort)
                found += page.items
                if (cursor := page.next_cursor) is None:
                    break
        assert len({group.id for group in found}) == len(found)
        return {group.id: plain(group) for group in found}

    def full(self, job: Job) -> set[tuple[object, ...]]:
        """The groups of all images from all matches, whatever was there before."""
        database = self.tools.database
        made = regrouping.groups_at(job, round(THRESHOLD * 10), database, lambda: None)
        packed = [
            Packed(
                "",
                int(made.reasons[g]),
                int(made.image_counts[g]),
                int(made.reclaimable_bytes[g]),
                int(made.least_tenths[g]),
                made.listed[made.starts[g] : made.starts[g + 1]],
            )
            for g in range(len(made))
        ]
        with database.reading() as session:
            return {plain(group) for group in groups.shown(session, packed)}

    def differences(self, job_id: uuid.UUID) -> list[lineages.Difference]:
        found: list[lineages.Difference] = []
        cursor = None
        with self.tools.database.reading() as session:
            while True:
                page = lineages.differences(session, job_id, 2, cursor)
                found += page.items
                if (cursor := page.next_cursor) is None:
                    return found


def record_of(drawn: tuple[int, int]) -> np.void:
    family, variant = drawn
    record = np.zeros((), FEATURES)
    whole = np.random.default_rng(family).integers(0, 256, 32, np.uint8)
    # In the high frequencies, where edits show first.
    whole[31 - variant] ^= 0xFF
    record["whole"][0] = whole
    # What it is compared with beside the whole frame is as far from everything as can be.
    far = np.random.default_rng(1000 + 10 * family + variant)
    record["whole"][1:] = far.integers(0, 256, record["whole"][1:].shape, np.uint8)
    record["regions"] = far.integers(0, 256, record["regions"].shape, np.uint8)
    record["width"], record["height"] = 100 + variant % 3, 80
    record["true_width"], record["true_height"] = 100 + variant % 3, 80
    return record[()]


def plain(group: ShownGroup) -> tuple[object, ...]:
    return (
        tuple((i.image_id, i.similarity, i.relation, i.content_id) for i in group.images),
        frozenset(
            (image.image_id, image.similarity, image.relation, image.related_to) for image in group.related
        ),
        tuple(group.original_reasons),
        group.image_count,
        group.reclaimable_bytes,
        group.least_similarity,
    )


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    with pytest.MonkeyPatch.context() as patch:
        # The files of features that are kept from run to run have several pieces, and are begun anew often.
        patch.setattr(feature_files, "PIECE", 4)
        patch.setattr(snapshots, "_MOST_UNWANTED", 0)
        patch.setattr(snapshots, "KEPT_SECONDS", 0.0)
        yield from made_tools(tmp_path_factory)


def made_tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    folder: Path = tmp_path_factory.mktemp("runs")
    database = Database(f"sqlite:///{folder}/lookalike.db")
    database.migrate()
    yield make_tools(Settings.load(data_dir=folder), database=database, blobs=Blobs(str(folder / "blobs")))
    database.dispose()


@given(Histories)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_incremental_runs_find_what_full_ones_find(
    tools: Tools, history: tuple[list[tuple[int, int]], list[list[tuple[str, str, tuple[int, int]]]]]
) -> None:
    world = World.empty(tools)
    earlier: dict[uuid.UUID, Shown] = {}
    before: Shown = {}
    drawn, later = history
    for steps in [[("put", *each) for each in zip(NAMES, drawn, strict=True)], *later]:
        for step in steps:
            world.do(*step)
        job = world.run()
        assert world.matches() == world.expected_matches()
        now = world.stored(job.id)
        assert set(now.values()) == world.full(job)
        world.respects_decisions(now.values())
        follows(before, now, world.differences(job.id))
        before = earlier[job.id] = now
    for number, (job_id, groups_then) in enumerate(earlier.items()):
        # Whatever came later, a run stays what it was, in any order.
        sort = list(groups.SORTS)[number % len(groups.SORTS)]
        assert world.stored(job_id, sort) == groups_then


def follows(before: Shown, now: Shown, differences: list[lineages.Difference]) -> None:
    """Check what is told of each group against what the two runs show."""
    told = {difference.group_id: set(difference.changes) for difference in differences}
    assert len(told) == len(differences)
    group_before = {content: key for key, group in before.items() for content in contents_of(group)}
    group_now = {content: key for key, group in now.items() for content in contents_of(group)}
    for key in before.keys() | now.keys():
        was, is_now = contents_of(before.get(key)), contents_of(now.get(key))
        sources = {group_before[content] for content in is_now if content in group_before}
        parts = {
            group_now[content]
            for source in sources
            for content in contents_of(before[source])
            if content in group_now
        }
        expected = {
            "new": not sources,
            "merged": len(sources) > 1,
            "split": len(parts) > 1,
            "grown": key in before and bool(is_now - was),
            "shrunk": key in before and bool(was - is_now),
            "original_changed": key in before and [*was][:1] != [*is_now][:1],
        }
        names = {name for name, holds in expected.items() if holds} if key in now else {"gone"}
        assert told.get(key, set()) == names
        # An id goes on with images.
        assert not (key in before and key in now) or was & is_now


def contents_of(group: tuple[object, ...] | None) -> Counter[int]:
    """The contents of the images of a group, the original's first."""
    return Counter(image[-1] for image in group[0]) if group else Counter()  # type: ignore[attr-defined]
