"""What a job has left in the database, for the tests to look at."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select

from lookalike import jobs as life
from storage.db import Database
from storage.models import Content, FeatureBlock, Grouping, Shard, Stage


def work_stored_twice(database: Database, job_id: uuid.UUID) -> list[str]:
    """Say what is there more often than it should be, if this job was the only one."""
    with database.reading() as session:
        records = session.scalar(select(func.sum(FeatureBlock.image_count)))
        extracted = session.scalar(select(func.count()).where(Content.block_id.is_not(None)))
        groupings = session.scalar(select(func.count()).where(Grouping.job_id == job_id))
        shards = select(func.count()).where(Shard.job_id == job_id, Shard.state == life.DONE)
        done = session.scalar(shards)
        counted = session.scalar(select(func.sum(Stage.shard_done)).where(Stage.job_id == job_id))
    wrong = []
    if records != extracted:
        wrong.append(f"{records} records of {extracted} contents")
    if groupings != 1:
        wrong.append(f"{groupings} groupings")
    if done != counted:
        wrong.append(f"{done} shards done, {counted} counted")
    return wrong
