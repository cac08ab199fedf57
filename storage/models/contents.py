"""Contents: distinct bytes, the features that belong to them, and the matches of two of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import NEVER_REUSED, Base, RowId
from storage.types import UtcDateTime, utc_now


class FeatureBlock(Base):
    """The features of the images of one shard, packed: one row to load instead of hundreds."""

    __tablename__ = "feature_blocks"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    extractor_version: Mapped[int] = mapped_column(Integer)
    image_count: Mapped[int] = mapped_column(Integer)
    # Blob that holds the proxies of the same images one after another; offsets are in the records.
    proxies_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    # lookalike.features.record.FACTS of these images: what ranking needs of the thousands of bytes below.
    # Blocks from before there were any have none.
    facts: Mapped[bytes | None] = mapped_column(LargeBinary)
    # numpy records of lookalike.features.record.FEATURES, image_count of them. Last, because SQLite comes
    # to what follows in a row only by reading all before it.
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Content(Base):
    """Distinct bytes, known by their SHA-256; features belong to bytes, so a copy costs nothing."""

    __tablename__ = "contents"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str | None] = mapped_column(String(16))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    # 0: never extracted. A version below the engine's own is extracted again.
    extractor_version: Mapped[int] = mapped_column(Integer, default=0)
    block_id: Mapped[int | None] = mapped_column(ForeignKey("feature_blocks.id"), index=True)
    slot: Mapped[int | None] = mapped_column(Integer)
    # Set when these bytes cannot be decoded; they are not tried again by the same version.
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Match(Base):
    """The verified similarity of two contents, a pure function of their bytes and the engine's version.

    Pairs that were checked and found too far apart are kept too: they need not be checked again.
    """

    __tablename__ = "matches"
    __table_args__ = (Index("ix_matches_high", "high_content_id"),)

    low_content_id: Mapped[int] = mapped_column(
        ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True
    )
    high_content_id: Mapped[int] = mapped_column(
        ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True
    )
    engine_version: Mapped[int] = mapped_column(Integer)
    # 987 is a similarity of 98.7: rounded once, compared as an integer.
    similarity_tenths: Mapped[int] = mapped_column(SmallInteger)
    relation: Mapped[str] = mapped_column(String(20))
    # {"transform": …, "evidence": …} from low to high; left out for pairs below every floor.
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON)
