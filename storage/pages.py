"""Keyset pages: a cursor says after which row the next page begins, so pages hold while rows come and go."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lookalike.errors import InvalidInput

Item = TypeVar("Item")
Other = TypeVar("Other")

MOST_ITEMS = 1000
WRONG_CURSOR = "The cursor is not one that this list gave."


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items in order, and the cursor of the page after them (None: there is none)."""

    items: list[Item]
    next_cursor: str | None

    def map(self, change: Callable[[Item], Other]) -> Page[Other]:
        """Return the same page with each item changed."""
        return Page([change(item) for item in self.items], self.next_cursor)


def encode_cursor(values: Sequence[str | int]) -> str:
    """Return the opaque cursor of a row with these sort values."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode_cursor(text: str, *kinds: type) -> list[Any]:
    """Return the sort values in a cursor, of the kinds given (one string if none are).

    Raises InvalidInput for any text that encode_cursor did not make.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        values = None
    # type(), not isinstance: true would pass as 1.
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds or [str]):
        raise InvalidInput(WRONG_CURSOR)
    if not all(_is_storable(value) for value in values):
        raise InvalidInput(WRONG_CURSOR)
    return values


def uuid_of(text: str) -> uuid.UUID:
    """Return the id in a cursor; raise InvalidInput if it is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput(WRONG_CURSOR) from None


def checked_limit(limit: int) -> int:
    """Return the number of items asked for; raise InvalidInput unless it is 1 to 1,000."""
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidInput(f"A page has 1 to {MOST_ITEMS:,} items, not {limit}.")
    return limit


def page_of(rows: Sequence[Item], limit: int, key: Callable[[Item], Sequence[Any]]) -> Page[Item]:
    """Make a page of rows that were asked for with one more than limit; key gives a row's sort values."""
    items = list(rows[:limit])
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)


def _is_storable(value: str | int) -> bool:
    # What no database can compare with would come back as an error of the server.
    if isinstance(value, int):
        return abs(value) < 2**63
    return "\0" not in value and not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
