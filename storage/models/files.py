"""Files of a storage, and the names that images were given there."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import NEVER_REUSED, Base, ExactText, RowId
from storage.models.contents import Content
from storage.types import UtcDateTime, utc_now


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
