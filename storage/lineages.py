"""Groups from run to run: what the last run left, what a new one stores, and how the two differ.

A new run first stages the versions that are new, in transactions of their own: their `from_run` is a number
that no published run has reached, so nobody sees them. Publishing is one short transaction that ends the
versions that have changed and says that the run is there. If another run was published meanwhile, nothing
of ours holds, and the work is done again on what that one left.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    JSON,
    BigInteger,
    CursorResult,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from lookalike.errors import InvalidInput, NotFound
from lookalike.succession import Change
from storage import arrays, groups
from storage.db import IN_BINARY, is_sqlite
from storage.groups import LISTED, NewGroups, ShownGroup
from storage.inserts import insert_ignoring
from storage.models import Base, Group, Grouping, Lineage
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, encode_cursor
from storage.types import utc_now

_GROUPS = Base.metadata.tables["groups"]
_UNSYNCHRONIZED = {"synchronize_session": False}
# Rows with some hundred bytes each.
STAGED_AT_A_TIME = 20_000


class Overtaken(Exception):
    """Another run of the lineage was published first."""


@dataclass(frozen=True, eq=False)
class Live:
    """The versions of the last run, ordered by from_run and number; one value a version.

    Version v lists listed[starts[v]:starts[v + 1]].
    """

    from_run: np.ndarray
    number: np.ndarray
    image_count: np.ndarray
    reclaimable_bytes: np.ndarray
    reasons: np.ndarray
    listed: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    @property
    def version(self) -> np.ndarray:
        """The version of each image listed."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


class NewVersion(NamedTuple):
    """What a version has beside the group itself."""

    group_id: uuid.UUID
    changes: int
    previous_image_count: int
    came_from: Sequence[str] | None


class Ended(NamedTuple):
    """A version that a run ends; went_to where the group is gone for good, else None."""

    from_run: int
    number: int
    went_to: Sequence[str] | None


@dataclass(frozen=True)
class NewRun:
    """A run to publish, counted; its versions are staged."""

    lineage_id: int
    run: int
    previous_run: int
    job_id: uuid.UUID
    threshold_tenths: int
    engine_version: int
    group_count: int
    duplicate_count: int
    reclaimable_bytes: int
    changes: dict[str, int]
    image_data: bytes
    decision_data: bytes
    ended: Sequence[Ended]
    # Groups that are there as before but not as they were; not stored.
    changed_count: int


@dataclass(frozen=True)
class Difference:
    """What happened to one group since the run before. group is None where it is gone."""

    group_id: str
    changes: list[str]
    image_count: int
    previous_image_count: int
    came_from: list[str]
    went_to: list[str]
    group: ShownGroup | None


def of(session: Session, context_id: uuid.UUID, threshold_tenths: int) -> Lineage:
    """Return the lineage of a context at a threshold, made now if there is none."""
    row = {"context_id": context_id, "threshold_tenths": threshold_tenths, "run": 0, "given_run": 0}
    session.execute(insert_ignoring(session, Lineage), [row])
    query = select(Lineage).where(
        Lineage.context_id == context_id, Lineage.threshold_tenths == threshold_tenths
    )
    return session.scalars(query, execution_options={"populate_existing": True}).one()


def of_id(session: Session, lineage_id: int) -> Lineage:
    """Return a lineage as it is now."""
    return session.get_one(Lineage, lineage_id, populate_existing=True)


def give_run(session: Session, lineage_id: int) -> int:
    """Return a number for a new run: above all that were given before."""
    giving = update(Lineage).where(Lineage.id == lineage_id).values(given_run=Lineage.given_run + 1)
    run: int = session.execute(
        giving.returning(Lineage.given_run), execution_options=_UNSYNCHRONIZED
    ).scalar_one()
    return run


def find(session: Session, context_id: uuid.UUID, threshold_tenths: int) -> Lineage | None:
    """Return the lineage of a context at a threshold, None if no job has made one."""
    query = select(Lineage).where(
        Lineage.context_id == context_id, Lineage.threshold_tenths == threshold_tenths
    )
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def last(session: Session, lineage: Lineage) -> Grouping | None:
    """Return the last run of a lineage, None if there is none or its job has expired."""
    query = select(Grouping).where(Grouping.lineage_id == lineage.id, Grouping.run == lineage.run)
    return session.scalars(query).one_or_none()


def live(session: Session, lineage: Lineage) -> Live:
    """Return what the last run shows."""
    mine = [
        Group.lineage_id == lineage.id,
        Group.until_run.is_(None),
        Group.from_run <= lineage.run,
    ]
    columns = (Group.from_run, Group.number, Group.image_count, Group.reclaimable_bytes, Group.reasons)
    facts = arrays.columns(session, select(*columns).where(*mine))
    order = np.lexsort((facts[1], facts[0]))
    packed = select(Group.listed).where(*mine).order_by(Group.from_run, Group.number)
    blobs = session.scalars(packed, execution_options=IN_BINARY).all()
    lengths = np.fromiter(map(len, blobs), np.int64, len(blobs)) // LISTED.itemsize
    starts = np.concatenate([[0], np.cumsum(lengths)])
    listed = np.frombuffer(b"".join(blobs), LISTED)
    from_run, number, image_count, reclaimable_bytes, reasons = (column[order] for column in facts)
    return Live(from_run, number, image_count, reclaimable_bytes, reasons, listed, starts)


def group_ids(session: Session, lineage_id: int, versions: np.ndarray) -> list[uuid.UUID]:
    """Return the ids of the groups of (k, 2) versions that hold, as from_run and number, in their order."""
    found: dict[tuple[int, int], uuid.UUID] = {}
    query = select(Group.from_run, Group.number, Group.group_id).where(
        Group.lineage_id == lineage_id, Group.until_run.is_(None)
    )
    for chunk in arrays.parts(versions):
        # Of other runs with the same numbers too; a join by both, SQLite would do by trying each with each.
        is_wanted = arrays.is_one_of(session, Group.number, Integer(), chunk[:, 1])
        for from_run, number, group_id in session.execute(query.where(is_wanted)):
            found[from_run, number] = group_id
    return [found[from_run, number] for from_run, number in versions.tolist()]


def stage(
    session: Session, lineage_id: int, run: int, new: NewGroups, part: slice, versions: Sequence[NewVersion]
) -> None:
    """Store the groups of one part (of at most STAGED_AT_A_TIME) as versions of a run to come."""
    columns = _columns(new, part, versions)
    if is_sqlite(session):
        same = {"lineage_id": lineage_id, "from_run": run}
        names = list(columns)
        rows = [
            same | dict(zip(names, values, strict=True))
            for values in zip(*(column for _, column in columns.values()), strict=True)
        ]
        session.execute(insert(_GROUPS), rows)
        return
    columns["came_from"] = (Text(), [_json(each) for each in columns["came_from"][1]])
    given = arrays.rows(session, **columns)
    values = {name: cast(given.c[name], JSON) if name == "came_from" else given.c[name] for name in columns}
    query = select(cast(lineage_id, BigInteger), cast(run, Integer), *values.values())
    names = ["lineage_id", "from_run", *values]
    session.execute(insert(Group).from_select(names, query, include_defaults=False))


def publish(session: Session, new: NewRun) -> Grouping:
    """Show a run whose versions are staged. Raises Overtaken if another was published meanwhile."""
    moved = session.execute(
        update(Lineage)
        .where(Lineage.id == new.lineage_id, Lineage.run == new.previous_run)
        .values(run=new.run),
        execution_options=_UNSYNCHRONIZED,
    )
    assert isinstance(moved, CursorResult)
    if not moved.rowcount:
        raise Overtaken
    _forget_unpublished(session, new)
    _end(session, new)
    before = update(Grouping).where(Grouping.lineage_id == new.lineage_id, Grouping.image_data.is_not(None))
    session.execute(before.values(image_data=None, decision_data=None), execution_options=_UNSYNCHRONIZED)
    values = {name: value for name, value in vars(new).items() if name not in ("ended", "changed_count")}
    grouping = Grouping(**values, created_at=utc_now())
    session.add(grouping)
    session.flush()
    return grouping


def differences(
    session: Session,
    job_id: uuid.UUID,
    limit: int,
    cursor: str | None = None,
    change: str | None = None,
) -> Page[Difference]:
    """List what a job's run changed, groups that are there before those that are gone.

    change: only one of the names of Change, in small letters. Raises NotFound if there is no such run.
    """
    wanted = _wanted(change)
    grouping = run_of(session, job_id)
    after = _after(cursor, grouping)
    found: list[Group] = []
    for is_gone, query in _changed(grouping, wanted):
        if after is not None and after[0] > is_gone:
            continue
        if after is not None and after[0] == is_gone:
            query = query.where(Group.group_id > after[1])
        found += session.scalars(query.order_by(Group.group_id).limit(checked_limit(limit) + 1 - len(found)))
        if len(found) > limit:
            break
    next_cursor = None
    if len(found) > limit:
        end = found[limit - 1]
        is_gone = int(not groups.is_of(end, grouping.run))
        next_cursor = encode_cursor([grouping.lineage_id, grouping.run, is_gone, end.group_id.hex])
    return Page(_differences(session, grouping, found[:limit]), next_cursor)


def run_of(session: Session, job_id: uuid.UUID) -> Grouping:
    """Return a job's run. Raises NotFound if it has none, or none any more."""
    grouping = session.scalars(select(Grouping).where(Grouping.job_id == job_id)).one_or_none()
    if grouping is None:
        raise NotFound("This job has no differences to show: it found no groups, or they have expired.")
    return grouping


def job_before(session: Session, grouping: Grouping) -> uuid.UUID | None:
    """Return the job whose run a run is compared with, None if it is the first or that job has expired."""
    query = select(Grouping.job_id).where(
        Grouping.lineage_id == grouping.lineage_id, Grouping.run == grouping.previous_run
    )
    return session.scalars(query).one_or_none()


def change_names(changes: int) -> list[str]:
    """Return the names of the bits of Change, in small letters."""
    return [str(change.name).lower() for change in Change if changes & change]


def _wanted(change: str | None) -> int:
    if change is None:
        return sum(Change)
    try:
        return int(Change[change.upper()])
    except KeyError:
        names = ", ".join(change_names(sum(Change)))
        raise InvalidInput(f"A change is one of {names}, not {change!r}.") from None


def _changed(grouping: Grouping, wanted: int) -> Iterator[tuple[int, Any]]:
    mine = select(Group).where(Group.lineage_id == grouping.lineage_id)
    changes = Group.changes.bitwise_and(wanted) != 0
    yield 0, mine.where(Group.from_run == grouping.run, changes)
    if wanted & Change.GONE:
        yield 1, mine.where(Group.until_run == grouping.run, Group.went_to.is_not(None))


def _after(cursor: str | None, grouping: Grouping) -> tuple[int, uuid.UUID] | None:
    if cursor is None:
        return None
    lineage_id, run, is_gone, group_id = decode_cursor(cursor, int, int, int, str)
    try:
        after = uuid.UUID(group_id)
    except ValueError:
        after = None
    if (lineage_id, run) != (grouping.lineage_id, grouping.run) or after is None:
        raise InvalidInput(WRONG_CURSOR)
    return is_gone, after


def _differences(session: Session, grouping: Grouping, found: Sequence[Group]) -> list[Difference]:
    here = [version for version in found if groups.is_of(version, grouping.run)]
    shown = {group.id: group for group in groups.shown(session, [groups.packed_version(v) for v in here])}
    result = []
    for version in found:
        group = shown.get(str(version.group_id))
        if group is None:
            gone = change_names(Change.GONE)
            went_to = version.went_to or []
            made = Difference(str(version.group_id), gone, 0, version.image_count, [], went_to, None)
        else:
            counts = version.image_count, version.previous_image_count
            changes = change_names(version.changes)
            made = Difference(group.id, changes, *counts, version.came_from or [], [], group)
        result.append(made)
    return result


def _columns(new: NewGroups, part: slice, versions: Sequence[NewVersion]) -> dict[str, Any]:
    ids, changes, previous, came_from = zip(*versions, strict=True)
    edges = new.starts[part.start : part.stop + 1] * LISTED.itemsize
    first = int(edges[0])
    data = new.listed[new.starts[part.start] : new.starts[part.stop]].tobytes()
    cuts = (edges - first).tolist()
    return {
        "number": (Integer(), range(part.start, part.stop)),
        "group_id": (Uuid(), ids),
        "image_count": (Integer(), new.image_counts[part].tolist()),
        "reclaimable_bytes": (BigInteger(), new.reclaimable_bytes[part].tolist()),
        "least_similarity_tenths": (SmallInteger(), new.least_tenths[part].tolist()),
        "reasons": (SmallInteger(), new.reasons[part].tolist()),
        "changes": (SmallInteger(), changes),
        "previous_image_count": (Integer(), previous),
        "came_from": (Text(), came_from),
        "listed": (LargeBinary(), [data[a:b] for a, b in pairwise(cuts)]),
    }


def _json(ids: Sequence[str] | None) -> str | None:
    return None if ids is None else json.dumps(list(ids))


def _forget_unpublished(session: Session, new: NewRun) -> None:
    """Delete what runs have staged that were broken off, or that we have just overtaken."""
    session.execute(
        delete(Group).where(
            Group.lineage_id == new.lineage_id, Group.from_run > new.previous_run, Group.from_run < new.run
        ),
        execution_options=_UNSYNCHRONIZED,
    )


def _end(session: Session, new: NewRun) -> None:
    for chunk in arrays.chunks(new.ended):
        from_run, number, went_to = zip(*chunk, strict=True)
        gone = [_json(each) for each in went_to]
        if is_sqlite(session):
            # One by one through the key: joined with a list, SQLite would try each version with all of it.
            ending = update(_GROUPS).where(
                _GROUPS.c.lineage_id == new.lineage_id,
                _GROUPS.c.from_run == bindparam("run"),
                _GROUPS.c.number == bindparam("place"),
            )
            # SQLite keeps JSON as the text that it is.
            ending = ending.values(until_run=new.run, went_to=bindparam("gone", type_=Text()))
            rows = [
                {"run": run, "place": place, "gone": text}
                for run, place, text in zip(from_run, number, gone, strict=True)
            ]
            session.execute(ending, rows)
            continue
        given = arrays.rows(
            session, from_run=(Integer(), from_run), number=(Integer(), number), went_to=(Text(), gone)
        )
        matching = update(Group).where(
            Group.lineage_id == new.lineage_id,
            Group.from_run == given.c.from_run,
            Group.number == given.c.number,
        )
        values = {"until_run": new.run, "went_to": cast(given.c.went_to, JSON)}
        session.execute(matching.values(**values), execution_options=_UNSYNCHRONIZED)
