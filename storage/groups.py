"""Duplicate groups as a job found them, read by pages. How they are stored run by run: storage.lineages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Uuid, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from lookalike import ranking, relations
from lookalike.errors import InvalidInput, NotFound
from storage import arrays
from storage.models import Content, Group, Grouping, Image, Lineage
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, encode_cursor

# Most first, except by number, which is the order in which the groups were found.
SORTS: dict[str, InstrumentedAttribute[Any]] = {
    "reclaimable_bytes": Group.reclaimable_bytes,
    "image_count": Group.image_count,
    "similarity": Group.least_similarity_tenths,
    "number": Group.group_id,
}

# An image of a group as it is stored; little-endian and packed, like features. Append fields never: blobs of
# many runs lie side by side.
LISTED = np.dtype(
    [
        ("row", "<i8"),
        ("content", "<i8"),
        # The row of the member that a related image matches, else 0.
        ("related_to", "<i8"),
        ("tenths", "<i2"),
        # A number of lookalike.relations.NAMES.
        ("relation", "u1"),
        ("is_related", "u1"),
    ]
)


@dataclass(frozen=True, eq=False)
class NewGroups:
    """Groups as they were found: group g lists listed[starts[g]:starts[g + 1]].

    In each the original is first, then members, then related images. Indexed by ascending places of groups it
    gives those alone. reasons (bits of lookalike.ranking) and
    reclaimable_bytes have one value a group.
    """

    listed: np.ndarray
    starts: np.ndarray
    reasons: np.ndarray
    reclaimable_bytes: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, chosen: np.ndarray) -> NewGroups:
        if len(chosen) == len(self):
            return self
        lengths = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
        return NewGroups(self.listed[places], starts, self.reasons[chosen], self.reclaimable_bytes[chosen])

    @cached_property
    def number(self) -> np.ndarray:
        """The group of each image listed."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def image_counts(self) -> np.ndarray:
        """The number of members of each group, its original included."""
        return np.bincount(self.number[self.listed["is_related"] == 0], minlength=len(self))

    @cached_property
    def least_tenths(self) -> np.ndarray:
        """The similarity of the member of each group that is least like its original."""
        if not len(self):
            return np.empty(0, np.int64)
        tenths = np.where(self.listed["is_related"], 1000, self.listed["tenths"])
        return np.minimum.reduceat(tenths, self.starts[:-1])


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


class Packed(NamedTuple):
    """A group with its images still packed."""

    id: str
    reasons: int
    image_count: int
    reclaimable_bytes: int
    least_tenths: int
    listed: np.ndarray


def summary(session: Session, job_id: uuid.UUID, threshold_tenths: int) -> Grouping | None:
    """Return the counts of a job's groups, None if its own threshold is another one or they have expired."""
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
    """List the groups of a job at its own threshold, with their images.

    sort: reclaimable_bytes, image_count, similarity (most first), number. Raises NotFound if there are none
    stored for the threshold, InvalidInput for another sort.
    """
    by = checked_sort(sort)
    grouping = summary(session, job_id, threshold_tenths)
    if grouping is None:
        raise NotFound(f"This job has no groups at the threshold {threshold_tenths / 10:g}.")
    same: list[str | int] = [sort, grouping.lineage_id, grouping.run]
    after = _after(cursor, same, sort)
    found = _versions(session, grouping, by, after, checked_limit(limit) + 1)
    next_cursor = None
    if len(found) > limit:
        last = found[limit - 1]
        value = 0 if sort == "number" else getattr(last, by.key)
        next_cursor = encode_cursor([*same, value, last.group_id.hex])
    return Page(shown(session, [packed_version(each) for each in found[:limit]]), next_cursor)


def get(session: Session, job_id: uuid.UUID, group_id: str) -> ShownGroup:
    """Return one group as a job found it, by the id that page gave. Raises NotFound."""
    grouping = session.scalars(select(Grouping).where(Grouping.job_id == job_id)).one_or_none()
    try:
        wanted = uuid.UUID(group_id)
    except ValueError:
        wanted = None
    if grouping is not None and wanted is not None:
        query = select(Group).where(Group.lineage_id == grouping.lineage_id, Group.group_id == wanted)
        for version in session.scalars(query):
            if is_of(version, grouping.run):
                return shown(session, [packed_version(version)])[0]
    raise NotFound(f"This job has no group {group_id!r}.")


def is_of(version: Group, run: int) -> bool:
    """Tell whether a version is the one that a run shows."""
    return version.from_run <= run and (version.until_run is None or version.until_run > run)


def checked_sort(sort: str) -> InstrumentedAttribute[Any]:
    """Return what is sorted by. Raises InvalidInput."""
    if sort not in SORTS:
        raise InvalidInput(f"Groups can be sorted by {', '.join(SORTS)}, not by {sort!r}.")
    return SORTS[sort]


def packed_version(version: Group) -> Packed:
    """Return a stored group with its images still packed."""
    return Packed(
        str(version.group_id),
        version.reasons,
        version.image_count,
        version.reclaimable_bytes,
        version.least_similarity_tenths,
        np.frombuffer(version.listed, LISTED),
    )


def shown(session: Session, found: Sequence[Packed]) -> list[ShownGroup]:
    """Return groups as they are shown, with what is known of their images."""
    rows = [each.listed[name] for each in found for name in ("row", "related_to")]
    facts = _images(session, np.unique(np.concatenate(rows))) if rows else {}
    return [_shown(each, facts) for each in found]


class _Facts(NamedTuple):
    image_id: str
    width: int | None
    height: int | None
    format: str | None
    byte_count: int | None
    source: str
    location: str | None
    content_id: int | None


def _images(session: Session, rows: np.ndarray) -> dict[int, _Facts]:
    found: dict[int, _Facts] = {}
    columns = (Image.id, Image.image_id, Content.width, Content.height, Content.format)
    others = (Image.byte_count, Image.source, Image.location, Image.content_id)
    for chunk in arrays.parts(rows):
        given = arrays.ids(session, chunk)
        query = select(*columns, *others).join(given, Image.id == given.c.id)
        query = query.outerjoin(Content, Content.id == Image.content_id)
        found.update({row[0]: _Facts(*row[1:]) for row in session.execute(query)})
    return found


def _shown(packed: Packed, facts: dict[int, _Facts]) -> ShownGroup:
    group = ShownGroup(
        packed.id,
        ranking.reason_codes(packed.reasons),
        packed.image_count,
        packed.reclaimable_bytes,
        packed.least_tenths / 10,
    )
    for row, _, related_to, tenths, relation, is_related in packed.listed.tolist():
        if row not in facts:
            continue
        of = facts[related_to].image_id if related_to in facts else None
        image = Listed(
            row_id=row,
            similarity=tenths / 10,
            relation=relations.NAMES[relation],
            related_to=of,
            **facts[row]._asdict(),
        )
        (group.related if is_related else group.images).append(image)
    return group


def _after(cursor: str | None, same: list[Any], sort: str) -> tuple[int, uuid.UUID] | None:
    if cursor is None:
        return None
    *of, value, group_id = decode_cursor(cursor, str, int, int, int, str)
    try:
        after = uuid.UUID(group_id)
    except ValueError:
        after = None
    if of != same or after is None:
        raise InvalidInput(WRONG_CURSOR)
    return value, after


def _versions(
    session: Session,
    grouping: Grouping,
    by: InstrumentedAttribute[Any],
    after: tuple[int, uuid.UUID] | None,
    limit: int,
) -> list[Group]:
    """The next versions that a run shows: those that still hold, and of an earlier run those that ended."""
    run = grouping.run
    query = select(Group).where(Group.lineage_id == grouping.lineage_id, Group.from_run <= run).limit(limit)
    query = _in_order(query, by, after)
    found = list(session.scalars(query.where(Group.until_run.is_(None))))
    if run == session.scalar(select(Lineage.run).where(Lineage.id == grouping.lineage_id)):
        return found
    found += session.scalars(query.where(Group.until_run > run))
    return sorted(found, key=_key(by), reverse=by is not Group.group_id)[:limit]


def _in_order(query: Any, by: InstrumentedAttribute[Any], after: tuple[int, uuid.UUID] | None) -> Any:
    # Both in one direction, so that one walk along the index gives the page.
    if by is Group.group_id:
        query = query.order_by(Group.group_id)
        return query if after is None else query.where(Group.group_id > after[1])
    query = query.order_by(by.desc(), Group.group_id.desc())
    if after is None:
        return query
    return query.where(
        tuple_(by, Group.group_id) < tuple_(literal(after[0], BigInteger()), literal(after[1], Uuid()))
    )


def _key(by: InstrumentedAttribute[Any]) -> Callable[[Group], tuple[Any, int]]:
    return lambda group: (0 if by is Group.group_id else getattr(group, by.key), group.group_id.int)
