"""What a stage is to the pipeline."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from storage.db import Session
from storage.models import Job, Shard
from storage.shards import ShardPlan
from worker.lease import Lease
from worker.tools import Tools


def _nothing(session: Session) -> None:
    """Store nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a shard has made: `store` runs in the transaction that calls the shard done, so keep it short.

    `counts` are added up into the job's counts; `item_count` replaces the planned one where only the run
    knows it; `abandon` undoes what lies outside the database if the shard was no longer ours.
    """

    store: Callable[[Session], None] = _nothing
    counts: dict[str, int] = field(default_factory=dict)
    data: bytes | None = None
    item_count: int | None = None
    abandon: Callable[[], None] = lambda: None


class Stage(Protocol):
    """A module of worker.stages."""

    def plan(self, session: Session, job: Job) -> list[ShardPlan]:
        """Cut the stage into shards, with what is known now."""

    def run(self, shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
        """Do the work of one shard."""

    def singles(self, shard: Shard) -> list[ShardPlan]:
        """Cut a shard into items; nothing if it cannot be cut."""

    def blame(self, session: Session, shard: Shard) -> list[str]:
        """Return the image ids of a single item that kills its worker."""


def plain(values: Any) -> list[int]:
    """Return numbers as Python's own, which JSON and SQL want."""
    return [int(value) for value in values]
