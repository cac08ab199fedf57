"""A whole find_duplicates job on a context of generated hashes: time by stage, pages, memory.

Used by `benchmarks/service.py --context-size N`. A tenth of the images are planted copies of others, with
some bits flipped, and the matches of those are given; everything else is as in a real job, so whatever else
the join calls a candidate is verified too, on drawn pictures, and counted. Key points are left out:
benchmarks/local.py measures them.
"""

from __future__ import annotations

import multiprocessing
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import insert

from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES, HASH_BYTES, facts_of
from lookalike.version import ENGINE_VERSION, EXTRACTOR_VERSION
from storage import contexts, matches
from storage.blobs import Blobs
from storage.db import Database
from storage.matches import NewMatch
from storage.models import Base
from storage.settings import Settings
from storage.types import utc_now

# Tables, not classes: what is inserted by the million needs no objects.
_BLOCKS, _CONTENTS, _IMAGES = (
    Base.metadata.tables[name] for name in ("feature_blocks", "contents", "images")
)
PROXIES_KEY = "proxies/generated"
IMAGES_PER_BLOCK = 64
_IMAGES_AT_A_TIME = 32_000
MOST_FLIPS = 12
THRESHOLD, OTHER_THRESHOLD = 90.0, 95.0
PAGES = 200
NEW_IMAGES = 1000
SORTS = ("reclaimable_bytes", "image_count", "similarity", "number")


def whole_job(
    client: httpx.Client, settings: Settings, context_id: str, count: int, pictures: list[bytes]
) -> dict[str, Any]:
    """Fill a context, find its duplicates, look at them in every way, add some images and do it again."""
    database_url = settings.database_url
    proxies = [extract(picture).proxy for picture in pictures]
    Blobs(settings.blob_url).put_proxies(PROXIES_KEY, b"".join(proxies))
    lengths = [len(proxy) for proxy in proxies]
    # In a process of its own, so that its memory is not counted.
    fill_seconds = _filled(database_url, context_id, 0, count, lengths)
    job, seconds = _job(client, context_id, "full")
    counts = job["counts"]
    result: dict[str, Any] = {
        "images": counts["images"],
        "fill_seconds": round(fill_seconds, 2),
        "seconds": round(seconds, 2),
        **{f"{stage}_ms": counts.get(f"{stage}_ms", 0) for stage in ("join", "verify", "group")},
        **{name: counts[name] for name in ("candidates", "verified", "groups", "duplicates")},
        "regroup_seconds": round(_page(client, job["id"], {"similarity_threshold": OTHER_THRESHOLD})[1], 3),
        "page_p95_ms": _pages(client, job["id"]),
    }
    _filled(database_url, context_id, count, NEW_IMAGES, lengths)
    added, seconds = _job(client, context_id, "incremental")
    result["incremental"] = {
        "new_images": NEW_IMAGES,
        "seconds": round(seconds, 2),
        **{f"{stage}_ms": added["counts"].get(f"{stage}_ms", 0) for stage in ("join", "verify", "group")},
        **{name: added["counts"][name] for name in ("candidates", "verified", "groups")},
    }
    result["peak_bytes"] = max(map(_peak_bytes, psutil.Process().children(recursive=True)))
    return result


def _filled(database_url: str, context_id: str, first: int, count: int, lengths: list[int]) -> float:
    started = time.perf_counter()
    arguments = database_url, context_id, first, count, lengths
    process = multiprocessing.get_context("spawn").Process(target=_fill, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("The context could not be filled.")
    return time.perf_counter() - started


def _fill(database_url: str, context_id: str, first: int, count: int, lengths: list[int]) -> None:
    """Put images with features and their matches into a context, in bulk."""
    database = Database(database_url)
    rng = np.random.default_rng(first)
    for start in range(first, first + count, _IMAGES_AT_A_TIME):
        size = min(_IMAGES_AT_A_TIME, first + count - start)
        records, pairs = _records(rng, size)
        proxy = np.arange(size) % len(lengths)
        records["proxy_length"] = np.array(lengths)[proxy]
        records["proxy_offset"] = (np.cumsum(lengths) - lengths)[proxy]
        with database.transaction() as session:
            contexts.lock(session, uuid.UUID(context_id))
            revision = contexts.bump_revision(session, uuid.UUID(context_id))
            content_ids = _store(session, uuid.UUID(context_id), revision, records, start, rng)
            tenths = rng.integers(860, 1000, len(pairs))
            found = [
                NewMatch(*sorted((content_ids[i], content_ids[j])), int(similarity), "resized")
                for (i, j), similarity in zip(pairs.tolist(), tenths, strict=True)
            ]
            matches.store(session, found, ENGINE_VERSION)
    database.dispose()


def _records(rng: np.random.Generator, count: int) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Return records with random hashes, copies among them, and the pairs of copies."""
    records = np.zeros(count, FEATURES)
    for name in ("whole", "regions"):
        shape = records[name].shape
        records[name] = np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
    places = rng.permutation(count)[: count // 10]
    sizes = rng.integers(2, 7, len(places) // 2 + 1)
    cluster = np.repeat(np.arange(len(sizes)), sizes)[: len(places)]
    firsts = np.searchsorted(cluster, cluster)
    copies = firsts != np.arange(len(places))
    for name in ("whole", "regions"):
        made = records[name][places[firsts[copies]]]
        records[name][places[copies]] = _flipped(rng, made.reshape(-1, HASH_BYTES)).reshape(made.shape)
    records["trimmed"] = records["whole"][:, 0]
    # Of different quality, so that there is something to rank.
    records["width"] = records["true_width"] = rng.integers(600, 4000, count)
    records["height"] = records["true_height"] = rng.integers(400, 3000, count)
    heads = np.flatnonzero(~copies)
    members = np.bincount(cluster)[cluster[heads]]
    pairs = [
        np.stack([places[heads[members > b] + a], places[heads[members > b] + b]], axis=1)
        for a in range(6)
        for b in range(a + 1, 6)
    ]
    return records, np.concatenate(pairs)


def _flipped(rng: np.random.Generator, hashes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = np.arange(len(hashes))
    flips = rng.integers(0, MOST_FLIPS + 1, len(hashes))
    for turn in range(MOST_FLIPS):
        bit = rng.integers(0, HASH_BYTES * 8, len(hashes))
        hashes[rows, bit // 8] ^= np.where(flips > turn, 1 << bit % 8, 0).astype(np.uint8)
    return hashes


def _store(
    session: Any, context_id: uuid.UUID, revision: int, records: NDArray[np.void], start: int, rng: Any
) -> list[int]:
    facts, now = facts_of(records), utc_now()
    blocks = [
        {
            "extractor_version": EXTRACTOR_VERSION,
            "image_count": len(records[at : at + IMAGES_PER_BLOCK]),
            "data": records[at : at + IMAGES_PER_BLOCK].tobytes(),
            "facts": facts[at : at + IMAGES_PER_BLOCK].tobytes(),
            "proxies_key": PROXIES_KEY,
            "created_at": now,
        }
        for at in range(0, len(records), IMAGES_PER_BLOCK)
    ]
    stored = insert(_BLOCKS).returning(_BLOCKS.c.id, sort_by_parameter_order=True)
    block_ids = session.scalars(stored, blocks).all()
    distinct = [
        {
            "sha256": rng.bytes(32),
            "byte_count": int(record["width"]) * 400,
            "format": "JPEG",
            "width": int(record["width"]),
            "height": int(record["height"]),
            "extractor_version": EXTRACTOR_VERSION,
            "block_id": block_ids[number // IMAGES_PER_BLOCK],
            "slot": number % IMAGES_PER_BLOCK,
            "created_at": now,
        }
        for number, record in enumerate(records[["width", "height"]])
    ]
    stored = insert(_CONTENTS).returning(_CONTENTS.c.id, sort_by_parameter_order=True)
    content_ids: list[int] = session.scalars(stored, distinct).all()
    shown = [
        {
            "context_id": context_id,
            "image_id": f"generated/{start + number:08}.jpg",
            "source": "stored",
            "content_id": content_id,
            "byte_count": content["byte_count"],
            "added_revision": revision,
            "created_at": now,
        }
        for number, (content_id, content) in enumerate(zip(content_ids, distinct, strict=True))
    ]
    session.execute(insert(_IMAGES), shown)
    return content_ids


def _job(client: httpx.Client, context_id: str, mode: str) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    asked = {"kind": "find_duplicates", "similarity_threshold": THRESHOLD, "mode": mode}
    job = client.post(f"/v1/contexts/{context_id}/jobs", json=asked).json()
    while (job := client.get(f"/v1/jobs/{job['id']}").json())["state"] in ("queued", "running"):
        time.sleep(0.05)
    if job["state"] != "succeeded":
        raise SystemExit(f"The job {job['state']}: {job}")
    return job, time.perf_counter() - started


def _page(client: httpx.Client, job_id: str, parameters: dict[str, Any]) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    answer = client.get(f"/v1/jobs/{job_id}/groups", params=parameters)
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    page: dict[str, Any] = answer.json()
    return page, seconds


def _pages(client: httpx.Client, job_id: str) -> dict[str, float]:
    """Return the 95th percentile of the milliseconds that a page takes, by what it is sorted by."""
    found = {}
    for sort in SORTS:
        taken, cursor = [], None
        while len(taken) < PAGES // len(SORTS) and (cursor or not taken):
            parameters = {"sort": sort, "limit": 50} | ({"cursor": cursor} if cursor else {})
            page, seconds = _page(client, job_id, parameters)
            cursor = page["next_cursor"]
            taken.append(seconds)
        found[sort] = round(1000 * float(np.percentile(taken, 95)), 1)
    return found


def _peak_bytes(process: psutil.Process) -> int:
    """Return the most memory that a process has had, 0 where the system does not tell."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0 kB").split()[0]) * 1024
