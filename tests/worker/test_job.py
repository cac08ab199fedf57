from __future__ import annotations

import os
from pathlib import Path

from lookalike import jobs as life
from storage.models import Job
from tests import pictures
from tests.worker.installations import Installation, draw, until
from tests.worker.odd_worker import BROKEN, DEADLY, SLOW, held_by
from worker import submission


def test_a_folder_becomes_groups(lasting: Installation, tmp_path: Path) -> None:
    expected = draw(tmp_path / "a", 3)
    (tmp_path / "a" / "same.jpg").write_bytes((tmp_path / "a" / "0000.jpg").read_bytes())
    job_id = lasting.find(lasting.context(), tmp_path / "a")
    job = lasting.ended(job_id)
    assert (job.state, job.error_detail) == (life.SUCCEEDED, None)
    triple = frozenset({"0000.jpg", "0000-copy.jpg", "same.jpg"})
    assert lasting.groups(job_id) == {triple, *(group for group in expected if not group & triple)}
    assert (job.counts["images"], job.counts["groups"], job.counts["duplicates"]) == (7, 3, 4)
    stages = lasting.stages(job_id).values()
    assert all(stage.state == life.DONE and stage.done == stage.total for stage in stages)


def test_each_file_that_cannot_be_decoded_is_an_error_of_the_job(
    lasting: Installation, tmp_path: Path
) -> None:
    good = pictures.jpeg(pictures.photo(1))
    (tmp_path / "good.jpg").write_bytes(good)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.jpg").write_bytes(b"these are only words")
    (tmp_path / "without_extension").write_bytes(b"\x00\x01\x02\x03")
    (tmp_path / "notes.txt").write_bytes(b"not meant to be an image")
    context_id = lasting.context()
    expected = {
        "empty.png": "empty_file",
        "words.jpg": "not_an_image",
        "without_extension": "not_an_image",
        "notes.txt": "not_an_image",
    }
    first = lasting.find(context_id, tmp_path)
    job = lasting.ended(first)
    assert lasting.errors(first) == expected
    assert (job.counts["images"], job.counts["other_files"]) == (1, 1)
    # What is known not to be decodable is not tried again, but told again.
    second = lasting.find(context_id, tmp_path)
    lasting.ended(second)
    assert lasting.errors(second) == expected
    assert "extracted" not in lasting.job(second).counts


def test_an_empty_context_has_no_groups(lasting: Installation) -> None:
    job_id = lasting.submit(lasting.context())
    assert lasting.ended(job_id).state == life.SUCCEEDED
    assert lasting.groups(job_id) == set()


def test_a_second_job_extracts_and_verifies_only_what_is_new(lasting: Installation, tmp_path: Path) -> None:
    context_id = lasting.context()
    expected = draw(tmp_path, 2)
    lasting.ended(lasting.find(context_id, tmp_path))
    expected |= draw(tmp_path, 1, first=2)
    (tmp_path / "0000.jpg").rename(tmp_path / "moved.jpg")
    second = lasting.find(context_id, tmp_path)
    job = lasting.ended(second)
    # The one that moved is known by its content.
    assert (job.counts["extracted"], job.counts["images"]) == (2, 6)
    assert job.counts["verified"] < job.counts["candidates"]
    moved = frozenset({"moved.jpg", "0000-copy.jpg"})
    assert lasting.groups(second) == {moved, *(group for group in expected if "0000.jpg" not in group)}


def test_an_incremental_job_finds_the_groups_of_a_full_one(lasting: Installation, tmp_path: Path) -> None:
    context_id = lasting.context()
    expected = draw(tmp_path, 3)
    (tmp_path / "0001-copy.jpg").rename(tmp_path.parent / "later.jpg")
    lasting.ended(lasting.find(context_id, tmp_path))
    (tmp_path.parent / "later.jpg").rename(tmp_path / "0001-copy.jpg")
    (tmp_path / "0002-copy.jpg").unlink()
    incremental = lasting.find(context_id, tmp_path, mode="incremental")
    assert lasting.ended(incremental).counts["candidates"] >= 1
    expected = {group for group in expected if "0002.jpg" not in group}
    assert lasting.groups(incremental) == expected
    full = lasting.find(context_id, tmp_path)
    lasting.ended(full)
    assert lasting.groups(full) == expected


def test_cancelling_stops_between_two_images(lasting: Installation, tmp_path: Path) -> None:
    # More shards than two processes hold, each of which waits at the gate.
    expected = draw(tmp_path / "a", 120, ending=held_by(tmp_path / "gate"))
    job_id = lasting.find(lasting.context(), tmp_path / "a")
    lasting.at_work(job_id)
    submission.cancel(lasting.database, lasting.dispatcher, job_id)
    (tmp_path / "gate").touch()
    assert lasting.ended(job_id).state == life.CANCELLED
    assert lasting.job(job_id).counts.get("extracted", 0) < 240

    submission.retry(lasting.database, lasting.dispatcher, job_id)
    assert lasting.ended(job_id).state == life.SUCCEEDED
    assert lasting.groups(job_id) == expected
    # What was done before was not done again.
    assert lasting.job(job_id).counts["extracted"] == 240


def test_a_paused_job_waits_until_it_is_resumed(lasting: Installation, tmp_path: Path) -> None:
    expected = draw(tmp_path / "a", 30, ending=held_by(tmp_path / "gate"))
    job_id = lasting.find(lasting.context(), tmp_path / "a")
    lasting.at_work(job_id)
    submission.pause(lasting.database, lasting.dispatcher, job_id)
    (tmp_path / "gate").touch()
    other = lasting.submit(lasting.context())
    assert lasting.ended(other).state == life.SUCCEEDED
    assert lasting.job(job_id).state == life.PAUSED
    submission.resume(lasting.database, lasting.dispatcher, job_id)
    assert lasting.ended(job_id).state == life.SUCCEEDED
    assert lasting.groups(job_id) == expected


def test_a_small_job_is_done_while_a_large_one_runs(lasting: Installation, tmp_path: Path) -> None:
    # One of the two processes waits at the gate; the other has the rest of both jobs.
    draw(tmp_path / "large", 400)
    held = tmp_path / "large" / "0000.jpg"
    held.write_bytes(held.read_bytes() + held_by(tmp_path / "gate"))
    expected = draw(tmp_path / "small", 5, first=1000)
    large = lasting.find(lasting.context(), tmp_path / "large")
    small = lasting.find(lasting.context(), tmp_path / "small")
    assert lasting.ended(small).state == life.SUCCEEDED
    extract = lasting.stages(large)[life.EXTRACT]
    # The small one did not have to wait for all that came before it.
    assert extract.shard_done < extract.shard_total - 1
    assert lasting.groups(small) == expected
    (tmp_path / "gate").touch()
    assert lasting.ended(large).state == life.SUCCEEDED


def test_an_image_that_kills_its_worker_is_left_out(lasting: Installation, tmp_path: Path) -> None:
    expected = draw(tmp_path, 4)
    (tmp_path / "0009.jpg").write_bytes(pictures.jpeg(pictures.photo(9_999)) + DEADLY)
    job_id = lasting.find(lasting.context(), tmp_path)
    job = lasting.ended(job_id)
    assert (job.state, job.error_detail) == (life.SUCCEEDED, None)
    assert lasting.errors(job_id) == {"0009.jpg": "crashed_worker"}
    assert lasting.groups(job_id) == expected


def test_a_bug_fails_the_job_and_the_job_can_be_retried(lasting: Installation, tmp_path: Path) -> None:
    expected = draw(tmp_path, 2)
    bad = tmp_path / "0009.jpg"
    good = pictures.jpeg(pictures.photo(9_999))
    bad.write_bytes(good + BROKEN)
    job_id = lasting.find(lasting.context(), tmp_path)
    job = lasting.ended(job_id)
    assert (job.state, job.error_code) == (life.FAILED, "stage_failed")
    assert "RuntimeError: this is a bug" in str(job.error_detail)
    # As if the bug had been mended.
    status = bad.stat()
    bad.write_bytes(good)
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    submission.retry(lasting.database, lasting.dispatcher, job_id)
    assert lasting.ended(job_id).state == life.SUCCEEDED
    assert lasting.groups(job_id) == expected


def test_progress_only_grows(lasting: Installation, tmp_path: Path) -> None:
    draw(tmp_path, 20, ending=SLOW)
    job_id = lasting.find(lasting.context(), tmp_path)
    seen: list[int] = []

    def look() -> Job | None:
        seen.append(sum(stage.done for stage in lasting.stages(job_id).values()))
        job = lasting.job(job_id)
        return job if job.state in life.FINAL_STATES else None

    assert until(look).state == life.SUCCEEDED
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
