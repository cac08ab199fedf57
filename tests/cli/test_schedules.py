"""`lookalike schedules`, on a data directory."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from lookalike.errors import InvalidSchedule, InvalidSource, Unavailable
from storage import contexts, jobs
from storage.db import Database


def run(data_dir: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["schedules", *words, "--data-dir", str(data_dir)])
    if result.exception is not None:
        raise result.exception
    return result.stdout.strip()


def new_context(data_dir: Path) -> str:
    database = Database(f"sqlite:///{data_dir / 'lookalike.db'}")
    with database.transaction() as session:
        context_id = contexts.create(session, name="watched").id
    database.dispose()
    return str(context_id)


def test_a_schedule_is_added_listed_paused_run_and_removed(data_dir: Path) -> None:
    context = new_context(data_dir)
    night = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--window", "22:00-06:00")
    schedule = run(
        data_dir, "add", context, "find_duplicates", "--name", "nightly", "--mode", "incremental", *night
    )
    assert uuid.UUID(schedule)
    line = run(data_dir, "list")
    assert line.startswith(
        f"{schedule}  nightly  find_duplicates  30 2 * * * from 22:00 until 06:00  next 20"
    )
    assert line.endswith("never run")
    assert run(data_dir, "list", "--context", str(uuid.uuid4())) == ""
    assert "  paused  " in run(data_dir, "pause", schedule)
    job_id = uuid.UUID(run(data_dir, "run", schedule))
    assert run(data_dir, "runs", schedule).endswith("  running")
    assert "  next 20" in run(data_dir, "resume", schedule)
    run(data_dir, "remove", schedule)
    assert run(data_dir, "list") == ""
    database = Database(f"sqlite:///{data_dir / 'lookalike.db'}")
    with database.reading() as session:
        assert jobs.get(session, job_id).parameters["mode"] == "incremental"
    database.dispose()


def test_what_makes_no_sense_is_refused(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    context = new_context(data_dir)
    with pytest.raises(InvalidSchedule, match="five fields"):
        run(data_dir, "add", context, "extract_features", "--cron", "daily")
    with pytest.raises(InvalidSchedule, match="22:00-06:00"):
        run(data_dir, "add", context, "extract_features", "--every", "60", "--window", "night")
    with pytest.raises(InvalidSource, match="LOOKALIKE_IMPORT_ROOTS"):
        run(data_dir, "add", context, "import", "--every", "60", "--source", "/etc")
    with pytest.raises(Unavailable, match="lookalike migrate"):
        run(tmp_path_factory.mktemp("empty"), "list")
