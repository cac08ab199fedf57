"""Decisions about pairs of images, by their bytes: runs, names, imports and thresholds leave them alone."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np
from sqlalchemy import case, delete, select, update
from sqlalchemy.orm import Session, aliased

from lookalike.decisions import KEEP_BOTH, VERDICTS, Decided
from lookalike.errors import InvalidInput, NotFound
from lookalike.ids import new_id
from lookalike.sorted_sets import holds
from storage import arrays
from storage.inserts import insert_into
from storage.models import Content, Context, Decision, Image
from storage.pages import WRONG_CURSOR, Page, checked_limit, decode_cursor, page_of
from storage.types import utc_now

# All pairs of so many are 4,950.
MOST_IMAGES = 100
MOST_NOTE_LENGTH = 1000
# How many of the images with the same bytes are named.
MOST_NAMES = 10
# SQLite allows 32,766 parameters a statement.
_CHUNK = 2000

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class NewDecision:
    """A verdict about two contents, whichever of them comes first."""

    one: bytes
    other: bytes
    verdict: str
    note: str
    decided_at: datetime

    @property
    def pair(self) -> Pair:
        """The two hashes, lower first."""
        return min(self.one, self.other), max(self.one, self.other)


@dataclass
class Imported:
    """What an import did, counted in decisions; unknown ones are kept: their images may come later."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    # There is a later decision about the pair, which stays.
    outdated: int = 0
    unknown: int = 0


def decide(
    session: Session, context_id: uuid.UUID, sha256s: Iterable[bytes], verdict: str, note: str = ""
) -> list[Decision]:
    """Decide the same about each two of these contents, in place of what was decided before.

    One that is given twice stands for two images with the same bytes: both can be kept, but they are
    duplicates. Raises InvalidInput for fewer than two contents, or too many.
    """
    given, verdict = list(sha256s), checked_verdict(verdict)
    if len(given) < 2:
        raise InvalidInput("A decision is about at least two images.")
    if len(given) > MOST_IMAGES:
        raise InvalidInput(f"A decision is about at most {MOST_IMAGES} images at once, not {len(given)}.")
    pairs = [pair for pair in _pairs(given) if verdict == KEEP_BOTH or pair[0] != pair[1]]
    if not pairs:
        raise InvalidInput(
            f"These are all the same, byte for byte, and so duplicates; {KEEP_BOTH} lets all of them stay."
        )
    now = utc_now()
    new = [NewDecision(*pair, verdict, note, now) for pair in pairs]
    _bump(session, context_id)
    _store(session, context_id, new)
    stored = _stored(session, context_id, [each.pair for each in new])
    return [stored[each.pair] for each in new]


def take_in(session: Session, context_id: uuid.UUID, new: Sequence[NewDecision]) -> Imported:
    """Take in decisions made elsewhere; of two about a pair the later one holds."""
    _bump(session, context_id)
    latest = {each.pair: each for each in sorted(new, key=lambda each: each.decided_at)}
    result = Imported()
    for pairs in arrays.chunks(list(latest), _CHUNK):
        stored = _stored(session, context_id, pairs)
        taken = []
        for pair in pairs:
            mine, theirs = stored.get(pair), latest[pair]
            if mine is None:
                result.added += 1
            elif (mine.verdict, mine.note) == (theirs.verdict, theirs.note):
                result.unchanged += 1
                continue
            elif mine.decided_at > theirs.decided_at:
                result.outdated += 1
                continue
            else:
                result.replaced += 1
            taken.append(theirs)
        _store(session, context_id, taken)
        known = names(session, context_id, [sha256 for pair in pairs for sha256 in pair])
        result.unknown += sum(not (low in known and high in known) for low, high in pairs)
    return result


def sha256s_of(session: Session, context_id: uuid.UUID, image_ids: Sequence[str]) -> list[bytes]:
    """Return the hashes of images' bytes. Raises NotFound, InvalidInput for images not read yet."""
    query = select(Image.image_id, Content.sha256).outerjoin(Content, Content.id == Image.content_id)
    live = query.where(Image.context_id == context_id, Image.removed_revision.is_(None))
    found: dict[str, bytes | None] = {}
    for chunk in arrays.chunks(list(dict.fromkeys(image_ids)), _CHUNK):
        found.update(session.execute(live.where(Image.image_id.in_(chunk))).all())
    result = []
    for image_id in image_ids:
        if image_id not in found:
            raise NotFound(f"There is no image {image_id!r} in this context.")
        sha256 = found[image_id]
        if sha256 is None:
            raise InvalidInput(f"The image {image_id!r} has not been read yet: wait for its job to end.")
        result.append(sha256)
    return result


def page(
    session: Session,
    context_id: uuid.UUID,
    limit: int,
    cursor: str | None = None,
    *,
    verdict: str | None = None,
    sha256: bytes | None = None,
) -> Page[Decision]:
    """List the decisions of a context, newest first; those with a verdict and about a content if given."""
    query = select(Decision).where(Decision.context_id == context_id).order_by(Decision.id.desc())
    if verdict is not None:
        query = query.where(Decision.verdict == checked_verdict(verdict))
    if sha256 is not None:
        query = query.where((Decision.low_sha256 == sha256) | (Decision.high_sha256 == sha256))
    if cursor is not None:
        query = query.where(Decision.id < _uuid(decode_cursor(cursor, str)[0]))
    found = session.scalars(query.limit(checked_limit(limit) + 1)).all()
    return page_of(found, limit, key=lambda decision: [str(decision.id)])


def get(session: Session, context_id: uuid.UUID, decision_id: uuid.UUID) -> Decision:
    """Return a decision. Raises NotFound."""
    decision = session.get(Decision, decision_id)
    if decision is None or decision.context_id != context_id:
        raise NotFound(f"There is no decision {decision_id} in this context.")
    return decision


def take_back(session: Session, context_id: uuid.UUID, decision_id: uuid.UUID) -> None:
    """Forget a decision: the pair is a match again if it was one. Raises NotFound."""
    _bump(session, context_id)
    session.delete(get(session, context_id, decision_id))
    session.flush()


def take_back_all(session: Session, context_id: uuid.UUID, sha256s: Iterable[bytes]) -> int:
    """Forget what was decided about each two of these contents; return how many decisions went."""
    _bump(session, context_id)
    ids = [decision.id for decision in _stored(session, context_id, _pairs(sha256s)).values()]
    session.execute(delete(Decision).where(Decision.id.in_(ids)))
    return len(ids)


def every(session: Session, context_id: uuid.UUID) -> Iterator[Decision]:
    """Give all decisions of a context, oldest first, some at a time."""
    after = uuid.UUID(int=0)
    query = select(Decision).where(Decision.context_id == context_id).order_by(Decision.id).limit(_CHUNK)
    while found := session.scalars(query.where(Decision.id > after)).all():
        yield from found
        after = found[-1].id


def names(session: Session, context_id: uuid.UUID, sha256s: Iterable[bytes]) -> dict[bytes, list[str]]:
    """Return the ids of live images with these bytes, some of each; contents without any are left out."""
    result: dict[bytes, list[str]] = {}
    query = select(Content.sha256, Image.image_id).join(Image, Image.content_id == Content.id)
    query = query.where(Image.context_id == context_id, Image.removed_revision.is_(None))
    for chunk in arrays.chunks(sorted(set(sha256s)), _CHUNK):
        live = query.where(Content.sha256.in_(chunk)).order_by(Image.image_id)
        for sha256, image_id in session.execute(live):
            of_content = result.setdefault(sha256, [])
            if len(of_content) < MOST_NAMES:
                of_content.append(image_id)
    return result


def among(session: Session, context_id: uuid.UUID, contents: np.ndarray) -> Decided:
    """Return what was decided about pairs of these sorted contents, ordered by content ids."""
    low, high = aliased(Content), aliased(Content)
    verdict = case({name: place for place, name in enumerate(VERDICTS)}, value=Decision.verdict)
    query = (
        select(low.id, high.id, verdict)
        .join(low, low.sha256 == Decision.low_sha256)
        .join(high, high.sha256 == Decision.high_sha256)
        .where(Decision.context_id == context_id)
    )
    one, other, place = arrays.columns(session, query)
    # By hash one of the two is lower, by id it may be the other.
    ends = np.stack([np.minimum(one, other), np.maximum(one, other), place])
    ends = ends[:, holds(contents, one) & holds(contents, other)]
    return Decided(*ends[:, np.lexsort((ends[1], ends[0]))])


def about(session: Session, context_id: uuid.UUID, sha256: bytes) -> Mapping[bytes, str]:
    """Return what was decided about one content: verdicts by the hash of the other."""
    query = select(Decision).where(
        Decision.context_id == context_id,
        (Decision.low_sha256 == sha256) | (Decision.high_sha256 == sha256),
    )
    return {
        each.high_sha256 if each.low_sha256 == sha256 else each.low_sha256: each.verdict
        for each in session.scalars(query)
    }


def checked_verdict(verdict: str) -> str:
    """Return a verdict as given. Raises InvalidInput."""
    if verdict not in VERDICTS:
        raise InvalidInput(f"A decision is one of {', '.join(VERDICTS)}, not {verdict!r}.")
    return verdict


def _pairs(sha256s: Iterable[bytes]) -> list[Pair]:
    """Return each two of these contents, lower first; what is given twice with itself, too."""
    counts = Counter(sha256s)
    twice = [(each, each) for each in sorted(counts) if counts[each] > 1]
    return [*combinations(sorted(counts), 2), *twice]


def _bump(session: Session, context_id: uuid.UUID) -> None:
    """Count a change, and let nobody else change the decisions of this context until the transaction ends."""
    counting = update(Context).where(Context.id == context_id)
    session.execute(
        counting.values(decision_revision=Context.decision_revision + 1),
        execution_options={"synchronize_session": False},
    )


def _store(session: Session, context_id: uuid.UUID, new: Sequence[NewDecision]) -> None:
    for chunk in arrays.chunks(new, _CHUNK):
        rows = [
            {
                "id": new_id(),
                "context_id": context_id,
                "low_sha256": each.pair[0],
                "high_sha256": each.pair[1],
                "verdict": each.verdict,
                "note": each.note,
                "decided_at": each.decided_at,
            }
            for each in chunk
        ]
        statement = insert_into(session, Decision)
        replaced = {name: statement.excluded[name] for name in ("id", "verdict", "note", "decided_at")}
        keys = ["context_id", "low_sha256", "high_sha256"]
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), rows)


def _stored(session: Session, context_id: uuid.UUID, pairs: Sequence[Pair]) -> dict[Pair, Decision]:
    wanted = set(pairs)
    query = select(Decision).where(Decision.context_id == context_id)
    found = {}
    for chunk in arrays.chunks(sorted({low for low, _ in pairs}), _CHUNK):
        for each in session.scalars(query.where(Decision.low_sha256.in_(chunk)), execution_options=_FRESH):
            pair = (each.low_sha256, each.high_sha256)
            if pair in wanted:
                found[pair] = each
    return found


_FRESH = {"populate_existing": True}


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput(WRONG_CURSOR) from None
