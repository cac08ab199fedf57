"""The files of a client's storages: paths to contents, whatever contexts show the same bytes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from lookalike.errors import Conflict, InvalidInput, NotFound
from lookalike.paths import ancestors, checked_path, name_of
from storage import contents, uploads
from storage.blobs import Blobs, Received
from storage.db import Database
from storage.inserts import insert_ignoring
from storage.models import Content, StoredFile
from storage.types import utc_now

_CHUNK = 500


class Storage(NamedTuple):
    """One of a client's storages: nothing of another client's is ever seen."""

    client_id: str | None
    name: str = ""


class Entry(NamedTuple):
    """A file or folder in a listing."""

    path: str
    is_folder: bool
    byte_count: int
    modified_at: datetime

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return name_of(self.path)


class WrongKind(Conflict):
    """A file is where a folder is meant, or a folder where a file is."""

    code = "wrong_kind"


def put(
    session: Session,
    blobs: Blobs,
    storage: Storage,
    path: str,
    received: Received,
) -> list[int]:
    """Store received bytes at a path, in place of the file that is there. As point does."""
    content = contents.ensure(session, received.sha256, received.byte_count)
    blobs.keep(received)
    return point(session, storage, path, content)


def point(
    session: Session, storage: Storage, path: str, content: Content, *, context_id: uuid.UUID | None = None
) -> list[int]:
    """Let a path lead to a content that the caller holds; return contents to be released after the commit.

    Raises InvalidPath, WrongKind.
    """
    plain = _checked_file_path(path)
    _check_ancestors(session, storage, plain)
    file, is_new = _made(session, storage, plain)
    if (file.content_id is None and not is_new) or _has_below(session, storage, plain):
        raise WrongKind(f"There is a folder at {plain!r}: a file cannot take its place.")
    freed = [] if file.content_id in (None, content.id) else [file.content_id]
    file.content_id, file.content, file.context_id = content.id, content, context_id
    file.modified_at = utc_now()
    session.flush()
    return [each for each in freed if each is not None]


def get(session: Session, storage: Storage, path: str, version_id: str | None = None) -> StoredFile:
    """Return the file at a path. Raises NotFound, also for a version that is not the present one."""
    file = _row(session, storage, checked_path(path))
    if file is None or file.content is None or (version_id and version_of(file) != version_id):
        raise NotFound(f"There is no file {path!r}" + (f" of version {version_id!r}." if version_id else "."))
    return file


def find(session: Session, storage: Storage, path: str) -> StoredFile | None:
    """Return the file at a path, or None."""
    file = _row(session, storage, checked_path(path))
    return file if file is not None and file.content is not None else None


def content_of(file: StoredFile) -> Content:
    """Return the content of a file that is no folder."""
    assert file.content is not None
    return file.content


def version_of(file: StoredFile) -> str:
    """Return the id of a file's one version: other bytes are another version."""
    return content_of(file).sha256.hex()[:32]


def is_folder(session: Session, storage: Storage, path: str) -> bool:
    """Tell whether there is a folder: one that was made, or that something lies below. The root always is."""
    plain = checked_path(path)
    row = _row(session, storage, plain) if plain else None
    return not plain or (row is not None and row.content_id is None) or _has_below(session, storage, plain)


def is_used(session: Session, storage: Storage) -> bool:
    """Tell whether anything has been put into a storage."""
    return session.execute(select(StoredFile.id).where(*_of(storage)).limit(1)).first() is not None


def used_bytes(session: Session, storage: Storage) -> int:
    """Return how many bytes the files of a storage have; those that are stored once count once."""
    distinct = select(Content.id, Content.byte_count).join(StoredFile, StoredFile.content_id == Content.id)
    found = distinct.where(*_of(storage)).distinct().subquery()
    return int(session.scalar(select(func.coalesce(func.sum(found.c.byte_count), 0))) or 0)


def listed(session: Session, storage: Storage, folder: str) -> list[Entry]:
    """Return what lies in a folder, by name. Raises NotFound."""
    plain = checked_path(folder)
    if not is_folder(session, storage, plain):
        raise NotFound(f"There is no folder {folder!r}.")
    # Columns and not rows of the ORM: the root is listed by walking all files below it.
    query = select(StoredFile.path, StoredFile.modified_at, Content.byte_count)
    query = query.outerjoin(Content, Content.id == StoredFile.content_id)
    skipped = len(plain) + 1 if plain else 0
    entries: dict[str, Entry] = {}
    for path, modified_at, byte_count in session.execute(query.where(*_of(storage), *_is_below(plain))):
        first, slash, _ = path[skipped:].partition("/")
        name, below = path[:skipped] + first, bool(slash) or byte_count is None
        latest = max(modified_at, entries[name].modified_at) if name in entries else modified_at
        entries[name] = Entry(name, below, 0 if below else byte_count, latest)
    return [entries[path] for path in sorted(entries)]


def files_in(session: Session, storage: Storage, folder: str) -> list[StoredFile]:
    """Return the files that lie in a folder itself, by path. Raises NotFound if there is no such folder."""
    plain = checked_path(folder)
    if not is_folder(session, storage, plain):
        raise NotFound(f"There is no folder {folder!r}.")
    depth = plain.count("/") + 1 if plain else 0
    rows = _below(session, storage, plain)
    return [row for row in rows if row.content is not None and row.path.count("/") == depth]


def make_folder(session: Session, storage: Storage, path: str) -> None:
    """Make a folder; nothing happens if there is one. Raises WrongKind where a file is."""
    plain = checked_path(path)
    _check_ancestors(session, storage, plain)
    if plain and _made(session, storage, plain)[0].content_id is not None:
        raise WrongKind(f"There is a file at {plain!r}.")


def remove(session: Session, storage: Storage, path: str, version_id: str | None = None) -> list[int]:
    """Remove a file; return the contents to be released after the commit. Raises NotFound."""
    file = get(session, storage, path, version_id)
    session.delete(file)
    session.flush()
    return [content_of(file).id]


def remove_folder(session: Session, storage: Storage, path: str, *, recursive: bool) -> list[int]:
    """Remove a folder; return the contents to be released. Raises NotFound, Conflict if it is not empty."""
    plain = checked_path(path)
    if not is_folder(session, storage, plain):
        raise NotFound(f"There is no folder {path!r}.")
    rows = _below(session, storage, plain)
    if rows and not recursive:
        raise Conflict(f"The folder {path!r} is not empty: say recursive=true to remove all that is in it.")
    own = _row(session, storage, plain) if plain else None
    _delete(session, [*rows, *([own] if own else [])])
    return [row.content_id for row in rows if row.content_id is not None]


def copy(
    session: Session, source: Storage, path: str, target: Storage, to: str, version_id: str | None = None
) -> list[int]:
    """Copy a file within or between storages; return contents to be released. Raises NotFound, WrongKind."""
    file = get(session, source, path, version_id)
    return point(session, target, to, _held(session, content_of(file)))


def copy_folder(session: Session, source: Storage, path: str, target: Storage, to: str) -> list[int]:
    """Copy a folder with all that is in it; return contents to be released. Raises NotFound, WrongKind."""
    start, end = checked_path(path), checked_path(to)
    if not is_folder(session, source, start):
        raise NotFound(f"There is no folder {path!r}.")
    freed: list[int] = []
    # Read before anything is written: a folder may be copied into itself.
    rows = _below(session, source, start)
    make_folder(session, target, end)
    for row in rows:
        new = _moved(row.path, start, end)
        if row.content is None:
            make_folder(session, target, new)
        else:
            freed += copy(session, source, row.path, target, new)
    return freed


def move(
    session: Session, source: Storage, path: str, target: Storage, to: str, version_id: str | None = None
) -> list[int]:
    """Move a file; return contents to be released. Raises as copy does."""
    if (source, checked_path(path)) == (target, checked_path(to)):
        get(session, source, path, version_id)
        return []
    return copy(session, source, path, target, to, version_id) + remove(session, source, path)


def move_folder(session: Session, source: Storage, path: str, target: Storage, to: str) -> list[int]:
    """Move a folder with all that is in it; return contents to be released. Raises as copy_folder does."""
    start, end = checked_path(path), checked_path(to)
    if source == target and (not start or f"{end}/".startswith(f"{start}/")):
        raise InvalidInput(f"The folder {path!r} cannot be moved into itself.")
    freed = copy_folder(session, source, start, target, end)
    return freed + remove_folder(session, source, start, recursive=True)


def release(database: Database, blobs: Blobs, content_ids: Iterable[int]) -> None:
    """Delete bytes that nothing needs any more; call it after the commit that removed their files."""
    for content_id in sorted(set(content_ids)):
        with database.transaction() as session:
            uploads.release(session, blobs, content_id)


def _held(session: Session, content: Content) -> Content:
    # Nobody may take the bytes away before the new row is committed.
    return contents.ensure(session, content.sha256, content.byte_count)


def _moved(path: str, start: str, end: str) -> str:
    inner = path[len(start) :].strip("/")
    return f"{end}/{inner}" if end else inner


def _checked_file_path(path: str) -> str:
    plain = checked_path(path)
    if not plain:
        raise InvalidInput("A file has a path that is not empty.")
    return plain


def _of(storage: Storage) -> list[ColumnElement[bool]]:
    return [StoredFile.client_id == (storage.client_id or ""), StoredFile.storage == storage.name]


def _row(session: Session, storage: Storage, path: str) -> StoredFile | None:
    return session.scalars(select(StoredFile).where(*_of(storage), StoredFile.path == path)).one_or_none()


def _made(session: Session, storage: Storage, path: str) -> tuple[StoredFile, bool]:
    """Return the row of a path, held until the transaction ends, and whether it was made now."""
    row = {"client_id": storage.client_id or "", "storage": storage.name, "path": path}
    # Two who put a file there at the same time: the second waits for the first.
    statement = insert_ignoring(session, StoredFile).values(modified_at=utc_now(), **row)
    made = session.scalar(statement.returning(StoredFile.id))
    query = select(StoredFile).where(*_of(storage), StoredFile.path == path)
    query = query.with_for_update(of=StoredFile).execution_options(populate_existing=True)
    return session.scalars(query).one(), made is not None


def _is_below(path: str) -> list[ColumnElement[bool]]:
    # Between "path/" and what sorts right after it: LIKE would read % and _ in names, and walk no index.
    return [StoredFile.path > f"{path}/", StoredFile.path < f"{path}0"] if path else []


def _below(session: Session, storage: Storage, folder: str) -> list[StoredFile]:
    query = select(StoredFile).where(*_of(storage), *_is_below(folder)).order_by(StoredFile.path)
    return list(session.scalars(query))


def _has_below(session: Session, storage: Storage, folder: str) -> bool:
    query = select(StoredFile.id).where(*_of(storage), *_is_below(folder)).limit(1)
    return session.execute(query).first() is not None


def _check_ancestors(session: Session, storage: Storage, path: str) -> None:
    query = select(StoredFile.path).where(
        *_of(storage), StoredFile.path.in_(ancestors(path)), StoredFile.content_id.is_not(None)
    )
    if (found := session.scalars(query.limit(1)).first()) is not None:
        raise WrongKind(f"There is a file at {found!r}: nothing can lie below it.")


def _delete(session: Session, rows: Sequence[StoredFile]) -> None:
    ids = [row.id for row in rows]
    for start in range(0, len(ids), _CHUNK):
        session.execute(delete(StoredFile).where(StoredFile.id.in_(ids[start : start + _CHUNK])))
