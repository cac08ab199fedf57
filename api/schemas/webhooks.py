"""Webhooks, and what is on its way to them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.schemas.values import Timestamp
from lookalike import notices as life
from storage.deliveries import message_id_of
from storage.models import Delivery, Notice, Webhook

NoticeType = Literal[
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "groups.changed",
    "schedule.started",
    "schedule.skipped",
    "schedule.failed",
    "webhook.disabled",
    "webhook.test",
]
assert set(get_args(NoticeType)) == set(life.TYPES)
DeliveryState = Literal["pending", "delivered", "failed"]
assert set(get_args(DeliveryState)) == set(life.DELIVERY_STATES)

LONGEST_GRACE_SECONDS = 7 * 24 * 3600

_EXAMPLE: dict[str, Any] = {
    "url": "https://example.com/hooks/lookalike",
    "types": ["job.failed", "groups.changed"],
    "description": "Tells the archive",
}


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("it is text without NUL")
    return value


Text = Annotated[str, AfterValidator(_text)]
Url = Annotated[Text, Field(min_length=1, max_length=2048, examples=["https://example.com/hooks/lookalike"])]
Description = Annotated[Text, Field(max_length=1000, description="For people.")]
Types = Annotated[
    list[NoticeType], Field(max_length=20, description="What it is told of; empty: everything.")
]


class NewWebhook(BaseModel):
    """An address of yours that is to be told what happens."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    url: Url
    types: Types = []
    description: Description = ""
    context_id: uuid.UUID | None = Field(None, description="Only what happens in this context.")


class WebhookChange(BaseModel):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"is_enabled": True}]})

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    is_enabled: bool | None = Field(None, description="Enabled again, it is sent at once what waits.")

    def changes(self) -> dict[str, Any]:
        """Return what was given."""
        return self.model_dump(exclude_none=True)


class WebhookView(BaseModel):
    """A receiver of notices."""

    id: uuid.UUID
    url: str
    types: list[NoticeType]
    description: str
    context_id: uuid.UUID | None
    is_enabled: bool
    disabled_reason: Literal["by_request", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410. `failing`: every attempt in three days failed."
    )
    disabled_at: Timestamp | None
    is_failing: bool = Field(description="Whether the last attempt failed.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, webhook: Webhook, **more: object) -> Self:
        """Return what is shown of a webhook; not its secret."""
        same = {name: getattr(webhook, name) for name in _SAME}
        is_enabled, is_failing = webhook.disabled_reason is None, webhook.failing_since is not None
        return cls.model_validate({**same, "is_enabled": is_enabled, "is_failing": is_failing, **more})


_SAME = WebhookView.model_fields.keys() - {"is_enabled", "is_failing"}


class SecretWebhookView(WebhookView):
    """A receiver with the secret that signs what it is sent, shown this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    @classmethod
    def with_secret(cls, webhook: Webhook) -> Self:
        """Return what is shown of a webhook whose secret is new."""
        return cls.of(webhook, secret=webhook.secret)


class Rotation(BaseModel):
    """For how long the old secret signs too."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"grace_seconds": 86400}]})

    grace_seconds: int = Field(24 * 3600, ge=0, le=LONGEST_GRACE_SECONDS)


class AttemptView(BaseModel):
    """One time that it was tried."""

    at: str
    status: int | None = Field(description="What the receiver answered; null if there was no answer.")
    error: str | None
    milliseconds: int


class DeliveryView(BaseModel):
    """A notice on its way to a webhook, and how each attempt ended."""

    id: str = Field(
        examples=["msg_0198c0de7a1170008000000000000000"],
        description="The header `webhook-id`: the same however often it is sent.",
    )
    type: NoticeType
    state: DeliveryState
    attempts: list[AttemptView] = Field(description="The last 20, oldest first.")
    next_attempt_at: Timestamp | None = Field(description="Not before; null unless it is pending.")
    payload: str = Field(description="The body that is sent, to the last byte.")
    created_at: Timestamp

    @classmethod
    def of(cls, found: tuple[Delivery, Notice]) -> Self:
        """Return what is shown of a delivery."""
        delivery, notice = found
        is_pending = delivery.state == life.PENDING
        return cls.model_validate(
            {
                "id": message_id_of(notice.key),
                "type": notice.type,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "next_attempt_at": datetime.fromtimestamp(delivery.due_at, UTC) if is_pending else None,
                "payload": notice.payload,
                "created_at": delivery.created_at,
            }
        )


class Replay(BaseModel):
    """What is to be sent again: deliveries by id, or what was missed in a span of time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00Z"}]}
    )

    delivery_ids: list[Annotated[str, Field(max_length=64)]] | None = Field(
        None, min_length=1, max_length=1000, description="Sent again, delivered or not."
    )
    since: AwareDatetime | None = Field(
        None, description="What failed from then on, and what was never sent as the webhook was disabled."
    )
    until: AwareDatetime | None = Field(None, description="Before this time; now unless given.")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if (self.delivery_ids is None) == (self.since is None):
            raise ValueError("give either delivery_ids or since")
        return self


class Replayed(BaseModel):
    """How much is on its way again."""

    replayed: int
