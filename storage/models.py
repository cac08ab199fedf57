"""The tables. Queries live with their noun, in the module of that name."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from storage.types import UtcDateTime, utc_now

# SQLite only counts up by itself in a column declared INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer(), "sqlite")
# Image ids are compared byte by byte, so that pages have one order on every database and locale.
ExactText = Text().with_variant(Text(collation="C"), "postgresql")


# Without names of their own, constraints could not be changed by a later migration.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
# Shards and groups keep row ids in packed lists, so SQLite must never give an id a second time.
NEVER_REUSED = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMES)


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


class Client(Base):
    """Who may ask, if the server has accounts. Contexts belong to a client; a client is never deleted."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Tokens carry the generation that they were issued in: counting up ends them all at once.
    generation: Mapped[int] = mapped_column(Integer, default=1)
    # Folders on the server that this client may import from.
    import_roots: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BrowserSession(Base):
    """A client's browser that has logged in, known by the hash of its cookie."""

    __tablename__ = "browser_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SigningKey(Base):
    """The key that signs tokens: one row, the same for every server on this database."""

    __tablename__ = "signing_keys"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    key: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


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


class StoredFile(Base):
    """A file or a folder of a client's storage: a tree of paths over the blob store, beside all contexts."""

    __tablename__ = "stored_files"
    __table_args__ = (UniqueConstraint("client_id", "storage", "path"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # Empty where nobody is asked who they are: NULLs would not be unique.
    client_id: Mapped[str] = mapped_column(String(64))
    # The storage's name; empty for the one that is meant when none is named.
    storage: Mapped[str] = mapped_column(ExactText)
    # Without slashes at its ends. A folder that was made has a row, others are where files lie below them.
    path: Mapped[str] = mapped_column(ExactText)
    # None: a folder.
    content_id: Mapped[int | None] = mapped_column(ForeignKey("contents.id"), index=True)
    # The context whose image was uploaded to this path: the file goes when that image is deleted.
    context_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("contexts.id", ondelete="SET NULL"), index=True
    )
    modified_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    content: Mapped[Content | None] = relationship(lazy="joined")


class Tag(Base):
    """A picture that stands for a word in a context: images like it are found by the word."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("context_id", "name", "content_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    context_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contexts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(ExactText)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), index=True)


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
