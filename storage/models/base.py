"""What all tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

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
