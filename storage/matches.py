"""Matches: verified similarities of contents, kept for ever because they depend on nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import JSON, BigInteger, Integer, SmallInteger, String, Text, and_, cast, select, true
from sqlalchemy.orm import Session

from storage import arrays
from storage.db import is_sqlite
from storage.images import was_live
from storage.inserts import insert_into
from storage.models import Image, Match


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
    # Strings (dtype object), few of them distinct and each kept once.
    relation: np.ndarray

    def __len__(self) -> int:
        return len(self.low_content)


def known_pairs(session: Session, pairs: np.ndarray, engine_version: int) -> np.ndarray:
    """Return a mask of those (k, 2) pairs of content ids, low first, that this version has verified."""
    mask = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), arrays.CHUNK):
        chunk = pairs[start : start + arrays.CHUNK]
        given = arrays.rows(
            session,
            low=(BigInteger(), chunk[:, 0]),
            high=(BigInteger(), chunk[:, 1]),
            position=(Integer(), range(start, start + len(chunk))),
        )
        same = and_(Match.low_content_id == given.c.low, Match.high_content_id == given.c.high)
        query = select(given.c.position).join(Match, same).where(Match.engine_version == engine_version)
        mask[np.array(session.scalars(query).all(), np.int64)] = True
    return mask


def store(session: Session, matches: Sequence[NewMatch], engine_version: int) -> None:
    """Store matches; those that are there already are replaced, so storing twice does no harm."""
    if any(match.low_content_id >= match.high_content_id for match in matches):
        raise ValueError("a match is stored with its lower content id first")
    # One order for all workers: two that store the same pairs must not wait for each other.
    ordered = sorted({match[:2]: match for match in matches}.items())
    for chunk in arrays.chunks([match for _, match in ordered]):
        _store_chunk(session, chunk, engine_version)


def among(
    session: Session,
    context_id: uuid.UUID,
    revision: int,
    floor_tenths: int,
    engine_version: int,
) -> Matches:
    """Return the matches of at least floor_tenths between contents of a context, as of a revision."""
    query = select(Image.content_id).where(*was_live(context_id, revision), Image.content_id.is_not(None))
    contents = np.unique(np.array(session.scalars(query).all(), np.int64))
    parts = [_arrays([])]
    for chunk in arrays.chunks(contents.tolist()):
        part = _arrays(_with_low(session, chunk, floor_tenths, engine_version))
        # Not asked of the database: it might try each content with each other one.
        inside = np.isin(part[1], contents)
        parts.append([column[inside] for column in part])
    whole = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    order = np.lexsort((whole[1], whole[0]))
    return Matches(*(column[order] for column in whole))


def detail(session: Session, one: int, other: int) -> Match | None:
    """Return the match of two contents in either order, with its transform and evidence from low to high."""
    return session.get(Match, (min(one, other), max(one, other)))


def _with_low(
    session: Session, content_ids: Sequence[int], floor_tenths: int, engine_version: int
) -> Sequence[Any]:
    given = arrays.ids(session, content_ids)
    columns = (Match.low_content_id, Match.high_content_id, Match.similarity_tenths, Match.relation)
    query = select(*columns).join(given, Match.low_content_id == given.c.id)
    query = query.where(Match.similarity_tenths >= floor_tenths, Match.engine_version == engine_version)
    return session.execute(query).all()


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


def _arrays(rows: Sequence[Any]) -> list[np.ndarray]:
    low, high, tenths, relation = zip(*rows, strict=True) if rows else ((), (), (), ())
    kept: dict[str, str] = {}
    relations = np.array([kept.setdefault(each, each) for each in relation], object)
    return [np.array(low, np.int64), np.array(high, np.int64), np.array(tenths, np.int64), relations]
