from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from lookalike.ids import new_id
from lookalike.succession import Change
from storage import contents, contexts, expiry, groups, images, lineages, matches, uploads
from storage.blobs import Blobs
from storage.db import Database
from storage.lineages import Ended, NewVersion
from storage.models import Base, Content, FeatureBlock, Image, Job
from storage.types import utc_now
from tests.storage import samples
from tests.storage.samples import sha256
from tests.storage.test_groups import many_groups, two_groups
from tests.storage.test_uploads import upload

LATER = timedelta(days=2)


def count(database: Database, model: type[Base]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_expired_jobs_go_with_their_groups_and_others_stay(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    samples.add_images(database, context_id, "a", "b")
    with database.transaction() as session:
        rows = [images.get(session, context_id, name).id for name in "ab"]
        old = samples.add_job(session, context_id, expires_at=utc_now() - timedelta(seconds=1))
        new = samples.add_job(session, context_id, expires_at=utc_now() + timedelta(days=1))
        samples.add_job(session, context_id, state="running")
        samples.publish(session, old, 800, many_groups(rows, 2))
        samples.publish(session, new, 700, two_groups([*rows, *rows]))
    assert expiry.expire(database, blobs).jobs == 1
    with database.reading() as session:
        assert session.get(Job, old) is None
        assert len(groups.page(session, new, 700, 10).items) == 2
    assert count(database, groups.Grouping) == 1
    assert count(database, Job) == 2


def test_of_each_lineage_the_last_runs_are_kept_with_what_they_show(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    samples.add_images(database, context_id, *"abcd")
    with database.transaction() as session:
        rows = [images.get(session, context_id, name).id for name in "abcd"]
        job_ids = [samples.add_job(session, context_id) for _ in range(5)]
        # The second group stays through all runs, the first is another one in each.
        stays = [NewVersion(new_id(), int(Change.NEW), 0, None) for _ in range(2)]
        last = samples.publish(session, job_ids[0], 900, two_groups(rows), versions=stays)
        for job_id in job_ids[1:]:
            ended = [Ended(last.run, 0, [])]
            last = samples.publish(session, job_id, 900, two_groups(rows)[np.array([0])], ended)
        other = samples.add_job(session, context_id)
        samples.publish(session, other, 800, two_groups(rows))
    assert expiry.expire(database, blobs, kept_runs=2).runs == 3
    with database.reading() as session:
        for job_id in job_ids[:3]:
            assert groups.summary(session, job_id, 900) is None
        for job_id in job_ids[3:]:
            assert len(groups.page(session, job_id, 900, 10).items) == 2
            kinds = [each.changes for each in lineages.differences(session, job_id, 10).items]
            assert kinds == [["new"], ["gone"]]
        assert len(groups.page(session, other, 800, 10).items) == 2
    # Two that were there before, three by runs that are left, and the two of the other lineage.
    assert count(database, groups.Group) == 1 + 3 + 2
    assert expiry.expire(database, blobs, kept_runs=2).runs == 0


def test_ended_images_stay_as_long_as_a_job_shows_them(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    samples.add_images(database, context_id, "a", "b")
    with database.transaction() as session:
        job_id = samples.add_job(session, context_id, revision=2, finished_at=utc_now())
        images.remove(session, context_id, "a")
    assert expiry.expire(database, blobs).images == 0
    with database.transaction() as session:
        session.get_one(Job, job_id).revision = 3
    assert expiry.expire(database, blobs).images == 1
    assert count(database, Image) == 1


def test_ended_images_stay_while_a_job_that_may_hold_them_runs(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    samples.add_images(database, context_id, "a")
    with database.transaction() as session:
        job_id = samples.add_job(session, context_id, state="running")
        images.remove(session, context_id, "a")
    assert expiry.expire(database, blobs).images == 0
    with database.transaction() as session:
        session.get_one(Job, job_id).finished_at = utc_now()
    assert expiry.expire(database, blobs).images == 1


def test_what_belonged_to_a_deleted_context_goes_after_an_hour(database: Database, blobs: Blobs) -> None:
    context_id, other_id = samples.add_context(database), samples.add_context(database)
    for name in "ab":
        upload(database, blobs, context_id, name, name.encode())
    upload(database, blobs, other_id, "b", b"b")
    with database.transaction() as session:
        ids = contents.ensure_many(session, [(sha256(name), 1) for name in "ab"])
        for name in "ab":
            key = f"proxies/{name}"
            blobs.put_proxies(key, b"pack")
            contents.store_block(session, samples.records(1), key, [ids[sha256(name)]], ["PNG"], 1)
        low, high = sorted(ids.values())
        matches.store(session, [matches.NewMatch(low, high, 900, "edited")], 1)
        contexts.delete(session, context_id)
    assert expiry.expire(database, blobs).contents == 0
    done = expiry.expire(database, blobs, utc_now() + LATER)
    assert (done.contents, done.blocks) == (1, 1)
    assert not blobs.has_content(sha256("a"))
    assert blobs.has_content(sha256("b"))
    assert blobs.read("proxies/b") == b"pack"
    assert count(database, matches.Match) == 0
    assert (count(database, Content), count(database, FeatureBlock)) == (1, 1)


def test_an_upload_that_comes_while_its_content_is_collected_is_whole(
    database: Database, blobs: Blobs
) -> None:
    context_id = samples.add_context(database)
    failures: list[Exception] = []
    is_over = threading.Event()

    def collect() -> None:
        try:
            while not is_over.is_set():
                expiry.expire(database, blobs, utc_now() + LATER)
        except Exception as error:
            failures.append(error)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for turn in range(25):
            upload(database, blobs, context_id, "a", b"x")
            assert blobs.read_content(sha256("x")) == b"x", turn
            uploads.remove(database, blobs, context_id, "a")
    finally:
        is_over.set()
        collector.join()
    assert failures == []


def test_a_worker_keeps_a_content_that_it_has_just_met(database: Database, blobs: Blobs) -> None:
    context_id = samples.add_context(database)
    with database.transaction() as session:
        content_id = contents.ensure(session, sha256("x"), 1).id
    expiry.expire(database, blobs)
    with database.transaction() as session:
        content = session.get_one(Content, content_id)
        images.put_stored(session, context_id, "a", content)
        samples.add_features(session, [content_id])
    expiry.expire(database, blobs, utc_now() + LATER)
    with database.reading() as session:
        assert len(contents.load_features(session, np.array([content_id]))) == 1


def test_blobs_that_no_row_names_are_swept_after_a_day(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    context_id = samples.add_context(database)
    upload(database, blobs, context_id, "a", b"kept")
    blobs.put_content(b"lost")
    blobs.put_proxies("proxies/aa/lost", b"pack")
    blobs.put_proxies("proxies/0", b"pack")
    with database.transaction() as session:
        samples.add_features(session, [contents.ensure(session, sha256("kept"), 4).id])
    half = tmp_path / "blobs/content/aa/.half.1234"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"ha")
    assert expiry.sweep(database, blobs) == 0
    two_days_ago = time.time() - 2 * 86400
    for path in (tmp_path / "blobs").rglob("*"):
        os.utime(path, (two_days_ago, two_days_ago))
    assert expiry.sweep(database, blobs) == 3
    left = sorted(path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    assert left == sorted(["0", sha256("kept").hex()])
    assert count(database, Content) == 1
