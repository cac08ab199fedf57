"""Duplicate groups."""

from __future__ import annotations

import uuid
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.schemas.values import PageView
from storage.groups import Listed, ShownGroup
from storage.lineages import Difference
from worker.showing import Counted

ChangeName = Literal["new", "grown", "shrunk", "merged", "split", "original_changed", "gone"]


class GroupImageView(BaseModel):
    """An image of a group, with its similarity to the original."""

    image_id: str = Field(examples=["cats/a.jpg"])
    similarity: float = Field(examples=[98.7])
    relation: str = Field(
        examples=["reencoded"],
        description="How it differs: original, identical_file, identical_pixels, reencoded, resized, "
        "cropped, rotated, mirrored, toned, overlaid, edited or series.",
    )
    width: int | None
    height: int | None
    format: str | None = Field(examples=["JPEG"])
    bytes: int | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """Return what is shown of an image in a group."""
        same = {name: getattr(listed, name) for name in cls.model_fields if name != "bytes"}
        return cls.model_validate({**same, "bytes": listed.byte_count})


class RelatedImageView(GroupImageView):
    """An image that matches a member but belongs to another group or to none; never a copy to be removed."""

    related_to: str | None = Field(description="The image of this group that it matches.")


class GroupView(BaseModel):
    """An original and the images that match it; the original is the first."""

    id: str = Field(
        examples=["0198c0de-7a11-7000-8000-5ca1ab1e0002"],
        description="Stays from job to job while the groups share images. At another threshold than "
        "the job's own it is good for this job alone.",
    )
    original_reasons: list[str] = Field(
        examples=[["larger", "has_metadata"]], description="Why it is kept, before the best of the others."
    )
    image_count: int
    reclaimable_bytes: int
    least_similarity: float
    images: list[GroupImageView]
    related: list[RelatedImageView]

    @classmethod
    def of(cls, group: ShownGroup) -> Self:
        """Return what is shown of a group."""
        same = {name: getattr(group, name) for name in cls.model_fields if name not in ("images", "related")}
        listed = [GroupImageView.of(each) for each in group.images]
        related = [RelatedImageView.of(each) for each in group.related]
        return cls.model_validate({**same, "images": listed, "related": related})


class GroupingView(BaseModel):
    """All groups of the job at this threshold, counted."""

    similarity_threshold: float
    group_count: int
    duplicate_count: int = Field(description="Images beside the originals.")
    reclaimable_bytes: int

    @classmethod
    def of(cls, grouping: Counted) -> Self:
        """Return what is shown of a grouping."""
        return cls(
            similarity_threshold=grouping.threshold_tenths / 10,
            group_count=grouping.group_count,
            duplicate_count=grouping.duplicate_count,
            reclaimable_bytes=grouping.reclaimable_bytes,
        )


class DifferenceView(BaseModel):
    """What happened to one group since the job before, at the same threshold."""

    group_id: str
    changes: list[ChangeName] = Field(
        description="new: none of its images was in a group. merged: it has images of several groups. split: "
        "images that were with some of its own are now in another group. gone: no group goes on with its id."
    )
    image_count: int
    previous_image_count: int
    came_from: list[str] = Field(description="Ids of other groups that had some of its images.")
    went_to: list[str] = Field(description="Of a group that is gone: ids of those that have its images.")
    group: GroupView | None = Field(description="The group as it is now; null if it is gone.")

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """Return what is shown of a difference."""
        group = None if difference.group is None else GroupView.of(difference.group)
        return cls.model_validate({**vars(difference), "group": group})


class DifferencePageView(PageView[DifferenceView]):
    """A page of differences."""

    since_job_id: uuid.UUID | None = Field(
        description="The job that this one is compared with; null if it is the first or that has expired."
    )
    counts: dict[str, int] = Field(
        examples=[{"new": 3, "grown": 1, "gone": 0}], description="How many groups each change happened to."
    )


class GroupPageView(PageView[GroupView]):
    """A page of groups."""

    grouping: GroupingView
