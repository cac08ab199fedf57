"""Jobs, and how to ask for one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.values import Reason, Threshold, Timestamp
from lookalike.jobs import APPLY_RULE, EXTRACT_FEATURES, FIND_DUPLICATES, JOB_STATES
from storage.models import Job, JobError, Stage

Kind = Literal["find_duplicates", "extract_features", "apply_rule"]
State = Literal["queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled"]
assert set(JOB_STATES) == set(get_args(State))

_JOB: dict[str, Any] = {
    "id": "0198c0de-7a11-7000-8000-5ca1ab1e0001",
    "context_id": "0198c0de-7a11-7000-8000-5ca1ab1e0000",
    "kind": "find_duplicates",
    "state": "running",
    "stages": [
        {"name": "extract", "state": "done", "done": 700, "total": 700},
        {"name": "join", "state": "running", "done": 350, "total": 700},
        {"name": "verify", "state": "pending", "done": 0, "total": None},
        {"name": "group", "state": "pending", "done": 0, "total": None},
    ],
    "parameters": {"similarity_threshold": 90.0, "mode": "full"},
    "counts": {},
    "error": None,
    "created_at": "2026-11-22T21:46:14.120000Z",
    "started_at": "2026-11-22T21:46:14.180000Z",
    "finished_at": None,
    "expires_at": None,
}


class StageView(BaseModel):
    """One step of a job; done and total count what a person counts: images, pairs, groups."""

    name: Literal["import", "extract", "join", "verify", "group", "apply"]
    state: str = Field(examples=["running"])
    done: int
    total: int | None = Field(description="Not known before the stage has been planned.")


class JobView(BaseModel):
    """One requested piece of work and its state."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    id: uuid.UUID
    context_id: uuid.UUID
    kind: Kind
    state: State
    stages: list[StageView]
    parameters: dict[str, Any]
    counts: dict[str, Any]
    error: Reason | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    expires_at: Timestamp | None = Field(description="When the job and its groups are deleted.")

    @classmethod
    def of(cls, job: Job, stages: Sequence[Stage]) -> Self:
        """Return what is shown of a job."""
        return cls.model_validate(
            {
                **{name: getattr(job, name) for name in _SAME},
                "error": _reason(job),
                "stages": [
                    {"name": each.name, "state": each.state, "done": each.done, "total": each.total}
                    for each in stages
                ],
            }
        )


class NewJob(BaseModel):
    """A job to be done on the images of a context."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "find_duplicates", "similarity_threshold": 90, "mode": "full"}]
        },
    )

    kind: Kind
    similarity_threshold: Threshold | None = Field(
        None,
        description="Least similarity of a match; the context's own unless given. Not of extract_features.",
    )
    mode: Literal["full", "incremental"] | None = Field(
        None, description="`incremental` re-uses the last job's work. find_duplicates only."
    )

    rule: Literal["keep_original"] | None = Field(
        None,
        description="Keep the original of each group of the last find_duplicates job with this threshold; "
        "the rest would be removed. apply_rule only, which reports in its counts and removes nothing.",
    )
    relations: list[str] | None = Field(
        None,
        max_length=20,
        description="Remove no copies but these, such as `identical_file`. apply_rule only.",
    )
    dry_run: Literal[True] | None = Field(None, description="It always is. apply_rule only.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if wrong := self.parameters().keys() - _OF_KIND[self.kind]:
            raise ValueError(f"a job of kind {self.kind} has no {', '.join(sorted(wrong))}")
        return self

    def parameters(self) -> dict[str, Any]:
        """Return what was given beside the kind."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class JobErrorView(BaseModel):
    """What went wrong with one image; the job goes on without it."""

    image_id: str = Field(examples=["cats/broken.jpg"])
    code: str = Field(examples=["corrupt_image"])
    detail: str = Field(examples=["The image is damaged or cut short."])

    @classmethod
    def of(cls, error: JobError) -> Self:
        """Return what is shown of an error."""
        return cls(image_id=error.image_id, code=error.code, detail=error.detail)


_OF_KIND = {
    EXTRACT_FEATURES: set[str](),
    FIND_DUPLICATES: {"similarity_threshold", "mode"},
    APPLY_RULE: {"similarity_threshold", "rule", "relations", "dry_run"},
}
_SAME = JobView.model_fields.keys() - {"error", "stages"}


def _reason(job: Job) -> dict[str, str] | None:
    if job.error_code is None:
        return None
    return {"code": job.error_code, "detail": job.error_detail or ""}
