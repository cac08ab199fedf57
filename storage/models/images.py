"""Images: what of a context is where."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import NEVER_REUSED, Base, ExactText, RowId
from storage.models.contents import Content
from storage.types import UtcDateTime, utc_now


class Image(Base):
    """One picture in a context, from one revision until another.

    A changed image is a row that ends and a new one, so a job's snapshot stays readable.
    """

    __tablename__ = "images"
    __table_args__ = (
        Index(
            "ix_images_live",
            "context_id",
            "image_id",
            unique=True,
            sqlite_where=text("removed_revision IS NULL"),
            postgresql_where=text("removed_revision IS NULL"),
        ),
        Index("ix_images_revision", "context_id", "added_revision"),
        Index(
            "ix_images_removed",
            "context_id",
            "removed_revision",
            sqlite_where=text("removed_revision IS NOT NULL"),
            postgresql_where=text("removed_revision IS NOT NULL"),
        ),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    image_id: Mapped[str] = mapped_column(ExactText)
    # stored: bytes are in the blob store. referenced: they stay at `location`, never copied.
    source: Mapped[str] = mapped_column(String(12))
    location: Mapped[str | None] = mapped_column(Text)
    content_id: Mapped[int | None] = mapped_column(ForeignKey("contents.id"), index=True)
    byte_count: Mapped[int | None] = mapped_column(BigInteger)
    modified_ns: Mapped[int | None] = mapped_column(BigInteger)
    # Why the bytes could not be fetched; why they cannot be decoded stands with the content.
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(Text)
    added_revision: Mapped[int] = mapped_column(BigInteger)
    removed_revision: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    content: Mapped[Content | None] = relationship(lazy="joined")


class OtherFile(Base):
    """A file of a watched source that is no image, by what it begins with; as long as it stays as it is."""

    __tablename__ = "other_files"
    __table_args__ = (UniqueConstraint("context_id", "location"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    location: Mapped[str] = mapped_column(Text)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int | None] = mapped_column(BigInteger)
