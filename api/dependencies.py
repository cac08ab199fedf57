"""What routes ask for: the parts, who asks, and one transaction for each request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Path, Query, Request

from api.parts import Parts
from lookalike.errors import InvalidImageId
from lookalike.ids import checked_image_id
from storage.db import Session
from storage.pages import MOST_ITEMS


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(_parts)]


def _client_id(request: Request, parts: TheParts) -> str | None:
    if not parts.accounts.are_asked:
        # Open mode: nobody is asked who they are, and everything belongs to everybody.
        return None
    # Set by api.authentication. Where it is not, the request fails rather than see what is others'.
    client_id: str = request.state.client_id
    return client_id


# Every route takes it and hands it on to storage, which finds nothing that is another client's.
ClientId = Annotated[str | None, Depends(_client_id)]


def _transaction(parts: TheParts) -> Iterator[Session]:
    with parts.database.transaction() as session:
        yield session


def _reading(parts: TheParts) -> Iterator[Session]:
    with parts.database.reading() as session:
        yield session


# scope="function": committed before the answer leaves, so who has the answer can rely on it.
Transaction = Annotated[Session, Depends(_transaction, scope="function")]
Reading = Annotated[Session, Depends(_reading, scope="function")]


def _image_id(
    request: Request,
    image_id: Annotated[
        str,
        Path(
            description="The image's id as given; slashes may be written as they are.",
            examples=["cats/a.jpg"],
        ),
    ],
) -> str:
    # Servers put U+FFFD for bytes that are not UTF-8: two ids would become one.
    raw_path = request.scope.get("raw_path")
    if "\ufffd" in image_id and raw_path and not _is_text(unquote_to_bytes(raw_path)):
        raise InvalidImageId("An image id in a path is percent-encoded UTF-8.")
    return checked_image_id(image_id)


ImageId = Annotated[str, Depends(_image_id)]

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Most items in a page.")]
Cursor = Annotated[str | None, Query(max_length=8192, description="`next_cursor` of the page before.")]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
