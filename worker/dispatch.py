"""Sending messages: each says only which shard is ready. The rows are the truth and the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from storage import shards
from storage.db import Database
from storage.shards import Message

log = structlog.get_logger()


class Dispatcher:
    """Sends the shards of jobs to the broker, a few of each job at a time."""

    def __init__(self, database: Database, app: Celery, *, expiry_days: int = 30) -> None:
        self.database = database
        self.expiry_days = expiry_days
        self._app = app

    def dispatch(self, *job_ids: uuid.UUID) -> int:
        """Fill the windows of jobs and return how many messages were sent."""
        if not job_ids:
            return 0
        with self.database.transaction() as session:
            messages = [each for job_id in job_ids for each in shards.take_window(session, job_id)]
        return self.send(messages)

    def send(self, messages: Iterable[Message]) -> int:
        """Send messages, after the commit: a worker must never look for a row that is not there yet.

        Those that cannot be sent now are lost, and recovery sends them again.
        """
        count = 0
        for message in messages:
            try:
                self._app.send_task(
                    message.stage, (message.shard_id,), queue=message.queue, retry=False, ignore_result=True
                )
            except (OperationalError, OSError) as error:
                log.warning("message.not_sent", shard_id=message.shard_id, error=repr(error))
                break
            count += 1
        return count

    def empty_queues(self, queues: Iterable[str]) -> set[str]:
        """Return those of the queues in which no message waits."""
        with self._app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return {queue for queue in queues if channel._size(queue) == 0}
