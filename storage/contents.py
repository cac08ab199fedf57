"""Contents: distinct bytes, and the features that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Integer, String, Text, select, update
from sqlalchemy.orm import Session

from lookalike.errors import NotFound
from lookalike.features.record import FACTS, FEATURES, facts_of
from storage import arrays
from storage.db import IN_BINARY
from storage.inserts import insert_into
from storage.models import Content, FeatureBlock

# SQLite allows 32,766 parameters a statement, PostgreSQL 65,535.
SHA256_CHUNK = 2000
BLOCK_CHUNK = 64
# Records as plain bytes: NumPy moves them whole, and not field by field.
PLAIN = np.dtype((np.void, FEATURES.itemsize))


class Known(NamedTuple):
    """A content that this version of the extractor has dealt with."""

    content_id: int
    error_code: str | None


class ProxyPlace(NamedTuple):
    """Where a proxy lies in the blob store."""

    key: str
    offset: int
    length: int


def ensure(session: Session, sha256: bytes, byte_count: int) -> Content:
    """Return the content of these bytes, made now if there is none, and hold it until the transaction ends.

    While it is held nobody removes its bytes or its row.
    """
    content_id = ensure_many(session, [(sha256, byte_count)])[sha256]
    return session.get_one(Content, content_id)


def ensure_many(session: Session, found: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    """Return {sha256: content id} for (sha256, byte_count) pairs, as ensure does for one."""
    # All who hold several contents take them in this order, so that nobody waits in a circle.
    ordered = sorted(dict(found).items())
    content_ids: dict[bytes, int] = {}
    # An update that changes nothing, and not DO NOTHING: it returns the id and holds the row.
    statement = insert_into(session, Content)
    statement = statement.on_conflict_do_update(
        index_elements=["sha256"], set_={"byte_count": statement.excluded.byte_count}
    ).returning(Content.sha256, Content.id)
    for chunk in arrays.chunks(ordered, SHA256_CHUNK):
        rows = [{"sha256": sha256, "byte_count": byte_count} for sha256, byte_count in chunk]
        content_ids.update({row.sha256: row.id for row in session.execute(statement, rows)})
    return content_ids


def known(session: Session, sha256s: Iterable[bytes], extractor_version: int) -> dict[bytes, Known]:
    """Return those contents that this version of the extractor need not look at again."""
    result = {}
    for chunk in arrays.chunks(sorted(set(sha256s)), SHA256_CHUNK):
        query = select(Content.sha256, Content.id, Content.error_code).where(
            Content.sha256.in_(chunk), Content.extractor_version == extractor_version
        )
        result.update({row.sha256: Known(row.id, row.error_code) for row in session.execute(query)})
    return result


def store_block(
    session: Session,
    records: np.ndarray,
    proxies_key: str,
    content_ids: Sequence[int] | np.ndarray,
    formats: Sequence[str],
    extractor_version: int,
) -> int:
    """Store the features of contents as one block and return its id; records[i] belongs to content_ids[i]."""
    packed = np.ascontiguousarray(records, FEATURES)
    block = FeatureBlock(
        extractor_version=extractor_version,
        image_count=len(packed),
        data=packed.tobytes(),
        facts=facts_of(packed).tobytes(),
        proxies_key=proxies_key,
    )
    session.add(block)
    session.flush()
    _hold(session, content_ids)
    given = arrays.rows(
        session,
        id=(BigInteger(), content_ids),
        slot=(Integer(), range(len(packed))),
        format=(String(), formats),
        width=(Integer(), packed["width"]),
        height=(Integer(), packed["height"]),
    )
    changes = {name: given.c[name] for name in ("slot", "format", "width", "height")}
    statement = (
        update(Content)
        .where(Content.id == given.c.id)
        .values(
            block_id=block.id,
            extractor_version=extractor_version,
            error_code=None,
            error_detail=None,
            **changes,
        )
    )
    session.execute(statement, execution_options={"synchronize_session": False})
    return block.id


def store_errors(session: Session, errors: Sequence[tuple[int, str, str]], extractor_version: int) -> None:
    """Note (content id, code, detail) of contents that this version of the extractor cannot decode."""
    if not errors:
        return
    content_ids, codes, details = zip(*errors, strict=True)
    _hold(session, content_ids)
    given = arrays.rows(
        session, id=(BigInteger(), content_ids), code=(String(), codes), detail=(Text(), details)
    )
    statement = (
        update(Content)
        .where(Content.id == given.c.id)
        .values(
            extractor_version=extractor_version,
            error_code=given.c.code,
            error_detail=given.c.detail,
            block_id=None,
            slot=None,
        )
    )
    session.execute(statement, execution_options={"synchronize_session": False})


def load_features(session: Session, content_ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return records of FEATURES, one for each content id given, in that order; ids may repeat.

    Raises NotFound if a content has no features.
    """
    return _gather(session, content_ids)[0]


def load_facts(session: Session, blocks: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Return records of FACTS of the contents that lie at these slots of these blocks. Raises NotFound."""
    found: dict[int, bytes] = {}
    wanted = np.unique(blocks)
    for chunk in arrays.parts(wanted):
        given = arrays.ids(session, chunk)
        query = select(FeatureBlock.id, FeatureBlock.facts).join(given, FeatureBlock.id == given.c.id)
        for block_id, data in session.execute(query, execution_options=IN_BINARY).all():
            found[block_id] = data if data is not None else _facts(session, block_id)
    if len(found) < len(wanted):
        raise NotFound(f"{len(wanted) - len(found)} of {len(wanted)} blocks of features are gone.")
    packed = [found[block_id] for block_id in wanted.tolist()]
    counts = np.fromiter(map(len, packed), np.int64, len(packed)) // FACTS.itemsize
    starts = np.cumsum(counts) - counts
    together = np.frombuffer(b"".join(packed), FACTS)
    facts: np.ndarray = together[starts[np.searchsorted(wanted, blocks)] + slots]
    return facts


def sha256s(session: Session, content_ids: Sequence[int] | np.ndarray) -> dict[int, bytes]:
    """Return the SHA-256 of those contents that there are."""
    given = arrays.ids(session, content_ids)
    query = select(Content.id, Content.sha256).join(given, Content.id == given.c.id)
    return dict(session.execute(query).all())


def proxy_places(session: Session, content_ids: Sequence[int] | np.ndarray) -> list[ProxyPlace]:
    """Return where the proxies of contents lie, in the order of the ids. Raises NotFound as load_features."""
    records, keys = _gather(session, content_ids)
    offsets, lengths = records["proxy_offset"].tolist(), records["proxy_length"].tolist()
    return [ProxyPlace(*each) for each in zip(keys, offsets, lengths, strict=True)]


def _places_by_block(blocks: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(blocks, kind="stable")
    block_ids, starts = np.unique(blocks[order], return_index=True)
    return dict(zip(block_ids.tolist(), np.split(order, starts)[1:], strict=True))


def _facts(session: Session, block_id: int) -> bytes:
    block = session.get_one(FeatureBlock, block_id)
    return facts_of(_records(block.data, block.image_count).view(FEATURES)).tobytes()


def _records(data: bytes, count: int) -> np.ndarray:
    """Return the PLAIN records of a block; the fields that an older extractor did not know are zero."""
    stored = np.frombuffer(data, np.dtype((np.void, len(data) // count)))
    if stored.itemsize == PLAIN.itemsize:
        return stored
    records = np.zeros((count, PLAIN.itemsize), np.uint8)
    records[:, : stored.itemsize] = stored.view(np.uint8).reshape(count, -1)
    return records.view(PLAIN)[:, 0]


def _gather(session: Session, content_ids: Sequence[int] | np.ndarray) -> tuple[np.ndarray, list[str]]:
    if not len(content_ids):
        return np.empty(0, FEATURES), []
    wanted, places = np.unique(np.asarray(content_ids, np.int64), return_inverse=True)
    blocks, slots = _slots(session, wanted)
    records = np.empty(len(wanted), PLAIN)
    keys: dict[int, str] = {}
    members = _places_by_block(blocks)
    for chunk in arrays.chunks(list(members), BLOCK_CHUNK):
        query = select(FeatureBlock.id, FeatureBlock.data, FeatureBlock.image_count, FeatureBlock.proxies_key)
        found = session.execute(query.where(FeatureBlock.id.in_(chunk)), execution_options=IN_BINARY)
        for block_id, data, count, key in found:
            keys[block_id] = key
            # Slices where they do: half the time for a whole collection.
            rows = _as_slice(members[block_id])
            records[rows] = _records(data, count)[_as_slice(slots[rows])]
    if not np.array_equal(places, np.arange(len(wanted))):
        records, blocks = records[places], blocks[places]
    return records.view(FEATURES), [keys[block] for block in blocks.tolist()]


def _as_slice(rows: np.ndarray) -> np.ndarray | slice:
    """Return rows, or if they follow one another the slice of them."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _slots(session: Session, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return block id and slot of each of the sorted, distinct content ids."""
    found = np.zeros((len(wanted), 2), np.int64)
    count = 0
    for chunk in arrays.chunks(wanted.tolist()):
        given = arrays.ids(session, chunk)
        query = select(Content.id, Content.block_id, Content.slot).join(given, Content.id == given.c.id)
        table = session.execute(query.where(Content.block_id.is_not(None))).all()
        count += len(table)
        if table:
            # Column by column: NumPy takes ten times as long to look into rows.
            content_ids, blocks, slots = (np.array(column, np.int64) for column in zip(*table, strict=True))
            found[np.searchsorted(wanted, content_ids)] = np.stack([blocks, slots], axis=1)
    if count < len(wanted):
        raise NotFound(f"{len(wanted) - count} of {len(wanted)} contents have no features.")
    return found[:, 0], found[:, 1]


def _hold(session: Session, content_ids: Sequence[int] | np.ndarray) -> None:
    """Lock the rows in the order in which everybody locks several: by sha256."""
    given = arrays.ids(session, content_ids)
    query = select(Content.id).join(given, Content.id == given.c.id).order_by(Content.sha256)
    session.execute(query.with_for_update(of=Content, key_share=True)).all()
