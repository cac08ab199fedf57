"""Images, and what is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Reason, Timestamp
from storage import images
from storage.models import Image
from storage.removals import Returned


class RemovedBeforeView(BaseModel):
    """That the same bytes were removed from the context before."""

    removed_at: Timestamp
    removed_as: str = Field(examples=["cats/a.jpg"], description="The id that it had.")
    kept: str | None = Field(
        examples=["cats/better.jpg"],
        description="The image of its group that was kept then, if its bytes are still in the context.",
    )

    @classmethod
    def of(cls, returned: Returned) -> Self:
        """Return what is shown of a removal."""
        return cls(removed_at=returned.removed_at, removed_as=returned.removed_as, kept=returned.kept)


class ReturnedView(RemovedBeforeView):
    """An image that has come back."""

    image_id: str

    @classmethod
    def of(cls, returned: Returned) -> Self:
        """Return what is shown of an image that has come back."""
        return cls.model_validate(vars(returned))


class ImageView(BaseModel):
    """One picture in a context; its id is the user's own key, often a path."""

    image_id: str = Field(examples=["cats/a.jpg"])
    state: Literal["pending", "ready", "failed"] = Field(description="Whether it has features yet.")
    source: Literal["stored", "referenced"] = Field(
        description="stored: the bytes were uploaded; referenced: they stay where they are, never copied."
    )
    bytes: int | None
    sha256: str | None = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    format: str | None = Field(examples=["JPEG"])
    width: int | None = Field(description="As seen: after its EXIF orientation.")
    height: int | None
    error: Reason | None
    removed_before: RemovedBeforeView | None = Field(
        description="Set if an image with the same bytes was deleted, or missing from a complete import, and "
        "this one was added later."
    )
    created_at: Timestamp

    @classmethod
    def of(cls, image: Image, returned: Mapping[str, Returned]) -> Self:
        """Return what is shown of an image, given what has returned."""
        content, error = image.content, images.error(image)
        before = returned.get(image.image_id)
        return cls.model_validate(
            {
                "image_id": image.image_id,
                "state": images.state(image),
                "source": image.source,
                "bytes": image.byte_count,
                "sha256": content.sha256.hex() if content else None,
                "format": content.format if content else None,
                "width": content.width if content else None,
                "height": content.height if content else None,
                "error": {"code": error[0], "detail": error[1]} if error else None,
                "removed_before": RemovedBeforeView.of(before) if before else None,
                "created_at": image.created_at,
            }
        )


class NewImport(BaseModel):
    """A folder, URL or archive whose images are to be taken into a context."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"source": "/srv/photos/2026", "copy": False}]}
    )

    source: str = Field(
        min_length=1,
        max_length=4096,
        description="A folder or an archive under one of the import roots, or a URL that may be imported.",
    )
    # The name that pydantic gives to a method of its own.
    copies: bool = Field(
        False,
        alias="copy",
        description="Store the bytes: images stay when their files go. What is compressed as a whole "
        "(such as `.tar.gz`) is always copied.",
    )
    complete: bool = Field(
        False,
        description="Images whose files are gone leave the context, but for copies. "
        "The job fails if nothing is left.",
    )
