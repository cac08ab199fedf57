"""Comparing pictures while somebody waits: two of them, or one with all of a context."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike import candidates, relations
from lookalike.columns import WHOLE, Columns
from lookalike.errors import InvalidInput
from lookalike.explanation import explained, with_candidacy
from lookalike.features.record import FEATURES
from lookalike.similarity import LEAST_OF_SIMILAR
from lookalike.verification.comparison import Comparison, verify
from lookalike.verification.subject import Prepared, Subject, prepare
from storage import contents, contexts, decisions, images
from storage.images import Snapshot
from worker import snapshots
from worker.subjects import Subjects
from worker.tools import Tools

# An image of the context by its id, or the bytes of any picture.
Given = str | bytes

SAME = 100.0
MOST_VERIFIED = 1000
NEAREST = 100
# Pictures with fewer key points than this are too plain to be told apart by what they share of them.
FEW_KEY_POINTS = 12
_ROWS_AT_A_TIME = 20_000


@dataclass(frozen=True, slots=True)
class Compared:
    """How alike two pictures are, and what was decided about them in the context: one of VERDICTS or None."""

    similarity: float
    relation: str
    transform: dict[str, Any]
    evidence: dict[str, Any]
    decision: str | None
    explanation: Sequence[str] = ()  # sentences; only where two pictures were asked about


@dataclass(frozen=True, slots=True)
class Similar:
    """An image of a context that is like the one asked about; the comparison leads from that one to it."""

    image_id: str
    similarity: float
    relation: str
    transform: dict[str, Any]
    evidence: dict[str, Any]
    decision: str | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """A picture ready to be compared."""

    record: np.void
    prepared: Prepared
    sha256: bytes
    image_id: str | None = None


def compare(tools: Tools, context_id: uuid.UUID, a: Given, b: Given) -> Compared:
    """Compare two pictures, each an image id of the context or bytes.

    Raises NotFound for an unknown image, InvalidInput for one that has no features, DecodingError for bytes
    that cannot be decoded.
    """
    first, second = _taken(tools, context_id, a), _taken(tools, context_id, b)
    found = with_candidacy(verify(first.prepared, second.prepared), first.record, second.record)
    found = _same_file(found, first.sha256 == second.sha256)
    decision = _decided(tools, context_id, first.sha256).get(second.sha256)
    return Compared(
        found.similarity, found.relation, found.transform, found.evidence, decision, explained(found)
    )


def similar(
    tools: Tools, context_id: uuid.UUID, given: Given, *, threshold: float = 70.0, limit: int = 100
) -> list[Similar]:
    """Return the images of a context that are like the given one, most similar first; not that one itself.

    Raises as compare does.
    """
    asked = _taken(tools, context_id, given)
    with tools.database.reading() as session:
        revision = contexts.get(session, context_id).revision
        snapshot = images.snapshot(session, context_id, revision)
    # Who asks for what is not even similar gets the nearest there is, and not only what could match.
    nearest = NEAREST if threshold < LEAST_OF_SIMILAR else 0
    near = _near(tools, context_id, snapshot.distinct_contents, asked.record, nearest)
    subjects, decided = Subjects(near, tools), _decided(tools, context_id, asked.sha256)
    found = {}
    for content_id in near.tolist():
        sha256 = subjects.sha256(content_id)
        one = _same_file(verify(asked.prepared, subjects.prepared(content_id)), sha256 == asked.sha256)
        if one.similarity >= threshold:
            decision = decided.get(sha256) if sha256 else None
            found[content_id] = Compared(one.similarity, one.relation, one.transform, one.evidence, decision)
    listed = [each for each in _listed(tools, snapshot, found) if each.image_id != asked.image_id]
    return sorted(listed, key=lambda each: (-each.similarity, each.image_id))[:limit]


def shared_detail(found: Compared) -> float:
    """Return how much of their detail two pictures share, 0 to 100: their key points at the same places.

    Of pictures that have hardly any, their similarity.
    """
    counts = found.evidence.get("key_points", {"counts": [0]})["counts"]
    is_plain = counts is not None and max(counts) < FEW_KEY_POINTS
    if found.similarity == SAME or is_plain:
        return found.similarity
    return float(found.evidence["shared_detail"])


def _taken(tools: Tools, context_id: uuid.UUID, given: Given) -> _Taken:
    if isinstance(given, bytes):
        extracted = tools.extract(given, tools.limits)
        subject = Subject(extracted.record, extracted.proxy, lambda: given, len(given))
        return _Taken(extracted.record, prepare(subject), hashlib.sha256(given).digest())
    with tools.database.reading() as session:
        image = images.get(session, context_id, given)
        state, error, content = images.state(image), images.error(image), image.content
        if content is None or state != images.READY:
            told = f"cannot be read: {error[1]}" if error else "has no features yet: wait for its job to end."
            raise InvalidInput(f"The image {given!r} {told}")
        record = contents.load_features(session, [content.id])[0]
    prepared = Subjects([content.id], tools).prepared(content.id)
    return _Taken(record, prepared, content.sha256, given)


def _decided(tools: Tools, context_id: uuid.UUID, sha256: bytes) -> Mapping[bytes, str]:
    with tools.database.reading() as session:
        return decisions.about(session, context_id, sha256)


def _same_file(found: Comparison, is_same: bool) -> Comparison:
    if not is_same:
        return found
    return Comparison(SAME, relations.IDENTICAL_FILE, found.transform, found.evidence)


def _near(
    tools: Tools, context_id: uuid.UUID, content_ids: NDArray[np.int64], record: np.void, nearest: int
) -> NDArray[np.int64]:
    """Return the contents that are candidates of a record, and as many as wanted that look nearest."""
    key = hashlib.sha256(content_ids.tobytes()).hexdigest()[:16]
    with snapshots.features(tools, context_id, key, lambda: content_ids, lambda: None) as features:
        found = [np.empty(0, np.int64)]
        for start in range(0, len(features), _ROWS_AT_A_TIME):
            part = features[start : start + _ROWS_AT_A_TIME]
            together = part.and_then(Columns.of(np.array([record], FEATURES)))
            specs = candidates.plan(len(together), 1)
            found += [candidates.candidates(together, spec, len(part))[:, 0] + start for spec in specs]
        rows = np.unique(np.concatenate(found))
        rows = rows[np.argsort(_distances(features, record, rows), kind="stable")[:MOST_VERIFIED]]
        if nearest:
            every = np.arange(len(features))
            order = np.argsort(_distances(features, record, every), kind="stable")
            rows = np.union1d(rows, order[:nearest])
        return content_ids[rows]


def _distances(features: Columns, record: np.void, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in how many bits of the whole frame's hash each row differs from the record."""
    hashes = features.hashes_of(WHOLE, rows)
    distances: NDArray[np.int64] = np.bitwise_count(hashes ^ record["whole"][0]).sum(axis=1)
    return distances


def _listed(tools: Tools, snapshot: Snapshot, found: dict[int, Compared]) -> list[Similar]:
    rows = np.flatnonzero(np.isin(snapshot.content_ids, list(found)))
    with tools.database.reading() as session:
        image_ids = images.image_ids(session, snapshot.row_ids[rows])
    result = []
    for row in rows.tolist():
        one = found[int(snapshot.content_ids[row])]
        image_id = image_ids[int(snapshot.row_ids[row])]
        result.append(
            Similar(image_id, one.similarity, one.relation, one.transform, one.evidence, one.decision)
        )
    return result
