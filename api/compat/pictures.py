"""Pictures taken into a context, and waiting until they have features: a job underneath, as everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from api import submitting, waiting
from api.compat.calls import Call
from api.compat.faces import Headers
from api.compat.refusals import NotDone, NotExtracted, StillRunning
from api.schemas.jobs import JobView
from lookalike import jobs as life
from lookalike.errors import NotFound
from storage import contents, contexts, files, images, uploads
from storage.blobs import Received
from storage.db import Session
from storage.models import Content, Image
from storage.uploads import Upload
from worker import locations, submission


async def put(
    call: Call, context_id: uuid.UUID, image_id: str, received: Received | None, *, keeps_file: bool
) -> Headers:
    """Take a picture into a context and return when it has features; without bytes, from the storage.

    With `keeps_file` the bytes are a file of the storage from then on. Raises NotFound, NotExtracted.
    """
    job_id = await run_in_threadpool(_put, call, context_id, image_id, received, keeps_file)
    headers = await extracted(call, job_id)
    await run_in_threadpool(_check_readable, call, context_id, image_id)
    return headers


async def ready(call: Call, context_id: uuid.UUID, image_id: str) -> Headers:
    """Return when an image of a context has features. Raises NotFound, NotExtracted."""
    job_id = await run_in_threadpool(_extract_if_pending, call, context_id, image_id)
    headers = await extracted(call, job_id)
    await run_in_threadpool(_check_readable, call, context_id, image_id)
    return headers


async def given(
    call: Call, context_id: uuid.UUID, image_id: str | None, received: Received | None
) -> str | bytes | None:
    """Return a picture that is asked about: an image of the context, else a file of the storage, else bytes.

    None if there is neither an id nor bytes. Raises NotFound.
    """
    if image_id is None:
        return None if received is None else await run_in_threadpool(received.file.read)
    if await run_in_threadpool(_is_in_context, call, context_id, image_id):
        await ready(call, context_id, image_id)
        return image_id
    return await run_in_threadpool(_file_bytes, call, image_id)


async def ended(call: Call, job_id: uuid.UUID) -> JobView:
    """Wait for a job's end, as long as the SDKs wait. Raises StillRunning."""
    job = await waiting.for_end(call.parts, call.request, job_id, call.parts.settings.compat_wait_seconds)
    if job is None or job.state not in life.FINAL_STATES:
        told = f"The job {job_id} still runs: ask again, or follow {submitting.location_of(job_id)}."
        raise StillRunning(told, headers_of(job_id))
    return job


async def extracted(call: Call, job_id: uuid.UUID | None) -> Headers:
    """Wait for a job that extracts features, if there is one, and return the headers that name it."""
    if job_id is None:
        return {}
    job = await ended(call, job_id)
    if job.state != life.SUCCEEDED:
        raise NotDone(f"The job {job_id} has {job.state}" + (f": {job.error.detail}" if job.error else "."))
    return headers_of(job_id)


def take_folder(call: Call, context_id: uuid.UUID, folder: str) -> uuid.UUID:
    """Take the pictures of a folder of the storage into a context, and start the job that extracts them.

    The job is there before this returns, so the context is not idle until it has ended. Raises NotFound.
    """
    with call.parts.database.transaction() as session:
        contexts.get(session, context_id, call.client_id)
        contexts.lock(session, context_id)
        found = files.files_in(session, call.storage, call.path_of(folder))
        named = {file.path.rpartition("/")[2]: files.content_of(file) for file in found}
        kept = {
            f"{folder}/{name}": each for name, each in named.items() if locations.is_named_like_image(name)
        }
        contents.ensure_many(session, [(each.sha256, each.byte_count) for each in kept.values()])
        stored = [(image_id, each.id, each.byte_count) for image_id, each in kept.items()]
        rows = images.put_many(session, context_id, stored)
        job_id = _submit(session, call, context_id, list(rows.values()))
    call.parts.dispatcher.dispatch(job_id)
    return job_id


def take_page(call: Call, context_id: uuid.UUID, url: str) -> uuid.UUID:
    """Start the job that takes in the pictures of a web page. Raises InvalidInput, ForbiddenAddress."""
    call.check_context(context_id)
    call.parts.tools().outbound.check(url)
    return submission.submit(
        call.parts.database,
        call.parts.dispatcher,
        context_id=context_id,
        kind=life.EXTRACT_FEATURES,
        parameters={"page": url},
    )


def remove(call: Call, context_id: uuid.UUID, image_id: str, *, with_file: bool) -> None:
    """Remove an image, and with `with_file` the file that was uploaded with it; what is not there is gone."""
    call.check_context(context_id)
    database, blobs = call.parts.database, call.parts.blobs
    with suppress(NotFound):
        uploads.remove(database, blobs, context_id, image_id)
    if not with_file:
        return
    freed: list[int] = []
    with database.transaction() as session:
        file = files.find(session, call.storage, call.path_of(image_id))
        if file is not None and file.context_id == context_id:
            freed = files.remove(session, call.storage, file.path)
    files.release(database, blobs, freed)


def headers_of(job_id: uuid.UUID) -> Headers:
    """Return the headers that name a job: bodies have no room for it."""
    return {"X-Job-Id": str(job_id), "Location": submitting.location_of(job_id)}


def _put(
    call: Call, context_id: uuid.UUID, image_id: str, received: Received | None, keeps_file: bool
) -> uuid.UUID | None:
    freed: list[int] = []
    with call.parts.database.transaction() as session:
        contexts.get(session, context_id, call.client_id)
        if received is None:
            image = _put_from_storage(session, call, context_id, image_id)
        else:
            image = uploads.put(session, call.parts.blobs, context_id, [Upload(image_id, received)])[0]
            if keeps_file and image.content is not None:
                path = call.path_of(image_id)
                freed = files.point(session, call.storage, path, image.content, context_id=context_id)
        is_pending = images.state(image) == images.PENDING
        job_id = _submit(session, call, context_id, [image.id]) if is_pending else None
    if job_id is not None:
        call.parts.dispatcher.dispatch(job_id)
    files.release(call.parts.database, call.parts.blobs, freed)
    return job_id


def _put_from_storage(session: Session, call: Call, context_id: uuid.UUID, image_id: str) -> Image:
    """Put the file of the storage under its path; an image that was uploaded to the context alone stays."""
    contexts.lock(session, context_id)
    file = files.find(session, call.storage, call.path_of(image_id))
    if file is None:
        try:
            return images.get(session, context_id, image_id)
        except NotFound:
            raise NotFound(
                f"There is no file {image_id!r} in the storage: upload it, or send the image itself."
            ) from None
    return images.put_stored(session, context_id, image_id, _held(session, files.content_of(file)))


def _held(session: Session, content: Content) -> Content:
    return contents.ensure(session, content.sha256, content.byte_count)


def _extract_if_pending(call: Call, context_id: uuid.UUID, image_id: str) -> uuid.UUID | None:
    with call.parts.database.reading() as session:
        contexts.get(session, context_id, call.client_id)
        image = images.get(session, context_id, image_id)
        if images.state(image) != images.PENDING:
            return None
    with call.parts.database.transaction() as session:
        job_id = _submit(session, call, context_id, [image.id])
    call.parts.dispatcher.dispatch(job_id)
    return job_id


def _submit(session: Session, call: Call, context_id: uuid.UUID, rows: Sequence[int]) -> uuid.UUID:
    return submission.add(
        session,
        context_id=context_id,
        kind=life.EXTRACT_FEATURES,
        image_rows=rows,
        expiry_days=call.parts.settings.job_expiry_days,
    )


def _check_readable(call: Call, context_id: uuid.UUID, image_id: str) -> None:
    with call.parts.database.reading() as session:
        if error := images.error(images.get(session, context_id, image_id)):
            raise NotExtracted(*error)


def _is_in_context(call: Call, context_id: uuid.UUID, image_id: str) -> bool:
    with call.parts.database.reading() as session:
        contexts.get(session, context_id, call.client_id)
        try:
            images.get(session, context_id, image_id)
        except NotFound:
            return False
    return True


def _file_bytes(call: Call, image_id: str) -> bytes:
    with call.parts.database.reading() as session:
        file = files.find(session, call.storage, call.path_of(image_id))
        if file is None:
            raise NotFound(
                f"There is no image {image_id!r} in this context, and no such file in the storage."
            )
        sha256 = files.content_of(file).sha256
    return call.parts.blobs.read_content(sha256)
