"""`lookalike schedules`: what is to be done by itself, at times; for whoever runs the service."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.database import DataDir, opened

if TYPE_CHECKING:
    from storage.db import Session
    from storage.models import Schedule
    from storage.schedules import Run

schedules = typer.Typer(
    help="Jobs that are made by themselves, at times: list, add, run, pause.", no_args_is_help=True
)

MOST_LISTED = 1000

ContextId = Annotated[uuid.UUID, typer.Argument(metavar="CONTEXT", help="The context's id.")]
ScheduleId = Annotated[uuid.UUID, typer.Argument(metavar="SCHEDULE", help="The schedule's id.")]


@schedules.command("list")
def list_schedules(
    context: Annotated[uuid.UUID | None, typer.Option(help="Only those of this context.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List schedules, when each is due next, and how its last run ended."""
    from storage import schedules as stored

    with opened(data_dir) as (_, database), database.reading() as session:
        found = stored.page(session, context, MOST_LISTED).items
        last = stored.last_runs(session, [schedule.id for schedule in found])
        for schedule in found:
            typer.echo(_line(schedule, last.get(schedule.id)))


@schedules.command()
def add(
    context: ContextId,
    kind: Annotated[str, typer.Argument(help="import, extract_features, find_duplicates or apply_rule.")],
    name: Annotated[str, typer.Option(help="What you call it; the kind if not given.")] = "",
    cron: Annotated[
        str | None, typer.Option(help="Minute, hour, day of month, month, day of week: '0 3 * * *'.")
    ] = None,
    every: Annotated[int | None, typer.Option(metavar="SECONDS", help="An interval instead of cron.")] = None,
    timezone: Annotated[str, typer.Option(help="Of cron and window, such as Europe/Berlin.")] = "UTC",
    window: Annotated[
        str | None, typer.Option(metavar="FROM-UNTIL", help="Begin only then, such as 22:00-06:00.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Where to import from, under an import root.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Store the bytes of what is imported.")] = False,
    threshold: Annotated[float | None, typer.Option(help="The context's own if not given.")] = None,
    mode: Annotated[str | None, typer.Option(help="full or incremental, of find_duplicates.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Do not begin yet.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Add a schedule to a context and print its id."""
    from lookalike.errors import InvalidSchedule
    from storage import schedules as stored
    from storage.db import clock
    from worker.schedules import checked_job

    given = {"source": source, "copy": copy or None, "similarity_threshold": threshold, "mode": mode}
    job: dict[str, Any] = {
        "kind": kind,
        **{name: value for name, value in given.items() if value is not None},
    }
    opens, dash, closes = (window or "").partition("-")
    if window is not None and not dash:
        raise InvalidSchedule(f"A window is written such as 22:00-06:00, not {window!r}.")
    with opened(data_dir) as (settings, database), database.transaction() as session:
        schedule = stored.create(
            session,
            context,
            name=name or kind,
            job=checked_job(session, context, job, settings),
            moment=clock(session),
            cron=cron,
            interval_seconds=every,
            timezone=timezone,
            window=(opens, closes) if window is not None else None,
            paused=paused,
        )
        typer.echo(schedule.id)


@schedules.command()
def runs(
    schedule: ScheduleId,
    most: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List what became of a schedule's times, newest first."""
    from storage import schedules as stored

    with opened(data_dir) as (_, database), database.reading() as session:
        found = stored.get(session, None, schedule)
        for run in stored.runs(session, schedule, most).items:
            typer.echo(f"{_shown(run.row.fire_at, found)}  {_told(run)}")


@schedules.command()
def run(schedule: ScheduleId, data_dir: DataDir = None) -> None:
    """Make a schedule's job now, whether it is due or paused or not, and print the job's id."""
    from storage import schedules as stored
    from storage.db import clock
    from worker.schedules import run_now

    with opened(data_dir) as (settings, database), database.transaction() as session:
        context_id = stored.get(session, None, schedule).context_id
        # No message leaves from here: the job's shards are rows, and a worker that lives sends what was not.
        typer.echo(run_now(session, context_id, schedule, clock(session), settings))


@schedules.command()
def pause(schedule: ScheduleId, data_dir: DataDir = None) -> None:
    """Have a schedule make no jobs for now."""
    _change(schedule, data_dir, paused=True)


@schedules.command()
def resume(schedule: ScheduleId, data_dir: DataDir = None) -> None:
    """Let a paused schedule go on; what it missed is not made up for."""
    _change(schedule, data_dir, paused=False)


@schedules.command()
def remove(schedule: ScheduleId, data_dir: DataDir = None) -> None:
    """Delete a schedule with the list of its runs. A job that it has made goes on."""
    from storage import schedules as stored

    with opened(data_dir) as (_, database), database.transaction() as session:
        stored.delete(session, None, schedule)


def _change(schedule_id: uuid.UUID, data_dir: Path | None, **values: Any) -> None:
    from storage import schedules as stored
    from storage.db import clock

    with opened(data_dir) as (_, database), database.transaction() as session:
        changed = stored.update(session, None, schedule_id, clock(session), **values)
        typer.echo(_line(changed, _last(session, changed)))


def _last(session: Session, schedule: Schedule) -> Run | None:
    from storage import schedules as stored

    return stored.last_runs(session, [schedule.id]).get(schedule.id)


def _line(schedule: Schedule, last: Run | None) -> str:
    when = schedule.cron or f"every {schedule.interval_seconds} s"
    if schedule.window_from:
        when += f" from {schedule.window_from} until {schedule.window_until}"
    following = "paused"
    if not schedule.paused:
        following = f"next {_shown(schedule.fire_at, schedule)}" if schedule.fire_at else "never again"
    told = f"last {_shown(last.row.fire_at, schedule)} {_told(last)}" if last else "never run"
    return f"{schedule.id}  {schedule.name}  {schedule.job['kind']}  {when}  {following}  {told}"


def _shown(seconds: float, schedule: Schedule) -> str:
    """A time as a clock on the schedule's wall shows it."""
    there = datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(schedule.timezone))
    return there.isoformat(sep=" ", timespec="seconds")


def _told(run: Run) -> str:
    missed = f", {run.row.missed_count} missed before" if run.row.missed_count else ""
    why = f": {run.row.reason_detail}" if run.row.reason_detail else ""
    return f"{run.state}{missed}{why}"
