"""Values that several answers share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, Field, PlainSerializer

from storage.pages import Page

Item = TypeVar("Item")


def rfc3339(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
Threshold = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, examples=[90])]


class Reason(BaseModel):
    """Why something did not work: `code` for programs, `detail` for people."""

    code: str = Field(examples=["corrupt_image"])
    detail: str = Field(examples=["The image is damaged or cut short."])


class PageView(BaseModel, Generic[Item]):
    """Some items in order, and the cursor of the page after them (null: there is none)."""

    items: list[Item]
    next_cursor: str | None = Field(examples=["WyJjYXRzL2EuanBnIl0"])

    @classmethod
    def of(cls, page: Page[Item]) -> Self:
        """Return what is shown of a page."""
        return cls(items=page.items, next_cursor=page.next_cursor)
