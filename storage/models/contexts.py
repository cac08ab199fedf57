"""Contexts: the collections inside which duplicates are searched, and what was decided about them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Double, ForeignKey, LargeBinary, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.types import UtcDateTime, utc_now


class Context(Base):
    """A search context: the collection inside which duplicates are searched, with its settings."""

    __tablename__ = "contexts"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    client_id: Mapped[str | None] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(Text)
    # A context made by `lookalike find` belongs to the folders it was made for.
    folder_key: Mapped[str | None] = mapped_column(Text, unique=True)
    similarity_threshold: Mapped[float] = mapped_column(Double, default=90.0)
    match_floor: Mapped[float] = mapped_column(Double, default=70.0)
    # Counts every change of the context's images; a job reads the images as of one revision.
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    # Counts every change of the context's decisions.
    decision_revision: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Decision(Base):
    """What was decided about two images of a context, known by their bytes and not by their names."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("context_id", "low_sha256", "high_sha256"),)

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    # The lower of the two hashes, byte by byte, and the higher.
    low_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    high_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    # One of lookalike.decisions.VERDICTS.
    verdict: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Removal(Base):
    """What was removed from a context, remembered by the hash of its bytes for as long as a setting says."""

    __tablename__ = "removals"

    context_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("contexts.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    # The name that it had.
    image_id: Mapped[str] = mapped_column(Text)
    # The original of its group then, or what else of it was left.
    kept_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    removed_revision: Mapped[int] = mapped_column(BigInteger)
    removed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
