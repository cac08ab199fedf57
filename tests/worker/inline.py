"""Jobs done in this process, stage by stage as a worker does them."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from lookalike import jobs as life
from storage import jobs, shards
from storage.models import Job
from storage.shards import Message
from worker import pipeline, submission
from worker.dispatch import Dispatcher
from worker.tools import Tools


class Inline:
    """In the place of a dispatcher: works on what it is given to send."""

    expiry_days = 30

    def __init__(self, tools: Tools) -> None:
        self.tools, self.database = tools, tools.database
        self._waiting: deque[Message] = deque()

    def dispatch(self, job_id: uuid.UUID) -> int:
        with self.database.transaction() as session:
            return self.send(shards.take_window(session, job_id))

    def send(self, messages: Iterable[Message]) -> int:
        self._waiting += messages
        return 0

    def work(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            pipeline.run_shard(message.stage, message.shard_id, self.tools, cast(Dispatcher, self))

    def run(self, context_id: uuid.UUID, kind: str = life.EXTRACT_FEATURES, **parameters: Any) -> Job:
        """Do one job to its end."""
        dispatcher = cast(Dispatcher, self)
        job_id = submission.submit(
            self.database, dispatcher, context_id=context_id, kind=kind, parameters=parameters
        )
        self.work()
        with self.database.reading() as session:
            return jobs.get(session, job_id)
