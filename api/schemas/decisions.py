"""Decisions about pairs of images."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.comparisons import Id
from api.schemas.values import Timestamp
from lookalike.decisions import VERDICTS
from storage.decisions import MOST_IMAGES, MOST_NOTE_LENGTH
from storage.models import Decision

Verdict = Literal["not_duplicates", "keep_both"]
assert set(VERDICTS) == {"not_duplicates", "keep_both"}
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

_EXAMPLE: dict[str, Any] = {"verdict": "not_duplicates", "image_ids": ["cats/a.jpg", "cats/b.jpg"]}


class NewDecision(BaseModel):
    """What holds of each two of some images, named by their ids or by the SHA-256 of their bytes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    verdict: Verdict = Field(
        description="`not_duplicates`: they are no match, whatever their similarity. `keep_both`: they are "
        "copies, and neither is ever a copy to be removed in favour of the other; they are seen as `related`."
    )
    image_ids: list[Id] | None = Field(None, min_length=2, max_length=MOST_IMAGES)
    sha256: list[Sha256] | None = Field(
        None,
        min_length=2,
        max_length=MOST_IMAGES,
        description="They need not be in the context now. One that is given twice: its copies all stay.",
    )
    note: str = Field("", max_length=MOST_NOTE_LENGTH, description="Why, for people.")

    @model_validator(mode="after")
    def _names_images_once(self) -> Self:
        if (self.image_ids is None) == (self.sha256 is None):
            raise ValueError("give either image_ids or sha256")
        if "\0" in self.note:
            raise ValueError("a note is text without NUL")
        return self


class DecisionView(BaseModel):
    """A decision about two contents; it holds for all images that have these bytes, now and later."""

    id: uuid.UUID
    verdict: Verdict
    sha256: list[str] = Field(description="Of the two, in ascending order.")
    image_ids: list[list[str]] = Field(
        examples=[[["cats/a.jpg", "old/a.jpg"], ["cats/b.jpg"]]],
        description="Images of the context that have these bytes now, at most 10 each.",
    )
    note: str
    decided_at: Timestamp

    @classmethod
    def of(cls, decision: Decision, names: Mapping[bytes, list[str]]) -> Self:
        """Return what is shown of a decision."""
        pair = (decision.low_sha256, decision.high_sha256)
        return cls.model_validate(
            {
                "id": decision.id,
                "verdict": decision.verdict,
                "sha256": [sha256.hex() for sha256 in pair],
                "image_ids": [names.get(sha256, []) for sha256 in pair],
                "note": decision.note,
                "decided_at": decision.decided_at,
            }
        )


class DecisionList(BaseModel):
    """The decisions made, one for each two contents."""

    items: list[DecisionView]


class ImportedView(BaseModel):
    """What an import did, counted in decisions."""

    added: int
    replaced: int = Field(description="A later decision about the pair than the one that was there.")
    unchanged: int
    outdated: int = Field(description="Left out: there is a later decision about the pair.")
    unknown: int = Field(description="About images that are not in the context; kept, as they may come.")
