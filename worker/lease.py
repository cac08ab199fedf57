"""Holding a shard: a thread renews the lease and looks whether the work is still wanted."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import structlog

from lookalike import jobs as life
from storage import shards
from storage.db import Database
from storage.models import Shard
from worker import stopping

RENEW_SECONDS = 2.0
LOOK_SECONDS = 0.5

log = structlog.get_logger()


class Stopped(Exception):
    """The shard is to be given back: cancelled, paused, lost to another, or the worker stops."""


class Lease:
    """A claimed shard while it is worked on; use it as a context manager."""

    def __init__(self, database: Database, shard: Shard) -> None:
        self._database = database
        self._shard_id, self._attempt = shard.id, shard.attempt
        self._over = threading.Event()
        self._reason: str | None = None
        self._thread = threading.Thread(target=self._keep, name=f"lease-{shard.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # After a fence the thread may be waiting for our own transaction: never wait for it for long.
        self._thread.join(timeout=1.0)

    def check(self) -> None:
        """Raise Stopped if the work is no longer wanted; call it between items."""
        if self._reason is None and stopping.is_stopping():
            self._reason = "worker_stopping"
        if self._reason is not None:
            raise Stopped(self._reason)

    def _keep(self) -> None:
        renewed_at = time.monotonic()
        while not self._over.wait(LOOK_SECONDS) and self._reason is None:
            try:
                if time.monotonic() - renewed_at >= RENEW_SECONDS:
                    renewed_at = time.monotonic()
                    self._renew()
                self._look()
            except Exception as error:  # the database may be back before the lease is over
                log.warning("lease.renewal_failed", shard_id=self._shard_id, error=repr(error))

    def _renew(self) -> None:
        with self._database.transaction() as session:
            if not shards.renew(session, self._shard_id, self._attempt):
                self._reason = "lease_lost"

    def _look(self) -> None:
        with self._database.reading() as session:
            state = shards.job_state(session, self._shard_id, self._attempt)
        if state not in life.WORKING_STATES:
            self._reason = f"job_{state}" if state else "lease_lost"
