"""What the stages work with, made once in each process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.decoding import Limits
from lookalike.features.extraction import Extracted, extract
from lookalike.index.planner import DEFAULT_MEMORY_BYTES
from storage.blobs import Blobs
from storage.db import Database
from storage.expiry import KEPT_RUNS, REMEMBERED_DAYS
from storage.settings import Settings
from worker.outbound import Outbound
from worker.prepared import PreparedCache

CACHE_BYTES = 16 * 1024**3
Extract = Callable[[bytes, Limits], Extracted]


@dataclass(frozen=True)
class Tools:
    """The stores, the limits, and how an image is extracted (tests put a crashing one here)."""

    database: Database
    blobs: Blobs
    limits: Limits
    # Where what can be made anew is kept beside the worker.
    cache_dir: Path
    expiry_days: int
    kept_runs: int = KEPT_RUNS
    join_memory_bytes: int = DEFAULT_MEMORY_BYTES
    remembered_days: int = REMEMBERED_DAYS
    cache_bytes: int = CACHE_BYTES
    extract: Extract = extract
    prepared: PreparedCache = field(default_factory=PreparedCache)
    outbound: Outbound = field(default_factory=Outbound)


def make_tools(
    settings: Settings,
    *,
    database: Database | None = None,
    blobs: Blobs | None = None,
    extract: Extract = extract,
) -> Tools:
    """Return the tools of this process; nothing is opened before it is used."""
    return Tools(
        database or Database(settings.database_url),
        blobs or Blobs(settings.blob_url),
        Limits(
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
            max_frames=settings.max_image_frames,
        ),
        settings.data_dir / "cache",
        settings.job_expiry_days,
        settings.kept_runs,
        settings.join_memory_bytes,
        settings.remembered_days,
        settings.cache_bytes,
        extract,
        outbound=Outbound(allow_private=settings.allow_private_addresses),
    )
