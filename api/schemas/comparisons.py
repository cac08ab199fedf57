"""How alike pictures are."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Threshold
from worker.comparison import Compared, Similar

LARGEST_LIMIT = 1000

Id = Annotated[str, Field(min_length=1, max_length=1024, examples=["cats/a.jpg"])]


class ComparisonAsked(BaseModel):
    """Two images of the context, or fewer where pictures are uploaded."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"image_ids": ["cats/a.jpg", "cats/b.jpg"]}]}
    )

    image_ids: list[Id] = Field(max_length=2)


class ComparisonView(BaseModel):
    """How alike two pictures are, and what was found."""

    similarity: float = Field(examples=[98.7], description="0 to 100; 100 means the same pixels.")
    relation: str = Field(examples=["reencoded"])
    transform: dict[str, Any] = Field(description="How the second is made from the first.")
    evidence: dict[str, Any] = Field(description="What was found at each step.")
    decision: Literal["not_duplicates", "keep_both"] | None = Field(
        description="What was decided about the two in this context."
    )

    @classmethod
    def of(cls, found: Compared) -> Self:
        """Return what is shown of a comparison."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields})


class ExplainedView(ComparisonView):
    """How alike two pictures are, and why."""

    explanation: list[str] = Field(
        description="Sentences: what was found, how the second picture differs, the evidence of each step.",
        examples=[["Laid over one another as a whole, they agree."]],
    )


class SimilarAsked(BaseModel):
    """An image of the context, and how alike the others are to be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"image_id": "cats/a.jpg", "similarity_threshold": 80}]},
    )

    image_id: Id | None = Field(
        None, description="An image of the context; or upload any picture in `files`."
    )
    similarity_threshold: Threshold = 70.0
    limit: int = Field(20, ge=1, le=LARGEST_LIMIT)


class SimilarView(ComparisonView):
    """An image of the context that is like the one asked about."""

    image_id: str = Field(examples=["cats/b.jpg"])

    @classmethod
    def of_similar(cls, found: Similar) -> Self:
        """Return what is shown of a similar image."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields})


class SimilarList(BaseModel):
    """The most similar first; the image asked about is not among them."""

    items: list[SimilarView]
