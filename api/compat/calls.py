"""What every operation is asked with: who asks, which storage and folder, and how ids are written."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Query, Request

from api.compat.faces import Face
from api.dependencies import ClientId, TheParts
from api.parts import Parts
from lookalike.errors import InvalidInput, NotFound
from lookalike.ids import checked_image_id, image_id_of_url
from lookalike.paths import joined
from storage import contexts
from storage.files import Storage

MOST_NAME_CHARACTERS = 100

_ENCODED_URL = re.compile(r"https?%3a", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)

# Some clients send what they leave out as an empty value.
Text = Annotated[str | None, Query()]
# Percentages as 80, 80.0 or 90.00.
Threshold = Annotated[float, Query(alias="similarityThreshold", ge=0, le=100, allow_inf_nan=False)]
MaxCount = Annotated[int, Query(alias="maxCount", ge=1)]


@dataclass(frozen=True)
class Call:
    """One request to the compatible API."""

    request: Request
    parts: Parts
    client_id: str | None
    storage: Storage
    folder: str

    @property
    def face(self) -> Face:
        """How answers look here."""
        face: Face = self.request.app.state.face
        return face

    def path_of(self, image_id: str) -> str:
        """Return where an image lies in the storage. Raises InvalidPath."""
        return joined(self.folder, image_id)

    def check_context(self, context_id: uuid.UUID) -> None:
        """Raise NotFound unless there is such a context, and it is this client's."""
        with self.parts.database.reading() as session:
            contexts.get(session, context_id, self.client_id)


def _call(
    request: Request, parts: TheParts, client_id: ClientId, folder: Text = None, storage: Text = None
) -> Call:
    return Call(request, parts, client_id, named_storage(client_id, storage), folder or "")


TheCall = Annotated[Call, Depends(_call)]


def named_storage(client_id: str | None, name: str | None) -> Storage:
    """Return a client's storage of this name, or the one that is meant when none is named."""
    if name and (len(name) > MOST_NAME_CHARACTERS or "\0" in name or not _is_text(name)):
        raise InvalidInput(f"A storage's name is text of at most {MOST_NAME_CHARACTERS} characters.")
    return Storage(client_id, name or "")


def _context_id(context_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(context_id)
    except ValueError:
        raise NotFound(f"There is no search context {context_id!r}.") from None


ContextId = Annotated[uuid.UUID, Depends(_context_id)]


def is_encoded_url(given: str) -> bool:
    """Tell whether a URL is still percent-encoded: clients encode what they have encoded already."""
    return _ENCODED_URL.match(given) is not None


def plain_image_id(given: str) -> str:
    """Return an image id as it is stored: like those of a web page's images, or a path in the storage.

    URLs come encoded once or twice, and paths with a slash before them or without. Raises InvalidImageId.
    """
    url = unquote(given) if is_encoded_url(given) else given
    return image_id_of_url(url) if _URL.match(url) else checked_image_id(given.strip("/"))


def _image_id(image_id: Annotated[str, Query(alias="imageId")]) -> str:
    return plain_image_id(image_id)


def _optional_image_id(image_id: Annotated[str | None, Query(alias="imageId")] = None) -> str | None:
    return plain_image_id(image_id) if image_id else None


ImageId = Annotated[str, Depends(_image_id)]
OptionalImageId = Annotated[str | None, Depends(_optional_image_id)]


def _is_text(value: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
