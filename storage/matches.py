"""Matches: verified similarities of contents, kept for ever because they depend on nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    JSON,
    BigInteger,
    Integer,
    Select,
    SmallInteger,
    String,
    Text,
    and_,
    case,
    cast,
    select,
    true,
)
from sqlalchemy.orm import Session

from lookalike import relations
from lookalike.sorted_sets import distinct, holds, union
from storage import arrays
from storage.db import is_sqlite
from storage.inserts import insert_into
from storage.models import Match

# A run of contents with gaps no larger than this is walked, not looked up.
_DENSE = 8
# Contents of one walk: their matches come as one text for each column.
_WALKED = 100_000


class NewMatch(NamedTuple):
    """What verification found out about two contents, low below high; detail leads from low to high."""

    low_content_id: int
    high_content_id: int
    similarity_tenths: int
    relation: str
    detail: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches as arrays, one value a match, ordered by low and high content."""

    low_content: np.ndarray
    high_content: np.ndarray
    tenths: np.ndarray
    # Numbers of lookalike.relations.NAMES.
    relation: np.ndarray

    def __len__(self) -> int:
        return len(self.low_content)

    def __getitem__(self, chosen: np.ndarray) -> Matches:
        return Matches(
            self.low_content[chosen], self.high_content[chosen], self.tenths[chosen], self.relation[chosen]
        )


def known_pairs(session: Session, pairs: np.ndarray, engine_version: int) -> np.ndarray:
    """Return a mask of those (k, 2) pairs of content ids, low first, that this version has verified."""
    mask = np.zeros(len(pairs), bool)
    for position, same in _given(session, pairs):
        query = select(position).join(Match, same).where(Match.engine_version == engine_version)
        mask[np.array(session.scalars(query).all(), np.int64)] = True
    return mask


def tenths_of(session: Session, pairs: np.ndarray) -> np.ndarray:
    """Return the similarities in tenths of (k, 2) pairs of content ids, low first; -1 where there is none."""
    tenths = np.full(len(pairs), -1, np.int64)
    for position, same in _given(session, pairs):
        query = select(position, Match.similarity_tenths).join(Match, same)
        for place, similarity in session.execute(query):
            tenths[place] = similarity
    return tenths


def _given(session: Session, pairs: np.ndarray) -> Iterator[tuple[Any, Any]]:
    """Give pairs to the database in parts: the column of their places, and the join to their matches."""
    for start in range(0, len(pairs), arrays.CHUNK):
        chunk = pairs[start : start + arrays.CHUNK]
        given = arrays.rows(
            session,
            low=(BigInteger(), chunk[:, 0]),
            high=(BigInteger(), chunk[:, 1]),
            position=(Integer(), range(start, start + len(chunk))),
        )
        same = and_(Match.low_content_id == given.c.low, Match.high_content_id == given.c.high)
        yield given.c.position, same


def store(session: Session, matches: Sequence[NewMatch], engine_version: int) -> None:
    """Store matches; those that are there already are replaced, so storing twice does no harm."""
    if any(match.low_content_id >= match.high_content_id for match in matches):
        raise ValueError("a match is stored with its lower content id first")
    # One order for all workers: two that store the same pairs must not wait for each other.
    ordered = sorted({match[:2]: match for match in matches}.items())
    for chunk in arrays.chunks([match for _, match in ordered]):
        _store_chunk(session, chunk, engine_version)


def among(session: Session, contents: np.ndarray, floor_tenths: int, engine_version: int) -> Matches:
    """Return the matches of at least floor_tenths between these distinct, sorted contents."""
    parts = [_columns([])]
    for run in arrays.parts(contents, _WALKED):
        if run[-1] - run[0] < _DENSE * len(run):
            # Nearly all contents that there are: a walk along the table, and no look-up for each.
            within = Match.low_content_id.between(int(run[0]), int(run[-1]))
            parts.append(arrays.columns(session, _wanted(floor_tenths, engine_version).where(within)))
            continue
        for chunk in arrays.parts(run):
            given = arrays.ids(session, chunk)
            query = _wanted(floor_tenths, engine_version).join(given, Match.low_content_id == given.c.id)
            parts.append(arrays.columns(session, query))
    whole = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    # Not asked of the database: it might try each content with each other one.
    inside = holds(contents, whole[0]) & holds(contents, whole[1])
    return _ordered([column[inside] for column in whole])


def connected(
    session: Session, seeds: np.ndarray, contents: np.ndarray, floor_tenths: int, engine_version: int
) -> tuple[np.ndarray, Matches]:
    """Return the sorted contents that matches connect with the seeds, seeds included, and those matches.

    Only matches of at least floor_tenths between the distinct, sorted contents count; so the answer is whole
    connected components, found by as many queries as the longest way has steps.
    """
    reached = distinct(seeds[holds(contents, seeds)])
    frontier = reached
    parts = [_columns([])]
    while len(frontier):
        found = _touching(session, frontier, floor_tenths, engine_version)
        inside = holds(contents, found[0]) & holds(contents, found[1])
        parts.append([column[inside] for column in found])
        ends = union(*parts[-1][:2])
        frontier = ends[~holds(reached, ends)]
        reached = union(reached, frontier)
    # A match is met from both its ends.
    whole = _ordered([np.concatenate(columns) for columns in zip(*parts, strict=True)])
    first = np.ones(len(whole), bool)
    first[1:] = (np.diff(whole.low_content) != 0) | (np.diff(whole.high_content) != 0)
    return reached, whole[first]


def detail(session: Session, one: int, other: int) -> Match | None:
    """Return the match of two contents in either order, with its transform and evidence from low to high."""
    return session.get(Match, (min(one, other), max(one, other)))


def _wanted(floor_tenths: int, engine_version: int) -> Select[*tuple[Any, ...]]:
    relation = case(relations.NUMBERS, value=Match.relation)
    query = select(Match.low_content_id, Match.high_content_id, Match.similarity_tenths, relation)
    return query.where(Match.similarity_tenths >= floor_tenths, Match.engine_version == engine_version)


def _touching(
    session: Session, contents: np.ndarray, floor_tenths: int, engine_version: int
) -> list[np.ndarray]:
    parts = []
    for chunk in arrays.parts(contents):
        given = arrays.ids(session, chunk)
        for end in (Match.low_content_id, Match.high_content_id):
            query = _wanted(floor_tenths, engine_version).join(given, end == given.c.id)
            parts.append(arrays.columns(session, query))
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def _store_chunk(session: Session, matches: Sequence[NewMatch], engine_version: int) -> None:
    low, high, tenths, relation, details = zip(*matches, strict=True)
    texts = [None if each is None else json.dumps(each, separators=(",", ":")) for each in details]
    given = arrays.rows(
        session,
        low=(BigInteger(), low),
        high=(BigInteger(), high),
        tenths=(SmallInteger(), tenths),
        relation=(String(), relation),
        detail=(Text(), texts),
    )
    # SQLite keeps JSON as the text that it is.
    as_json = given.c.detail if is_sqlite(session) else cast(given.c.detail, JSON)
    columns = (given.c.low, given.c.high, given.c.tenths, given.c.relation, as_json)
    query = select(*columns, cast(engine_version, Integer)).where(true()).order_by(given.c.low, given.c.high)
    names = ["low_content_id", "high_content_id", "similarity_tenths", "relation", "detail", "engine_version"]
    statement = insert_into(session, Match).from_select(names, query)
    replaced = {name: statement.excluded[name] for name in names[2:]}
    session.execute(statement.on_conflict_do_update(index_elements=names[:2], set_=replaced))


def _columns(rows: Sequence[Any]) -> list[np.ndarray]:
    return list(np.array(rows, np.int64).reshape(-1, 4).T)


def _ordered(columns: Sequence[np.ndarray]) -> Matches:
    order = np.lexsort((columns[1], columns[0]))
    return Matches(*(column[order] for column in columns))
