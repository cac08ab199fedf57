"""Notices of what happened, and where they are delivered."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Double,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import NEVER_REUSED, Base, RowId
from storage.types import UtcDateTime, utc_now


class Notice(Base):
    """One event that clients may want to know of. Written with what it tells, in one transaction."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_client", "client_id", "id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # What receivers know it by, the same however often it is sent.
    key: Mapped[uuid.UUID] = mapped_column(Uuid, unique=True)
    client_id: Mapped[str | None] = mapped_column(String(64))
    # No foreign key: what is told of a context may outlast it.
    context_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    type: Mapped[str] = mapped_column(String(32))
    # The JSON that is sent and signed, to the last byte.
    payload: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class Webhook(Base):
    """A receiver of notices: an address of a client's own, with the secret that signs what it is sent."""

    __tablename__ = "webhooks"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    client_id: Mapped[str | None] = mapped_column(String(64), index=True)
    # Only what is told of this context; of all if there is none.
    context_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    # Types of notices; none means all.
    types: Mapped[list[str]] = mapped_column(JSON, default=list)
    secret: Mapped[str] = mapped_column(Text)
    # Signs too until that time, so that a receiver can change over.
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Why it is disabled: by_request, gone or failing; enabled if there is no reason.
    disabled_reason: Mapped[str | None] = mapped_column(String(16))
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # By the clock of leases: its first failure since the last success, and until when it is let alone.
    failing_since: Mapped[float | None] = mapped_column(Double)
    paused_until: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Delivery(Base):
    """A notice on its way to one webhook. The row is the outbox; whoever sends it holds a lease on it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "notice_id"),
        Index("ix_deliveries_due", "state", "due_at"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    # Attempts since it was made or last replayed; and the fence, which only goes up.
    attempt_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    claim: Mapped[int] = mapped_column(Integer, default=0)
    # Epoch seconds by the database's clock.
    due_at: Mapped[float] = mapped_column(Double)
    lease_until: Mapped[float | None] = mapped_column(Double)
    # The last attempts, oldest first: {"at", "status", "error", "milliseconds"}.
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
