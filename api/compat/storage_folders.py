"""Folders of a client's storage, and what the storage tells of itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from api.compat.calls import named_storage
from api.compat.storage_calls import Destination, StorageCall, TheStorageCall, VersionId
from api.schemas.values import rfc3339
from lookalike.errors import NotFound
from storage import files

router = APIRouter(prefix="/storage")

Recursive = Annotated[bool, Query()]


@router.put("/folder/copy/{path:path}")
def copy_folder(path: str, call: TheStorageCall, to: Destination) -> Response:
    """Copy a folder with all that is in it."""
    return call.change(lambda session: files.copy_folder(session, to.source, path, to.storage, to.path))


@router.put("/folder/move/{path:path}")
def move_folder(path: str, call: TheStorageCall, to: Destination) -> Response:
    """Move a folder with all that is in it."""
    return call.change(lambda session: files.move_folder(session, to.source, path, to.storage, to.path))


@router.get("/folder")
def get_root_list(call: TheStorageCall) -> Response:
    """List what lies in the root, by name."""
    return _listed(call, "")


@router.get("/folder/{path:path}")
def get_files_list(path: str, call: TheStorageCall) -> Response:
    """List what lies in a folder, by name."""
    return _listed(call, path)


@router.put("/folder/{path:path}")
def create_folder(path: str, call: TheStorageCall) -> Response:
    """Make a folder; nothing happens if there is one."""

    def act(session: Any) -> list[int]:
        files.make_folder(session, call.storage, path)
        return []

    return call.change(act)


@router.delete("/folder/{path:path}")
def delete_folder(path: str, call: TheStorageCall, recursive: Recursive = False) -> Response:
    """Remove a folder, with `recursive` all that is in it. Contexts keep the images that they have."""
    return call.change(lambda session: files.remove_folder(session, call.storage, path, recursive=recursive))


@router.get("/exist/{path:path}")
def object_exists(path: str, call: TheStorageCall, version_id: VersionId = None) -> Response:
    """Tell whether there is a file or a folder."""
    with call.parts.database.reading() as session:
        is_folder = files.is_folder(session, call.storage, path)
        try:
            is_there = is_folder or bool(files.get(session, call.storage, path, version_id))
        except NotFound:
            is_there = False
    return call.face.answer({"exists": is_there, "isFolder": is_folder})


@router.get("/version/{path:path}")
def get_file_versions(path: str, call: TheStorageCall) -> Response:
    """List the versions of a file: the present one, others are not kept."""
    with call.parts.database.reading() as session:
        file = files.get(session, call.storage, path)
        version = {
            "versionId": files.version_of(file),
            "isLatest": True,
            "name": file.path.rpartition("/")[2],
            "isFolder": False,
            "modifiedDate": rfc3339(file.modified_at),
            "size": files.content_of(file).byte_count,
            "path": f"/{file.path}",
        }
    return call.face.answer({"value": [version]})


@router.get("/disc")
def get_disc_usage(call: TheStorageCall) -> Response:
    """Tell how many bytes the files of the storage have, and how many there is room for."""
    free = call.parts.blobs.free_bytes()
    if free is None:
        raise HTTPException(501, "How much room there is in an object store is not known.")
    with call.parts.database.reading() as session:
        used = files.used_bytes(session, call.storage)
    return call.face.answer({"usedSize": used, "totalSize": used + free})


@router.get("/{name}/exist")
def storage_exists(name: str, call: TheStorageCall) -> Response:
    """Tell whether anything has been put into a storage of this name; the first upload makes it."""
    with call.parts.database.reading() as session:
        is_used = files.is_used(session, named_storage(call.client_id, name))
    return call.face.answer({"exists": is_used})


def _listed(call: StorageCall, path: str) -> Response:
    with call.parts.database.reading() as session:
        entries = files.listed(session, call.storage, path)
    listed = [
        {
            "name": entry.name,
            "isFolder": entry.is_folder,
            "modifiedDate": rfc3339(entry.modified_at),
            "size": entry.byte_count,
            "path": f"/{entry.path}",
        }
        for entry in entries
    ]
    return call.face.answer({"value": listed})
