"""What the storage's operations are asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from api.compat.calls import named_storage
from api.compat.faces import Face
from api.dependencies import ClientId, TheParts
from api.parts import Parts
from storage import files
from storage.db import Session
from storage.files import Storage

VersionId = Annotated[str | None, Query(alias="versionId")]


@dataclass(frozen=True)
class StorageCall:
    """One request to a client's storage."""

    request: Request
    parts: Parts
    client_id: str | None
    storage: Storage

    @property
    def face(self) -> Face:
        """How answers look here."""
        face: Face = self.request.app.state.face
        return face

    def change(self, act: Callable[[Session], list[int]]) -> Response:
        """Change files in one transaction, then let go of bytes that nothing needs any more."""
        with self.parts.database.transaction() as session:
            freed = act(session)
        files.release(self.parts.database, self.parts.blobs, freed)
        return self.face.done()


@dataclass(frozen=True)
class To:
    """Where something is copied or moved: from one storage to a path of another, or of the same."""

    source: Storage
    storage: Storage
    path: str


def _storage_call(
    request: Request,
    parts: TheParts,
    client_id: ClientId,
    storage_name: Annotated[str | None, Query(alias="storageName")] = None,
) -> StorageCall:
    return StorageCall(request, parts, client_id, named_storage(client_id, storage_name))


def _to(
    client_id: ClientId,
    to: Annotated[str, Query(alias="destPath", min_length=1)],
    source: Annotated[str | None, Query(alias="srcStorageName")] = None,
    target: Annotated[str | None, Query(alias="destStorageName")] = None,
) -> To:
    return To(named_storage(client_id, source), named_storage(client_id, target), to)


TheStorageCall = Annotated[StorageCall, Depends(_storage_call)]
Destination = Annotated[To, Depends(_to)]
