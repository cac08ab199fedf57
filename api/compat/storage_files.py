"""Files of a client's storage: uploaded, downloaded, copied, moved, removed."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api import pictures
from api.compat import bodies
from api.compat.storage_calls import Destination, StorageCall, TheStorageCall, VersionId
from api.receiving import ReceivedFile
from lookalike.errors import InvalidInput
from storage import files
from storage.db import Session

router = APIRouter(prefix="/storage/file")

Act = Callable[[Session], list[int]]


@router.put("/copy/{path:path}")
def copy_file(path: str, call: TheStorageCall, to: Destination, version_id: VersionId = None) -> Response:
    """Copy a file, in place of the one that may be there."""
    return call.change(lambda session: files.copy(session, to.source, path, to.storage, to.path, version_id))


@router.put("/move/{path:path}")
def move_file(path: str, call: TheStorageCall, to: Destination, version_id: VersionId = None) -> Response:
    """Move a file, in place of the one that may be there. Contexts that have taken it in keep it."""
    return call.change(lambda session: files.move(session, to.source, path, to.storage, to.path, version_id))


@router.get("/{path:path}")
def download_file(path: str, call: TheStorageCall, version_id: VersionId = None) -> Response:
    """Return a file as it is."""
    with call.parts.database.reading() as session:
        file = files.get(session, call.storage, path, version_id)
        sha256 = files.content_of(file).sha256
    return pictures.stored(call.request, call.parts.blobs, sha256, file.path)


@router.put("/{path:path}")
async def upload_file(path: str, call: TheStorageCall) -> Response:
    """Store the file in the request at a path; where that is a folder, under the file's own name."""
    parts = call.parts
    async with bodies.files(call.request, parts.settings.max_image_bytes, parts.blobs) as form:
        uploaded = await run_in_threadpool(_store, call, path, form.files)
    return call.face.answer({"uploaded": uploaded, "errors": []})


@router.delete("/{path:path}")
def delete_file(path: str, call: TheStorageCall, version_id: VersionId = None) -> Response:
    """Remove a file. Contexts that have taken it in keep their image."""
    return call.change(lambda session: files.remove(session, call.storage, path, version_id))


def _store(call: StorageCall, path: str, given: list[ReceivedFile]) -> list[str]:
    if not given:
        raise InvalidInput("Send the file: as multipart/form-data, or as the body.")
    freed: list[int] = []
    with call.parts.database.transaction() as session:
        in_folder = path.endswith("/") or len(given) > 1 or files.is_folder(session, call.storage, path)
        paths = [f"{path.rstrip('/')}/{_own_name(file)}" if in_folder else path for file in given]
        for target, file in zip(paths, given, strict=True):
            freed += files.put(session, call.parts.blobs, call.storage, target, file.received)
    files.release(call.parts.database, call.parts.blobs, freed)
    return [target.rpartition("/")[2] for target in paths]


def _own_name(file: ReceivedFile) -> str:
    name = file.name.replace("\\", "/").rpartition("/")[2]
    if not name:
        raise InvalidInput("The path is a folder: name the file in the path, or in its part of the form.")
    return name
