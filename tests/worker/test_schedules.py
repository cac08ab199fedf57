"""Schedules: due times are taken once, whoever looks and whoever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select

from lookalike import jobs as life
from lookalike import notices as kinds
from lookalike.errors import Conflict, InvalidInput, InvalidSource, NotFound
from storage import contexts, expiry, images, jobs, schedules
from storage.blobs import Blobs
from storage.db import Database
from storage.models import Job, Notice, Schedule, ScheduleRun, Shard
from storage.schedules import Run
from storage.settings import Settings
from tests.racing import race
from tests.storage import samples
from tests.storage.test_groups import grouped, two_groups
from tests.worker.installations import until
from worker import submission
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.lease import Lease
from worker.schedules import Ticking, checked_job, run_now
from worker.stages import applying
from worker.tools import make_tools

START = 1_800_000_000.0
EXTRACT = {"kind": "extract_features"}


@dataclass
class Clockwork:
    """A context with schedules, a clock that the test sets, and tickers that go by it."""

    database: Database
    settings: Settings
    context_id: uuid.UUID
    dispatcher: Dispatcher
    now: float = START
    schedule_ids: list[uuid.UUID] = field(default_factory=list)

    def add(self, job: dict[str, Any] = EXTRACT, **values: Any) -> uuid.UUID:
        rule = {"interval_seconds": 1} if "cron" not in values else {}
        with self.database.transaction() as session:
            made = schedules.create(
                session, self.context_id, name="a schedule", job=job, moment=self.now, **{**rule, **values}
            )
        self.schedule_ids.append(made.id)
        return made.id

    def ticker(self) -> Ticking:
        return Ticking(self.database, self.dispatcher, self.settings, lambda _: self.now)

    def look(self, now: float) -> None:
        self.now = now
        self.ticker().look()

    def runs(self, schedule_id: uuid.UUID) -> list[Run]:
        """Oldest first."""
        with self.database.reading() as session:
            return schedules.runs(session, schedule_id, 1000).items[::-1]

    def schedule(self, schedule_id: uuid.UUID) -> Schedule:
        with self.database.reading() as session:
            return schedules.get(session, self.context_id, schedule_id)

    def told(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.scalars(select(Notice.type).order_by(Notice.id)))

    def ended(self, job_id: uuid.UUID | None, end: Callable[..., bool] = jobs.succeed) -> None:
        assert job_id is not None
        with self.database.transaction() as session:
            end(session, job_id, expiry_days=30)


@pytest.fixture
def clockwork(database: Database, tmp_path: Path, broker_url: str) -> Clockwork:
    settings = Settings.load(data_dir=tmp_path, database_url=database.url.render_as_string(False))
    dispatcher = Dispatcher(database, make_app(broker_url, settings))
    return Clockwork(database, settings, samples.add_context(database), dispatcher)


def busy(clockwork: Clockwork, schedule_id: uuid.UUID) -> Run:
    """Let the schedule make a job that does not end by itself."""
    # A rule waits for a worker, and there is none here.
    clockwork.look(START + 1)
    (run,) = clockwork.runs(schedule_id)
    assert run.state == life.RUNNING
    return run


RULE = {"kind": "apply_rule", "rule": "keep_original"}


def test_four_tickers_at_once_make_each_due_time_s_job_once(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        clockwork.add()
    # So that each has to come back for more while others take some.
    monkeypatch.setattr("worker.schedules.TAKEN_AT_ONCE", 3)
    tickers = [clockwork.ticker() for _ in range(4)]
    for second in range(1, 4):
        clockwork.now = START + second
        assert race(lambda ticker: ticker.look(), tickers) == []
    for schedule_id in clockwork.schedule_ids:
        runs = clockwork.runs(schedule_id)
        assert [run.row.fire_at for run in runs] == [START + 1, START + 2, START + 3]
        # Nothing was to be extracted, so they are done.
        assert {run.state for run in runs} == {life.SUCCEEDED}
    with clockwork.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 30


def test_what_a_killed_ticker_had_not_committed_is_left_for_the_others(
    clockwork: Clockwork, broker_url: str
) -> None:
    for _ in range(3):
        clockwork.add()
    url = clockwork.database.url.render_as_string(False)
    command = [sys.executable, "-m", "tests.worker.ticker", url, broker_url, str(START)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)

    def run_count() -> int:
        with clockwork.database.reading() as session:
            return session.scalar(select(func.count()).select_from(ScheduleRun)) or 0

    try:
        until(lambda: run_count() >= 20)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = max(run.row.fire_at for each in clockwork.schedule_ids for run in clockwork.runs(each)) + 5
    clockwork.look(end)
    for schedule_id in clockwork.schedule_ids:
        runs = clockwork.runs(schedule_id)
        # Each second has its run, or is counted with one.
        assert [run.row.fire_at for run in runs] == [START + 1 + n for n in range(len(runs))]
        assert len(runs) + sum(run.row.missed_count for run in runs) == end - START
        assert all(run.row.job_id for run in runs)


def test_times_that_were_missed_come_to_one_run(clockwork: Clockwork) -> None:
    schedule_id = clockwork.add()
    clockwork.look(START + 10.7)
    clockwork.look(START + 10.9)
    (run,) = clockwork.runs(schedule_id)
    assert (run.row.fire_at, run.row.missed_count) == (START + 1, 9)
    assert clockwork.schedule(schedule_id).fire_at == START + 11


def test_a_time_is_skipped_and_says_so_while_the_job_before_has_not_ended(clockwork: Clockwork) -> None:
    schedule_id = clockwork.add(RULE)
    first = busy(clockwork, schedule_id)
    clockwork.look(START + 2)
    skipped = clockwork.runs(schedule_id)[1]
    assert (skipped.state, skipped.row.job_id) == ("skipped", None)
    assert skipped.row.reason_code == "still_running"
    assert str(first.row.job_id) in (skipped.row.reason_detail or "")
    clockwork.ended(first.row.job_id)
    clockwork.look(START + 3)
    assert [run.state for run in clockwork.runs(schedule_id)] == ["succeeded", "skipped", "running"]
    assert clockwork.told() == [
        kinds.SCHEDULE_STARTED,
        kinds.SCHEDULE_SKIPPED,
        kinds.JOB_SUCCEEDED,
        kinds.SCHEDULE_STARTED,
    ]


def test_a_job_that_is_tried_again_counts_as_running(clockwork: Clockwork) -> None:
    schedule_id = clockwork.add(RULE)
    run = busy(clockwork, schedule_id)
    assert run.row.job_id
    with clockwork.database.transaction() as session:
        jobs.fail(session, run.row.job_id, "stage_failed", "for some reason", expiry_days=30)
    assert clockwork.runs(schedule_id)[0].state == life.FAILED
    submission.retry(clockwork.database, clockwork.dispatcher, run.row.job_id)
    clockwork.look(START + 2)
    assert [run.state for run in clockwork.runs(schedule_id)] == ["running", "skipped"]


def test_how_a_run_ended_outlasts_its_job(clockwork: Clockwork, blobs: Blobs) -> None:
    schedule_id = clockwork.add(RULE)
    run = busy(clockwork, schedule_id)
    with clockwork.database.transaction() as session:
        jobs.succeed(session, run.row.job_id, expiry_days=-1)  # type: ignore[arg-type]
    expiry.expire(clockwork.database, blobs)
    (kept,) = clockwork.runs(schedule_id)
    assert (kept.state, kept.row.job_id) == (life.SUCCEEDED, None)


def test_only_the_last_runs_are_kept(clockwork: Clockwork) -> None:
    schedule_id, other = clockwork.add(), clockwork.add()
    for second in range(1, 6):
        clockwork.look(START + second)
    with clockwork.database.transaction() as session:
        assert schedules.expire_runs(session, kept=2) == 6
    assert [run.row.fire_at for run in clockwork.runs(schedule_id)] == [START + 4, START + 5]
    assert len(clockwork.runs(other)) == 2


def test_a_paused_schedule_is_not_due_and_makes_up_for_nothing_later(clockwork: Clockwork) -> None:
    schedule_id = clockwork.add(paused=True)
    clockwork.look(START + 5)
    assert clockwork.runs(schedule_id) == []
    with clockwork.database.transaction() as session:
        schedules.update(session, clockwork.context_id, schedule_id, START + 5, paused=False)
    clockwork.look(START + 6)
    (run,) = clockwork.runs(schedule_id)
    assert (run.row.fire_at, run.row.missed_count) == (START + 6, 0)


def test_outside_its_window_a_late_run_waits_for_the_next_and_is_counted(clockwork: Clockwork) -> None:
    # 2027-01-15 08:00 UTC.
    schedule_id = clockwork.add(cron="0 23 * * *", window=("22:00", "06:00"))
    hour = 3600
    clockwork.look(START + 24 * hour)
    assert clockwork.runs(schedule_id) == []
    assert clockwork.schedule(schedule_id).fire_at == START + 39 * hour
    clockwork.look(START + 40 * hour)
    (run,) = clockwork.runs(schedule_id)
    assert (run.row.fire_at, run.row.missed_count) == (START + 39 * hour, 1)


def test_what_cannot_be_done_is_a_failed_run_with_its_reason(clockwork: Clockwork, tmp_path: Path) -> None:
    schedule_id = clockwork.add({"kind": "import", "source": str(tmp_path)})
    clockwork.look(START + 1)
    (run,) = clockwork.runs(schedule_id)
    assert (run.state, run.row.reason_code) == (life.FAILED, "invalid_source")
    assert "LOOKALIKE_IMPORT_ROOTS" in (run.row.reason_detail or "")
    assert clockwork.told() == [kinds.SCHEDULE_FAILED]


def test_an_import_is_made_as_it_was_asked_for(clockwork: Clockwork, tmp_path: Path) -> None:
    clockwork.settings = Settings.load(data_dir=tmp_path, import_roots=[tmp_path])
    folder = tmp_path / "watched"
    folder.mkdir()
    job = {
        "kind": "find_duplicates",
        "source": str(folder),
        "mode": "incremental",
        "similarity_threshold": 95.0,
    }
    schedule_id = clockwork.add(job)
    clockwork.look(START + 1)
    (run,) = clockwork.runs(schedule_id)
    with clockwork.database.reading() as session:
        made = jobs.get(session, run.row.job_id)  # type: ignore[arg-type]
        assert jobs.stages(session, made.id)[0].name == life.IMPORT
    assert made.parameters == {
        "source": str(folder),
        "complete": True,
        "mode": "incremental",
        "similarity_threshold": 95.0,
        "schedule_id": str(schedule_id),
    }


def test_running_now_needs_no_due_time_and_leaves_the_times_as_they_are(clockwork: Clockwork) -> None:
    schedule_id = clockwork.add(RULE, paused=True)

    def run(context_id: uuid.UUID = clockwork.context_id) -> uuid.UUID:
        with clockwork.database.transaction() as session:
            return run_now(session, context_id, schedule_id, START + 0.5, clockwork.settings)

    job_id = run()
    (found,) = clockwork.runs(schedule_id)
    assert (found.row.job_id, found.row.by_hand, found.state) == (job_id, True, life.RUNNING)
    assert clockwork.schedule(schedule_id).fire_at == START + 1
    with pytest.raises(Conflict, match="has not ended"):
        run()
    with pytest.raises(NotFound):
        run(samples.add_context(clockwork.database, "another"))


@pytest.mark.parametrize(
    ("job", "error", "told"),
    [
        ({"kind": "paint"}, InvalidInput, "can do import, extract_features"),
        ({"kind": "extract_features", "mode": "full"}, InvalidInput, "has no mode"),
        ({"kind": "import"}, InvalidInput, "needs a source"),
        ({"kind": "import", "source": "/etc"}, InvalidSource, "not under an import root"),
        ({"kind": "find_duplicates", "similarity_threshold": 10.0}, InvalidInput, "floor"),
        ({"kind": "apply_rule", "rule": "keep_newest"}, InvalidInput, "no rule 'keep_newest'"),
        ({"kind": "apply_rule", "dry_run": False}, InvalidInput, "only tried out"),
        ({"kind": "apply_rule", "relations": ["bigger"]}, InvalidInput, "no relation 'bigger'"),
    ],
)
def test_a_job_that_could_not_be_made_is_refused_when_it_is_scheduled(
    sqlite_database: Database, tmp_path: Path, job: dict[str, Any], error: type[Exception], told: str
) -> None:
    settings = Settings.load(data_dir=tmp_path, import_roots=[tmp_path])
    context_id = samples.add_context(sqlite_database)
    with sqlite_database.reading() as session, pytest.raises(error, match=told):
        checked_job(session, context_id, job, settings)


def test_a_rule_reports_what_it_would_remove_and_removes_nothing(
    sqlite_database: Database, blobs: Blobs, settings: Settings
) -> None:
    # Groups of a, b (reencoded) and of c, d (cropped); a is related to d.
    find_id, rows = grouped(sqlite_database, "a", "bb", "ccc", "dddd")
    tools = make_tools(settings, database=sqlite_database, blobs=blobs)
    with sqlite_database.transaction() as session:
        samples.publish(session, find_id, 900, two_groups(rows))
        context_id = jobs.get(session, find_id).context_id

    def counts(**parameters: Any) -> tuple[dict[str, int], Job]:
        with sqlite_database.transaction() as session:
            job_id = submission.add(
                session, context_id=context_id, kind=life.APPLY_RULE, parameters=parameters
            )
            (shard,) = session.scalars(select(Shard).where(Shard.job_id == job_id))
        outcome = applying.run(shard, context_id, tools, Lease(sqlite_database, shard))
        with sqlite_database.transaction() as session:
            outcome.store(session)
            return outcome.counts, jobs.get(session, job_id)

    found, job = counts()
    assert found == {"groups": 2, "would_keep": 2, "would_remove": 2, "would_free_bytes": 6}
    assert job.parameters["groups_of_job_id"] == str(find_id)
    found, _ = counts(relations=["cropped", "identical_file"])
    assert found == {"groups": 2, "would_keep": 3, "would_remove": 1, "would_free_bytes": 4}
    with pytest.raises(Conflict, match="run find_duplicates with this threshold first"):
        counts(similarity_threshold=80)
    with sqlite_database.reading() as session:
        assert len(images.page(session, context_id, 10).items) == 4
        assert contexts.get(session, context_id).revision == 4
