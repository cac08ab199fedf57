"""The extract stage: images to features. A shard is some images and makes one block of features."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from lookalike import jobs as life
from lookalike.errors import DecodingError
from lookalike.features.extraction import Extracted
from lookalike.features.record import FEATURES
from lookalike.version import EXTRACTOR_VERSION
from storage import contents, images, job_errors
from storage.blobs import proxies_key
from storage.db import Session
from storage.images import Source
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker import sources, timing
from worker.lease import Lease
from worker.packing import packed, unpacked
from worker.stage import Outcome
from worker.tools import Tools

# Few enough that progress is seen and a lost shard costs little, enough that the queue costs nothing.
MOST_IMAGES, LEAST_IMAGES = 64, 32
# A small job is spread over this many shards, so that all processes have a share.
SPREAD = 8
# No sane image takes a second; a decoder that does not end must not hold its worker for ever.
IMAGE_SECONDS = 30.0
# Bytes that are held at a time while the database is asked which of them it knows.
HELD_BYTES = 32 * 1024 * 1024
CRASHED = "crashed_worker"


class Trouble(NamedTuple):
    """What is wrong with an image. Not the exception: its traceback keeps the decoder's buffers alive."""

    code: str
    detail: str

    @classmethod
    def of(cls, error: DecodingError) -> Self:
        """Return code and detail of an error."""
        return cls(error.code, error.detail)


@dataclass(slots=True)
class _Batch:
    """What a shard has found so far."""

    # By SHA-256, in the order of their first image.
    byte_counts: dict[bytes, int] = field(default_factory=dict)
    extracted: dict[bytes, Extracted] = field(default_factory=dict)
    broken: dict[bytes, Trouble] = field(default_factory=dict)
    # By image.
    digests: list[tuple[Source, bytes]] = field(default_factory=list)
    unfetched: list[tuple[Source, Trouble]] = field(default_factory=list)


def plan(session: Session, job: Job) -> list[ShardPlan]:
    """Cut the images that have neither features nor an error by this version of the extractor."""
    if job.kind == life.FIND_DUPLICATES or "source" in job.parameters:
        job_errors.record_known(session, job.id, job.context_id, EXTRACTOR_VERSION)
    return plan_rows(images.pending(session, job.context_id).tolist())


def plan_rows(rows: Sequence[int]) -> list[ShardPlan]:
    """Cut the rows of images into shards of about equal size."""
    if not len(rows):
        return []
    size = min(MOST_IMAGES, max(LEAST_IMAGES, -(-len(rows) // SPREAD)))
    parts = np.array_split(np.asarray(rows, np.int64), -(-len(rows) // size))
    return [ShardPlan(len(part), input_data=packed(part)) for part in parts]


def run(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Fetch, decode and extract the images of a shard; bytes that are known already are not decoded again."""
    with tools.database.reading() as session:
        found = images.sources(session, unpacked(shard.input_data))
    batch = _Batch()
    known = _known(tools, {source.sha256 for source in found if source.sha256 is not None})
    for fetched in _fetched(found, known, batch, tools, lease):
        known |= _known(tools, fetched.keys() - known - batch.byte_counts.keys())
        for sha256, data in fetched.items():
            lease.check()
            if sha256 not in known and sha256 not in batch.byte_counts:
                _extract(sha256, data, batch, tools)
            batch.byte_counts[sha256] = len(data)
    key = _store_proxies(batch, tools)

    def store(session: Session) -> None:
        _store(session, shard.job_id, batch, key)

    broken = sum(sha256 in batch.broken for _, sha256 in batch.digests)
    counts = {"extracted": len(batch.extracted), "failed": broken + len(batch.unfetched)}
    return Outcome(store, counts, abandon=lambda: tools.blobs.delete(key) if key else None)


def singles(shard: Shard) -> list[ShardPlan]:
    """One shard an image."""
    rows = unpacked(shard.input_data).tolist()
    return [ShardPlan(1, input_data=packed([row])) for row in rows] if len(rows) > 1 else []


def blame(session: Session, shard: Shard) -> list[str]:
    """Record that the image kills its worker, so that it is not tried again; return its id."""
    found = images.sources(session, unpacked(shard.input_data))
    told = f"Extracting the image ended its worker process {life.MOST_LOSSES} times; it is left out."
    known = [(source.content_id, CRASHED, told) for source in found if source.content_id is not None]
    contents.store_errors(session, known, EXTRACTOR_VERSION)
    unknown = [(source.row_id, None, CRASHED, told) for source in found if source.content_id is None]
    images.set_contents(session, unknown)
    job_errors.record(session, shard.job_id, [(source.image_id, CRASHED, told) for source in found])
    return [source.image_id for source in found]


def _fetched(
    found: list[Source], known: Collection[bytes], batch: _Batch, tools: Tools, lease: Lease
) -> Iterator[dict[bytes, bytes]]:
    """Fetch the bytes that are not known yet, and give them by SHA-256, some megabytes at a time."""
    held: dict[bytes, bytes] = {}
    for source in found:
        lease.check()
        if source.sha256 is not None and source.sha256 in known:
            batch.digests.append((source, source.sha256))
            continue
        try:
            sha256, data = _fetch(source, tools)
        except DecodingError as error:
            batch.unfetched.append((source, Trouble.of(error)))
            continue
        batch.digests.append((source, sha256))
        held[sha256] = data
        if sum(map(len, held.values())) >= HELD_BYTES:
            yield held
            held = {}
    yield held


def _fetch(source: Source, tools: Tools) -> tuple[bytes, bytes]:
    """Return the SHA-256 and the bytes of an image."""
    if source.source == images.STORED and source.sha256 is not None:
        # Stored under what its bytes hash to.
        return source.sha256, tools.blobs.read_content(source.sha256)
    data = sources.read(source.location or "", tools.limits.max_bytes)
    return hashlib.sha256(data).digest(), data


def _known(tools: Tools, sha256s: Collection[bytes]) -> set[bytes]:
    """Return those contents that this version of the extractor has dealt with."""
    if not sha256s:
        return set()
    with tools.database.reading() as session:
        return set(contents.known(session, sha256s, EXTRACTOR_VERSION))


def _extract(sha256: bytes, data: bytes, batch: _Batch, tools: Tools) -> None:
    try:
        with timing.limit(IMAGE_SECONDS):
            batch.extracted[sha256] = tools.extract(data, tools.limits)
    except DecodingError as error:
        batch.broken[sha256] = Trouble.of(error)
    except MemoryError:
        batch.broken[sha256] = Trouble.of(timing.TooHeavy())


def _store_proxies(batch: _Batch, tools: Tools) -> str | None:
    """Write the proxies of the shard one after another, and note in each record where its own lies."""
    if not batch.extracted:
        return None
    offset = 0
    for one in batch.extracted.values():
        one.record["proxy_offset"], one.record["proxy_length"] = offset, len(one.proxy)
        offset += len(one.proxy)
    key = proxies_key()
    tools.blobs.put_proxies(key, b"".join(one.proxy for one in batch.extracted.values()))
    return key


def _store(session: Session, job_id: uuid.UUID, batch: _Batch, key: str | None) -> None:
    content_ids = _content_ids(session, batch)
    if key is not None:
        records = np.array([one.record for one in batch.extracted.values()], FEATURES)
        mine = [content_ids[sha256] for sha256 in batch.extracted]
        formats = [one.format for one in batch.extracted.values()]
        contents.store_block(session, records, key, mine, formats, EXTRACTOR_VERSION)
    broken = [(content_ids[sha256], *trouble) for sha256, trouble in batch.broken.items()]
    contents.store_errors(session, broken, EXTRACTOR_VERSION)
    images.set_contents(
        session,
        [
            *((source.row_id, content_ids[sha256], None, None) for source, sha256 in batch.digests),
            *((source.row_id, source.content_id, *trouble) for source, trouble in batch.unfetched),
        ],
    )
    job_errors.record(session, job_id, _errors(session, batch))


def _content_ids(session: Session, batch: _Batch) -> dict[bytes, int]:
    content_ids = contents.ensure_many(session, batch.byte_counts.items())
    for source, sha256 in batch.digests:
        if source.content_id is not None and source.sha256 == sha256:
            content_ids.setdefault(sha256, source.content_id)
    return content_ids


def _errors(session: Session, batch: _Batch) -> list[tuple[str, str, str]]:
    known = job_errors.of_contents(session, {sha256 for _, sha256 in batch.digests}, EXTRACTOR_VERSION)
    told = [(source.image_id, *known[sha256]) for source, sha256 in batch.digests if sha256 in known]
    return told + [(source.image_id, *trouble) for source, trouble in batch.unfetched]
