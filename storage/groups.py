"""Duplicate groups of a job at a threshold: stored once, read by pages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    SmallInteger,
    String,
    Text,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from lookalike.errors import InvalidInput, NotFound
from storage import arrays
from storage.db import is_sqlite
from storage.inserts import insert_ignoring
from storage.models import Base, Content, Group, GroupImage, Grouping, Image
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

Columns = Mapping[str, ColumnElement[Any]]

# Most first, except by number, which is the order in which the groups were given.
SORTS: dict[str, InstrumentedAttribute[int]] = {
    "reclaimable_bytes": Group.reclaimable_bytes,
    "image_count": Group.image_count,
    "similarity": Group.least_similarity_tenths,
    "number": Group.number,
}


@dataclass(frozen=True, eq=False)
class NewGroups:
    """Groups to store. reasons and reclaimable_bytes have one value a group, all else one an image listed.

    number is the index of the group; within a group the original is first, then members, then related images.
    """

    reasons: Sequence[Sequence[str]]
    reclaimable_bytes: np.ndarray
    number: np.ndarray
    image_row: np.ndarray
    similarity_tenths: np.ndarray
    relation: Sequence[str] | np.ndarray
    is_related: np.ndarray
    # The row of the member that a related image matches, else 0.
    related_to_row: np.ndarray


@dataclass(frozen=True)
class Listed:
    """An image of a group, as shown."""

    row_id: int
    image_id: str
    similarity: float
    relation: str
    width: int | None
    height: int | None
    format: str | None
    byte_count: int | None
    source: str
    location: str | None
    content_id: int | None
    # The member that a related image matches.
    related_to: str | None = None


@dataclass(frozen=True)
class ShownGroup:
    """A duplicate group, as shown: the original is the first of its images."""

    id: str
    original_reasons: list[str]
    image_count: int
    reclaimable_bytes: int
    least_similarity: float
    images: list[Listed] = field(default_factory=list)
    related: list[Listed] = field(default_factory=list)


def store(session: Session, job_id: uuid.UUID, threshold_tenths: int, groups: NewGroups) -> int:
    """Store the groups of a job at a threshold and return the grouping's id; if there are some, they stay."""
    members = ~groups.is_related
    image_counts = np.bincount(groups.number[members], minlength=len(groups.reasons))
    values = {
        "job_id": job_id,
        "threshold_tenths": threshold_tenths,
        "group_count": len(groups.reasons),
        "duplicate_count": int((image_counts - 1).sum()),
        "reclaimable_bytes": int(groups.reclaimable_bytes.sum()),
        "created_at": utc_now(),
    }
    # Somebody else may have grouped at this threshold meanwhile; the rule gives the same groups.
    adding = insert_ignoring(session, Grouping).values(values).returning(Grouping.id)
    grouping_id: int | None = session.execute(adding).scalar_one_or_none()
    if grouping_id is None:
        return _of(session, job_id, threshold_tenths).id
    least = np.full(len(groups.reasons), 1000, np.int64)
    np.minimum.at(least, groups.number[members], groups.similarity_tenths[members])
    _add_groups(session, grouping_id, groups, image_counts, least)
    _add_images(session, grouping_id, groups)
    return grouping_id


def summary(session: Session, job_id: uuid.UUID, threshold_tenths: int) -> Grouping | None:
    """Return the counts of a job's groups at a threshold, None if it was not grouped there."""
    query = select(Grouping).where(Grouping.job_id == job_id, Grouping.threshold_tenths == threshold_tenths)
    return session.scalars(query).one_or_none()


def page(
    session: Session,
    job_id: uuid.UUID,
    threshold_tenths: int,
    limit: int,
    cursor: str | None = None,
    sort: str = "reclaimable_bytes",
) -> Page[ShownGroup]:
    """List groups with their images. sort: reclaimable_bytes, image_count, similarity (most first), number.

    Raises NotFound if the job was not grouped at this threshold, InvalidInput for another sort.
    """
    if sort not in SORTS:
        raise InvalidInput(f"Groups can be sorted by {', '.join(SORTS)}, not by {sort!r}.")
    grouping = _of(session, job_id, threshold_tenths)
    query = select(Group).where(Group.grouping_id == grouping.id).limit(checked_limit(limit) + 1)
    query = _after(query, grouping.id, sort, cursor)
    found = session.scalars(query).all()

    def key(group: Group) -> list[int | str]:
        return [sort, grouping.id, getattr(group, SORTS[sort].key), group.number]

    page = page_of(found, limit, key)
    return Page(_shown(session, grouping.id, page.items), page.next_cursor)


def get(session: Session, job_id: uuid.UUID, group_id: str) -> ShownGroup:
    """Return one group of a job by the id that page gave. Raises NotFound."""
    grouping_id, _, number = group_id.partition(".")
    if grouping_id.isdecimal() and number.isdecimal() and max(len(grouping_id), len(number)) < 10:
        query = (
            select(Group)
            .join(Grouping, Grouping.id == Group.grouping_id)
            .where(
                Grouping.job_id == job_id, Group.grouping_id == int(grouping_id), Group.number == int(number)
            )
        )
        if group := session.scalars(query).one_or_none():
            return _shown(session, group.grouping_id, [group])[0]
    raise NotFound(f"This job has no group {group_id!r}.")


def clear(session: Session, job_id: uuid.UUID) -> None:
    """Forget all groups of a job, because it is done again."""
    session.execute(delete(Grouping).where(Grouping.job_id == job_id))


def _of(session: Session, job_id: uuid.UUID, threshold_tenths: int) -> Grouping:
    grouping = summary(session, job_id, threshold_tenths)
    if grouping is None:
        raise NotFound(f"This job has no groups at the threshold {threshold_tenths / 10:g}.")
    return grouping


def _after(query: Any, grouping_id: int, sort: str, cursor: str | None) -> Any:
    # Both in one direction, so that one walk along the index gives the page.
    by = SORTS[sort]
    if cursor is None:
        start = None
    else:
        name, of, value, number = decode_cursor(cursor, str, int, int, int)
        if (name, of) != (sort, grouping_id):
            raise InvalidInput(WRONG_CURSOR)
        start = tuple_(literal(value, BigInteger()), literal(number, BigInteger()))
    if sort == "number":
        query = query.order_by(Group.number)
        return query if start is None else query.where(tuple_(Group.number, Group.number) > start)
    query = query.order_by(by.desc(), Group.number.desc())
    return query if start is None else query.where(tuple_(by, Group.number) < start)


def _shown(session: Session, grouping_id: int, groups: Sequence[Group]) -> list[ShownGroup]:
    shown = [
        ShownGroup(
            f"{grouping_id}.{group.number}",
            group.original_reasons,
            group.image_count,
            group.reclaimable_bytes,
            group.least_similarity_tenths / 10,
        )
        for group in groups
    ]
    by_number = {group.number: each for group, each in zip(groups, shown, strict=True)}
    for number, is_related, image in _listed(session, grouping_id, list(by_number)):
        (by_number[number].related if is_related else by_number[number].images).append(image)
    return shown


def _listed(session: Session, grouping_id: int, numbers: list[int]) -> list[tuple[int, bool, Listed]]:
    matched = aliased(Image)
    query = (
        select(
            GroupImage.number,
            GroupImage.is_related,
            Image.id,
            Image.image_id,
            GroupImage.similarity_tenths,
            GroupImage.relation,
            Content.width,
            Content.height,
            Content.format,
            Image.byte_count,
            Image.source,
            Image.location,
            Image.content_id,
            matched.image_id.label("related_to"),
        )
        .join(Image, Image.id == GroupImage.image_row)
        .outerjoin(Content, Content.id == Image.content_id)
        .outerjoin(matched, matched.id == GroupImage.related_to_row)
        .where(GroupImage.grouping_id == grouping_id, GroupImage.number.in_(numbers))
        .order_by(GroupImage.number, GroupImage.position)
    )
    rows = session.execute(query)
    return [
        (number, is_related, Listed(row_id, image_id, tenths / 10, *rest))
        for number, is_related, row_id, image_id, tenths, *rest in rows
    ]


def _add_groups(
    session: Session, grouping_id: int, groups: NewGroups, image_counts: np.ndarray, least: np.ndarray
) -> None:
    for part in _parts(len(groups.reasons)):
        given = arrays.rows(
            session,
            number=(Integer(), range(part.start, part.stop)),
            image_count=(Integer(), image_counts[part]),
            reclaimable_bytes=(BigInteger(), groups.reclaimable_bytes[part]),
            least=(SmallInteger(), least[part]),
            reasons=(Text(), [json.dumps(list(each)) for each in groups.reasons[part]]),
        )
        columns = {
            "number": given.c.number,
            "image_count": given.c.image_count,
            "reclaimable_bytes": given.c.reclaimable_bytes,
            "least_similarity_tenths": given.c.least,
            # SQLite keeps JSON as the text that it is.
            "original_reasons": given.c.reasons if is_sqlite(session) else cast(given.c.reasons, JSON),
        }
        _add(session, Group, grouping_id, columns)


def _add_images(session: Session, grouping_id: int, groups: NewGroups) -> None:
    positions = _positions(groups.number)
    for part in _parts(len(groups.number)):
        given = arrays.rows(
            session,
            number=(Integer(), groups.number[part]),
            position=(Integer(), positions[part]),
            image_row=(BigInteger(), groups.image_row[part]),
            similarity_tenths=(SmallInteger(), groups.similarity_tenths[part]),
            relation=(String(), groups.relation[part]),
            is_related=(Boolean(), groups.is_related[part]),
            related_to_row=(BigInteger(), groups.related_to_row[part]),
        )
        related_to_row = func.nullif(given.c.related_to_row, 0)
        columns = {column.name: column for column in given.c} | {"related_to_row": related_to_row}
        _add(session, GroupImage, grouping_id, columns)


def _add(session: Session, model: type[Base], grouping_id: int, columns: Columns) -> None:
    query = select(literal(grouping_id, BigInteger()), *columns.values())
    session.execute(insert(model).from_select(["grouping_id", *columns], query, include_defaults=False))


def _positions(number: np.ndarray) -> np.ndarray:
    """Count from 0 within each run of equal group numbers; raise ValueError if a group is not one run."""
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    if len(np.unique(number[starts])) != len(starts):
        raise ValueError("the images of a group are given together")
    lengths = np.diff(np.append(starts, len(number)))
    return np.arange(len(number)) - np.repeat(starts, lengths)


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + arrays.CHUNK, count)) for start in range(0, count, arrays.CHUNK)]
