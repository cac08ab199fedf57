"""Jobs: what is to be done, in stages and shards."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import NEVER_REUSED, Base, ExactText, RowId
from storage.types import UtcDateTime, utc_now


class Job(Base):
    """One requested piece of work and its state."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_context", "context_id", "id"), Index("ix_jobs_state", "state"))

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(12))
    queue: Mapped[str] = mapped_column(String(16))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # The context's revision that join, verify and group read; set when the join is planned.
    revision: Mapped[int | None] = mapped_column(BigInteger)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Stage(Base):
    """One step of a job. done and total count what a person counts: images, pairs, groups."""

    __tablename__ = "stages"

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(12), default="pending")
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int | None] = mapped_column(BigInteger)
    shard_done: Mapped[int] = mapped_column(Integer, default=0)
    shard_total: Mapped[int] = mapped_column(Integer, default=0)


class Shard(Base):
    """The unit that a worker claims. The row is also the outbox: sent_at says when its message left."""

    __tablename__ = "shards"
    __table_args__ = (
        UniqueConstraint("job_id", "stage_position", "number"),
        Index("ix_shards_state", "state", "lease_until"),
        Index("ix_shards_next", "job_id", "state", "number"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    stage_position: Mapped[int] = mapped_column(SmallInteger)
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12), default="ready")
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0)
    # Attempts that ended with a lost worker or an exception; one given back by a stopping worker is none.
    loss_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    # Epoch seconds by the database's clock, the one clock that all workers share.
    lease_until: Mapped[float | None] = mapped_column(Double)
    sent_at: Mapped[float | None] = mapped_column(Double)
    send_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    item_count: Mapped[int] = mapped_column(Integer)
    input: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # What a long list of numbers is packed into (numpy bytes); its meaning belongs to the stage.
    input_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    output_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    output: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class JobError(Base):
    """What went wrong with one image in one job."""

    __tablename__ = "job_errors"
    __table_args__ = (UniqueConstraint("job_id", "image_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    image_id: Mapped[str] = mapped_column(ExactText)
    code: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text)


class IdempotencyKey(Base):
    """A request that was made once: the same key and body get the same answer for a day."""

    __tablename__ = "idempotency_keys"

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    method: Mapped[str] = mapped_column(String(8), primary_key=True)
    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Empty while the first request still runs.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
