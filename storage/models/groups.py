"""Groups of duplicates, followed from run to run."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import NEVER_REUSED, Base, RowId
from storage.types import UtcDateTime, utc_now


class Lineage(Base):
    """The groups of a context at one threshold, followed from run to run. A run is a succeeded job's."""

    __tablename__ = "lineages"
    __table_args__ = (UniqueConstraint("context_id", "threshold_tenths"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    threshold_tenths: Mapped[int] = mapped_column(SmallInteger)
    # The number of the last run, 0 before the first; and the last number given out: one that was never
    # published is left out.
    run: Mapped[int] = mapped_column(Integer, default=0)
    given_run: Mapped[int] = mapped_column(Integer, default=0)


class Grouping(Base):
    """One run of a lineage: the duplicate groups of one job at its own threshold, counted."""

    __tablename__ = "groupings"
    __table_args__ = (UniqueConstraint("job_id"), UniqueConstraint("lineage_id", "run"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    lineage_id: Mapped[int] = mapped_column(ForeignKey("lineages.id", ondelete="CASCADE"))
    run: Mapped[int] = mapped_column(Integer)
    # The run that this one is compared with, 0 if it is the first.
    previous_run: Mapped[int] = mapped_column(Integer)
    threshold_tenths: Mapped[int] = mapped_column(SmallInteger)
    engine_version: Mapped[int] = mapped_column(Integer)
    group_count: Mapped[int] = mapped_column(Integer)
    duplicate_count: Mapped[int] = mapped_column(Integer)
    reclaimable_bytes: Mapped[int] = mapped_column(BigInteger)
    # {"new": 3, "grown": 1 …}: how many groups each change happened to.
    changes: Mapped[dict[str, int]] = mapped_column(JSON)
    # Rows and contents of the images that were grouped, packed by the worker: what the next run need not look
    # at again. Of the last run only.
    image_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The decisions that held, packed: low content, high content and verdict. Of the last run only.
    decision_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


_LIVE = text("until_run IS NULL")


_ENDED = text("until_run IS NOT NULL")


class Group(Base):
    """One duplicate group as it was from one run until another: a run stores only what has changed."""

    __tablename__ = "groups"
    __table_args__ = (
        # All pages of the last run are walks along one of these.
        Index(
            "ix_groups_reclaimable",
            "lineage_id",
            "reclaimable_bytes",
            "group_id",
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "ix_groups_size",
            "lineage_id",
            "image_count",
            "group_id",
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "ix_groups_similarity",
            "lineage_id",
            "least_similarity_tenths",
            "group_id",
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index("ix_groups_id", "lineage_id", "group_id"),
        # Of earlier runs, what has ended since is added: it is little.
        Index("ix_groups_ended", "lineage_id", "until_run", sqlite_where=_ENDED, postgresql_where=_ENDED),
    )

    lineage_id: Mapped[int] = mapped_column(ForeignKey("lineages.id", ondelete="CASCADE"), primary_key=True)
    from_run: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    until_run: Mapped[int | None] = mapped_column(Integer)
    # The same for all versions of a group.
    group_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    image_count: Mapped[int] = mapped_column(Integer)
    reclaimable_bytes: Mapped[int] = mapped_column(BigInteger)
    least_similarity_tenths: Mapped[int] = mapped_column(SmallInteger)
    # Bits of lookalike.ranking: why the original is kept.
    reasons: Mapped[int] = mapped_column(SmallInteger)
    # Bits of lookalike.succession.Change: what happened at from_run, to a group of so many images.
    changes: Mapped[int] = mapped_column(SmallInteger)
    previous_image_count: Mapped[int] = mapped_column(Integer)
    # Ids of other groups of the run before that had some of its images.
    came_from: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # Set where a group ended for good: ids of the groups that have its images now.
    went_to: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # numpy records of storage.groups.LISTED: members, the original first, then related images.
    listed: Mapped[bytes] = mapped_column(LargeBinary)
