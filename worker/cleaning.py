"""Removing what has expired and what nothing refers to: a thread in each worker, apart from recovery.

A large context takes minutes to go, and a dead worker's shard must not wait for that.
"""

from __future__ import annotations

import threading
import time

import structlog

from lookalike.errors import LookalikeError
from storage import contexts, expiry
from storage.db import OperationalError
from worker import derived, snapshots
from worker.tools import Tools

# Every worker does it, each safe beside the others.
EXPIRE_SECONDS = 3600.0
SWEEP_SECONDS = 24 * 3600.0

log = structlog.get_logger()


class Cleaning:
    """Cleans once an hour, and looks through the whole blob store once a day."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_cleaning, name="cleaning", daemon=True)
        self._swept_at = time.monotonic()

    def start(self) -> None:
        """Begin to clean, at once: the worker of a search lives for seconds, and nobody else would."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a step that runs is left to the daemon thread's end, each is a transaction of its own."""
        self._over.set()

    def clean(self, *, sweeps: bool) -> None:
        """Do it now."""
        tools = self._tools
        expired = expiry.expire(
            tools.database,
            tools.blobs,
            kept_runs=tools.kept_runs,
            remembered_days=tools.remembered_days,
        )
        with tools.database.reading() as session:
            snapshots.remove_unwanted(
                tools.cache_dir, lambda found: contexts.existing(session, found), tools.cache_bytes
            )
        derived.remove_old(tools.cache_dir)
        swept = expiry.sweep(tools.database, tools.blobs) if sweeps else 0
        log.info("cleaning.done", swept=swept, **vars(expired))

    def _keep_cleaning(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            pause = EXPIRE_SECONDS
            sweeps = time.monotonic() - self._swept_at > SWEEP_SECONDS
            try:
                self.clean(sweeps=sweeps)
            except (LookalikeError, OperationalError, OSError) as error:
                log.warning("cleaning.failed", error=repr(error))
            else:
                self._swept_at = time.monotonic() if sweeps else self._swept_at
