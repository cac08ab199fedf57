"""Search contexts."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Threshold, Timestamp
from storage.models import Context

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["holiday"])]


class NewContext(BaseModel):
    """A collection to be, inside which duplicates are searched."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "holiday", "similarity_threshold": 90}]}
    )

    name: Name
    similarity_threshold: Threshold = 90.0
    match_floor: Threshold | None = Field(
        None, description="Matches are kept down to here: 70, or the threshold if that is lower."
    )


class ContextChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "holiday 2026"}]})

    # None only stands for "left out": a null is refused, as neither has no value.
    name: Name = None  # type: ignore[assignment]
    similarity_threshold: Threshold = None  # type: ignore[assignment]
    match_floor: Threshold = None  # type: ignore[assignment]

    def changes(self) -> dict[str, Any]:
        """Return what was given."""
        return self.model_dump(exclude_unset=True)


class ImageCounts(BaseModel):
    """How many images of a context wait for their features, have them, or cannot be read."""

    pending: int
    ready: int
    failed: int


class ContextView(BaseModel):
    """A search context: the collection inside which duplicates are searched, with its settings."""

    id: uuid.UUID
    name: str
    similarity_threshold: float
    match_floor: float
    revision: int = Field(description="Counts every change of the context's images.")
    image_counts: ImageCounts | None = Field(None, description="Not in lists.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, context: Context, counts: dict[str, int] | None = None) -> Self:
        """Return what is shown of a context."""
        same = {name: getattr(context, name) for name in cls.model_fields if name != "image_counts"}
        return cls.model_validate({**same, "image_counts": counts})
