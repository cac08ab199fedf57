"""What webhooks are sent: one envelope, and data that is thin."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.values import Reason


class Told(BaseModel):
    """What every notice tells: where on this server to read more."""

    url: str = Field(description="A path on this server.", examples=["/v1/jobs/0198c0de-7a11-7000-8000-1"])


class JobTold(Told):
    """The end of a job."""

    job_id: uuid.UUID
    context_id: uuid.UUID
    kind: str = Field(examples=["find_duplicates"])
    state: Literal["succeeded", "failed", "cancelled"]
    schedule_id: uuid.UUID | None = Field(None, description="Left out unless a schedule made the job.")
    error: Reason | None = Field(None, description="Left out unless it failed.")


class GroupsTold(Told):
    """What is different from the groups of the job before."""

    job_id: uuid.UUID
    context_id: uuid.UUID
    kind: str = Field(examples=["find_duplicates"])
    schedule_id: uuid.UUID | None = Field(None, description="Left out unless a schedule made the job.")
    similarity_threshold: float
    group_count: int
    changes: dict[str, int] = Field(
        examples=[{"new": 3, "grown": 1, "gone": 0}], description="How many groups each change happened to."
    )


class ScheduleTold(Told):
    """What became of a due time of a schedule."""

    schedule_id: uuid.UUID
    context_id: uuid.UUID
    run_id: int
    due_at: AwareDatetime
    job_id: uuid.UUID | None = Field(description="Null where no job was made.")
    reason: Reason | None = Field(None, description="Why no job was made; left out where one was.")


class DisabledTold(Told):
    """The end of what is sent to a webhook."""

    webhook_id: uuid.UUID
    reason: Literal["gone", "failing"]


class TestTold(BaseModel):
    """Nothing but which webhook is tried."""

    webhook_id: uuid.UUID


class JobNotice(BaseModel):
    """A job has ended."""

    type: Literal["job.succeeded", "job.failed", "job.cancelled"]
    timestamp: AwareDatetime
    data: JobTold


class GroupsNotice(BaseModel):
    """Groups have changed."""

    type: Literal["groups.changed"]
    timestamp: AwareDatetime
    data: GroupsTold


class ScheduleNotice(BaseModel):
    """A schedule was due."""

    type: Literal["schedule.started", "schedule.skipped", "schedule.failed"]
    timestamp: AwareDatetime
    data: ScheduleTold


class DisabledNotice(BaseModel):
    """A webhook is sent nothing more."""

    type: Literal["webhook.disabled"]
    timestamp: AwareDatetime
    data: DisabledTold


class TestNotice(BaseModel):
    """A webhook is tried."""

    type: Literal["webhook.test"]
    timestamp: AwareDatetime
    data: TestTold
