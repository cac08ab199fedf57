"""Uploaded images: bytes and rows together, so that neither is left without the other."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from lookalike.ids import checked_image_id
from storage import contents, contexts, images
from storage.blobs import Blobs, Received
from storage.db import Database
from storage.models import Content, Image, StoredFile, Tag
from storage.sync import FoundFile


class Upload(NamedTuple):
    """Bytes that have been received, and the id they are to have."""

    image_id: str
    received: Received


class Copied(NamedTuple):
    """Bytes of a file that have been received, and the file as it was listed."""

    file: FoundFile
    received: Received


def put(session: Session, blobs: Blobs, context_id: uuid.UUID, uploads: Sequence[Upload]) -> list[Image]:
    """Store uploads in a context and return their images in the same order. Raises NotFound, InvalidImageId.

    The contents are held until the transaction ends, so nobody can remove the bytes in between.
    """
    for upload in uploads:
        checked_image_id(upload.image_id)
    content_ids = _kept(session, blobs, context_id, uploads)
    return [
        images.put_stored(
            session,
            context_id,
            upload.image_id,
            session.get_one(Content, content_ids[upload.received.sha256]),
        )
        for upload in uploads
    ]


def put_many(
    session: Session, blobs: Blobs, context_id: uuid.UUID, uploads: Sequence[Upload]
) -> dict[str, int]:
    """Store uploads with distinct ids, in one revision; return {image id: row id}. Raises as put does."""
    content_ids = _kept(session, blobs, context_id, uploads)
    return images.put_many(
        session,
        context_id,
        [
            (upload.image_id, content_ids[upload.received.sha256], upload.received.byte_count)
            for upload in uploads
        ],
    )


def put_copies(session: Session, blobs: Blobs, context_id: uuid.UUID, copies: Sequence[Copied]) -> int:
    """Store copies of files, and which they were, to know them again; return their bytes. Raises as put does.

    A file has its size as it was listed: were it another when it was read, it is read again the next time.
    """
    uploads = [Upload(copied.file.image_id, copied.received) for copied in copies]
    row_ids = put_many(session, blobs, context_id, uploads)
    images.set_origins(session, [(row_ids[copied.file.image_id], copied.file) for copied in copies])
    return sum(copied.received.byte_count for copied in copies)


def _kept(
    session: Session, blobs: Blobs, context_id: uuid.UUID, uploads: Sequence[Upload]
) -> dict[bytes, int]:
    """Lock the context, hold the contents and keep their bytes; return {SHA-256: content id}."""
    contexts.lock(session, context_id)
    received = {upload.received.sha256: upload.received for upload in uploads}
    content_ids = contents.ensure_many(
        session, [(each.sha256, each.byte_count) for each in received.values()]
    )
    for each in received.values():
        blobs.keep(each)
    return content_ids


def remove(database: Database, blobs: Blobs, context_id: uuid.UUID, image_id: str) -> None:
    """Remove an image, and its stored bytes unless another live image has the same. Raises NotFound."""
    with database.transaction() as session:
        image = images.remove(session, context_id, image_id)
    # A second transaction: bytes must not go before it is certain that the image has gone.
    if image.source == images.STORED and image.content_id is not None:
        with database.transaction() as session:
            release(session, blobs, image.content_id)


def release(session: Session, blobs: Blobs, content_id: int) -> bool:
    """Delete the stored bytes of a content unless an image, a file or a tag needs them; tell if they went."""
    content = session.scalars(select(Content).where(Content.id == content_id).with_for_update()).one_or_none()
    if content is None or _is_needed(session, content_id):
        return False
    blobs.delete_content(content.sha256)
    return True


def _is_needed(session: Session, content_id: int) -> bool:
    needs = (
        select(Image.id).where(
            Image.content_id == content_id,
            Image.source == images.STORED,
            Image.removed_revision.is_(None),
        ),
        select(StoredFile.id).where(StoredFile.content_id == content_id),
        select(Tag.id).where(Tag.content_id == content_id),
    )
    return any(session.execute(need.limit(1)).first() is not None for need in needs)
