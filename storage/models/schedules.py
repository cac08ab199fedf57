"""Schedules and their runs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import NEVER_REUSED, Base, RowId
from storage.types import UtcDateTime, utc_now


class Schedule(Base):
    """A rule that makes jobs in a context at times: by cron in a time zone, or at an interval."""

    __tablename__ = "schedules"
    __table_args__ = (Index("ix_schedules_context", "context_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    cron: Mapped[str | None] = mapped_column(String(200))
    interval_seconds: Mapped[int | None] = mapped_column(Integer)
    timezone: Mapped[str] = mapped_column(String(100), default="UTC")
    # Such as 22:00 and 06:00: runs begin only between them.
    window_from: Mapped[str | None] = mapped_column(String(5))
    window_until: Mapped[str | None] = mapped_column(String(5))
    # {"kind": …} and what else the job is asked for with.
    job: Mapped[dict[str, Any]] = mapped_column(JSON)
    paused: Mapped[bool] = mapped_column(Boolean, default=False)
    # Epoch seconds by the database's clock, like leases: what intervals count from, and the next due time.
    anchor: Mapped[float] = mapped_column(Double)
    fire_at: Mapped[float | None] = mapped_column(Double, index=True)
    # Due times since the last run that came to nothing.
    missed_count: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ScheduleRun(Base):
    """What became of one due time. The unique pair is the guard: no time of a schedule is run twice."""

    __tablename__ = "schedule_runs"
    __table_args__ = (UniqueConstraint("schedule_id", "fire_at"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    schedule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    # Epoch seconds: when it was due.
    fire_at: Mapped[float] = mapped_column(Double)
    # running, then as its job ended; or skipped, or failed without a job.
    state: Mapped[str] = mapped_column(String(12))
    # Somebody asked for it; it was not due.
    by_hand: Mapped[bool] = mapped_column(Boolean, default=False)
    # Earlier due times that this run stands for too.
    missed_count: Mapped[int] = mapped_column(Integer, default=0)
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    reason_code: Mapped[str | None] = mapped_column(String(32))
    reason_detail: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
