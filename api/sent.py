"""What this server sends to webhooks, as /openapi.json describes it: whoever receives it has these routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header

from api.schemas.notices import DisabledNotice, GroupsNotice, JobNotice, ScheduleNotice, TestNotice


def _signed(
    webhook_id: Annotated[str, Header(description="The same however often this notice is sent.")],
    webhook_timestamp: Annotated[str, Header(description="When this attempt was made, in epoch seconds.")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.")
    ],
) -> None:
    """The headers of the Standard Webhooks specification."""


_ANSWERS: dict[int | str, dict[str, Any]] = {
    204: {"description": "Taken; so is any other 2xx within 20 seconds."},
    410: {"description": "Send nothing more: the webhook is disabled."},
    "default": {"description": "Not taken: tried again for three days."},
}

router = APIRouter(
    tags=["webhooks"],
    dependencies=[Depends(_signed)],
    responses=_ANSWERS,
    generate_unique_id_function=lambda route: route.name,
)


@router.post("job.succeeded", status_code=204)
def job_succeeded(body: JobNotice) -> None:
    """A job has done all that it was asked for."""


@router.post("job.failed", status_code=204)
def job_failed(body: JobNotice) -> None:
    """A job could not go on; `error` says why."""


@router.post("job.cancelled", status_code=204)
def job_cancelled(body: JobNotice) -> None:
    """A job was stopped by somebody."""


@router.post("groups.changed", status_code=204)
def groups_changed(body: GroupsNotice) -> None:
    """A job found groups that are new, changed or gone since the job before."""


@router.post("schedule.started", status_code=204)
def schedule_started(body: ScheduleNotice) -> None:
    """A schedule has made a job."""


@router.post("schedule.skipped", status_code=204)
def schedule_skipped(body: ScheduleNotice) -> None:
    """A schedule left a time out, as the job that it made before has not ended."""


@router.post("schedule.failed", status_code=204)
def schedule_failed(body: ScheduleNotice) -> None:
    """A schedule could not make its job; `reason` says why."""


@router.post("webhook.disabled", status_code=204)
def webhook_disabled(body: DisabledNotice) -> None:
    """Another webhook of yours is sent nothing more."""


@router.post("webhook.test", status_code=204)
def webhook_tried(body: TestNotice) -> None:
    """You asked for it; only the webhook that is tried is sent this."""
