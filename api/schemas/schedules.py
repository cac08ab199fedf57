"""Schedules: rules that make jobs at times, and what became of each time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.values import Reason, Threshold, Timestamp
from lookalike.timetable import MOST_SECONDS
from storage.models import Schedule, ScheduleRun
from storage.schedules import Run

_NIGHTLY: dict[str, Any] = {
    "name": "every night",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "job": {"kind": "find_duplicates", "similarity_threshold": 90, "mode": "incremental"},
}

Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]
Name = Annotated[str, Field(min_length=1, max_length=200, examples=["every night"])]
Cron = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        examples=["0 3 * * *"],
        description="Minute, hour, day of month, month, day of week, in the schedule's time zone.",
    ),
]
Interval = Annotated[
    int, Field(ge=1, le=MOST_SECONDS, examples=[3600], description="Counted from when the schedule was made.")
]
Zone = Annotated[str, Field(min_length=1, max_length=100, examples=["Europe/Berlin"])]


class WindowView(BaseModel):
    """The part of each day in which runs may begin, in the schedule's time zone; it may go past midnight."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    opens: Clock = Field(alias="from")
    closes: Clock = Field(alias="until")


class ScheduledJob(BaseModel):
    """What a schedule does: a job as for `…/jobs`, an import, or find_duplicates with a source for both."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    kind: Literal["import", "extract_features", "find_duplicates", "apply_rule"]
    similarity_threshold: Threshold | None = Field(
        None, description="The context's own unless given. find_duplicates and apply_rule only."
    )
    mode: Literal["full", "incremental"] | None = Field(None, description="find_duplicates only.")
    source: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="Where to import from, first; as for `…/imports`. import and find_duplicates only.",
    )
    copies: bool | None = Field(None, alias="copy", description="As for `…/imports`.")
    complete: bool | None = Field(
        None,
        description="Whether images whose files are gone leave the context; they do unless told otherwise.",
    )
    rule: Literal["keep_original"] | None = Field(
        None, description="apply_rule only: keep the original of each group, the rest would be removed."
    )
    relations: list[str] | None = Field(
        None,
        max_length=20,
        description="apply_rule only: remove no copies but these, such as `identical_file`.",
    )
    dry_run: Literal[True] | None = Field(
        None, description="apply_rule only: it always reports what it would remove, and removes nothing."
    )

    def given(self) -> dict[str, Any]:
        """Return what was given."""
        return self.model_dump(exclude_none=True, by_alias=True)


class NewSchedule(BaseModel):
    """A schedule to be: either cron, with its time zone, or interval_seconds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NIGHTLY]})

    name: Name
    cron: Cron | None = None
    interval_seconds: Interval | None = None
    timezone: Zone = "UTC"
    window: WindowView | None = Field(None, description="Runs begin at any time of day if there is none.")
    job: ScheduledJob
    paused: bool = False

    def values(self) -> dict[str, Any]:
        """Return what storage takes."""
        window = None if self.window is None else (self.window.opens, self.window.closes)
        same = self.model_dump(include={"name", "cron", "interval_seconds", "timezone", "paused"})
        return {**same, "window": window}


class ScheduleChange(BaseModel):
    """What is to be changed; what is left out stays. A cron expression takes the place of an interval."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": True}]})

    # None only stands for "left out", but for the window: a null is refused where there must be a value.
    name: Name = None  # type: ignore[assignment]
    cron: Cron = None  # type: ignore[assignment]
    interval_seconds: Interval = None  # type: ignore[assignment]
    timezone: Zone = None  # type: ignore[assignment]
    window: WindowView | None = Field(None, description="null: runs begin at any time of day.")
    job: ScheduledJob = None  # type: ignore[assignment]
    paused: bool = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _either(self) -> Self:
        if {"cron", "interval_seconds"} <= self.model_fields_set:
            raise ValueError("a schedule has either a cron expression or interval_seconds")
        return self

    def changes(self) -> dict[str, Any]:
        """Return what storage is to change."""
        values = self.model_dump(exclude_unset=True, exclude={"window", "job"})
        if "cron" in values:
            values["interval_seconds"] = None
        elif "interval_seconds" in values:
            values["cron"] = None
        if "window" in self.model_fields_set:
            values["window_from"] = self.window.opens if self.window else None
            values["window_until"] = self.window.closes if self.window else None
        if self.job is not None:
            values["job"] = self.job.given()
        return values


class ScheduleRunView(BaseModel):
    """What became of one due time: a job, and how that ended; or why there was none."""

    id: int
    due_at: Timestamp
    started_at: Timestamp
    state: Literal["running", "succeeded", "failed", "cancelled", "skipped"] = Field(
        description="running: its job has not ended. skipped: the job before had not. failed: see `reason`, "
        "or the job's error."
    )
    by_hand: bool = Field(description="Somebody asked for it.")
    missed_count: int = Field(description="Earlier due times that this run stands for too.")
    job_id: uuid.UUID | None = Field(description="Null if there was none, or it has expired.")
    reason: Reason | None = Field(description="Why there was no job.")

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return what is shown of a run."""
        row = run.row
        same = {
            name: getattr(row, name) for name in ("id", "started_at", "by_hand", "missed_count", "job_id")
        }
        return cls.model_validate(
            {**same, "due_at": _time(row.fire_at), "state": run.state, "reason": _reason(row)}
        )


class ScheduleView(BaseModel):
    """A rule that makes jobs in a context at times."""

    id: uuid.UUID
    context_id: uuid.UUID
    name: str
    cron: str | None
    interval_seconds: int | None
    timezone: str
    window: WindowView | None
    job: dict[str, Any]
    paused: bool
    next_run_at: Timestamp | None = Field(description="Null while it is paused, or if it is never due again.")
    last_run: ScheduleRunView | None
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, schedule: Schedule, last_run: Run | None) -> Self:
        """Return what is shown of a schedule."""
        same = {name: getattr(schedule, name) for name in _SAME}
        has_window = schedule.window_from is not None
        window = {"from": schedule.window_from, "until": schedule.window_until} if has_window else None
        is_waiting = schedule.fire_at is not None and not schedule.paused
        return cls.model_validate(
            {
                **same,
                "window": window,
                "next_run_at": _time(schedule.fire_at) if is_waiting and schedule.fire_at else None,
                "last_run": ScheduleRunView.of(last_run) if last_run else None,
            }
        )


_SAME: Sequence[str] = sorted(ScheduleView.model_fields.keys() - {"window", "next_run_at", "last_run"})


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _reason(row: ScheduleRun) -> dict[str, str] | None:
    if row.reason_code is None:
        return None
    return {"code": row.reason_code, "detail": row.reason_detail or ""}
