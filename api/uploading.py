"""Which file of an upload gets which image id, and that no two get the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from api.receiving import Form
from lookalike.errors import InvalidInput
from lookalike.ids import checked_image_id
from storage.uploads import Upload

FILES = "files"
IMAGE_ID = "image_id"
BATCH_FILES = 200
BATCH_BYTES = 64 * 1024 * 1024
_SHOWN = 5


class DuplicateImageId(InvalidInput):
    """Two files of one upload have the same image id."""

    code = "duplicate_image_id"


def named(form: Form) -> list[Upload]:
    """Return the files of a form with their ids. Raises InvalidInput that says what to change."""
    files = [file for file in form.files if file.field == FILES]
    if strangers := [name for name in _names(form) if name not in (FILES, IMAGE_ID)]:
        raise InvalidInput(f"An upload has parts named 'files' and 'image_id', not {strangers[0]!r}.")
    if not files or len(files) < len(form.files) or form.values(FILES):
        raise InvalidInput("Send at least one file, each in a part named 'files' with a file name.")
    given = form.values(IMAGE_ID)
    if given and len(given) != len(files):
        raise InvalidInput(
            f"There are {len(files)} files and {len(given)} fields 'image_id': send one each, or none at all."
        )
    image_ids = [checked_image_id(each) for each in (given or [file.name for file in files])]
    _check_distinct(image_ids)
    return [Upload(image_id, file.received) for image_id, file in zip(image_ids, files, strict=True)]


def fingerprint(uploads: Sequence[Upload]) -> bytes:
    """Return what makes two uploads the same: ids and bytes, not the boundary that a client draws by lot."""
    return json.dumps([[upload.image_id, upload.received.sha256.hex()] for upload in uploads]).encode()


def batches(uploads: Sequence[Upload]) -> Iterator[Sequence[Upload]]:
    """Cut uploads into what one transaction stores: on SQLite all who write wait for its end."""
    start, byte_count = 0, 0
    for place, upload in enumerate(uploads):
        if place > start and (byte_count >= BATCH_BYTES or place - start >= BATCH_FILES):
            yield uploads[start:place]
            start, byte_count = place, 0
        byte_count += upload.received.byte_count
    yield uploads[start:]


def _names(form: Form) -> list[str]:
    return [name for name, _ in form.fields] + [file.field for file in form.files]


def _check_distinct(image_ids: Sequence[str]) -> None:
    repeated = [image_id for image_id, count in Counter(image_ids).items() if count > 1]
    if repeated:
        names = ", ".join(repr(image_id) for image_id in repeated[:_SHOWN])
        raise DuplicateImageId(
            f"More than one file has the image id {names}; nothing was stored. "
            "Give each an 'image_id' of its own."
        )
