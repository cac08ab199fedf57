"""Contents of the collection as subjects of verification: record, proxy, and where the bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike.errors import Unreadable
from lookalike.verification.subject import Prepared, Subject, prepare
from storage import contents, images
from storage.images import Source
from worker import sources
from worker.tools import Tools


class Subjects:
    """The subjects of some contents; their records and places are read at once, the rest when asked for."""

    def __init__(self, content_ids: Sequence[int] | NDArray[np.int64], tools: Tools) -> None:
        self._tools = tools
        ids = np.asarray(content_ids, np.int64)
        with tools.database.reading() as session:
            records = contents.load_features(session, ids)
            places = contents.proxy_places(session, ids)
            self._holders = images.holders(session, ids)
        self._records = dict(zip(ids.tolist(), records, strict=True))
        self._places = dict(zip(ids.tolist(), places, strict=True))

    def prepared(self, content_id: int) -> Prepared:
        """Return a content prepared for verification, from the cache of this process if it is there."""
        return self._tools.prepared.get(content_id, self._prepare)

    def sha256(self, content_id: int) -> bytes | None:
        """Return what the bytes of a content hash to, None if no image has them any more."""
        holder = self._holders.get(content_id)
        return None if holder is None else holder.sha256

    def _prepare(self, content_id: int) -> Prepared:
        proxy = self._tools.blobs.read_range(*self._places[content_id])
        holder = self._holders.get(content_id)
        content = None if holder is None else lambda: read_content(holder, self._tools)
        return prepare(Subject(self._records[content_id], proxy, content))


def read_content(source: Source, tools: Tools) -> bytes:
    """Return the bytes of an image, if they still are what was extracted. Raises Unreadable."""
    if source.source == images.STORED and source.sha256 is not None:
        return tools.blobs.read_content(source.sha256)
    data = sources.read(source.location or "", tools.limits.max_bytes)
    if hashlib.sha256(data).digest() != source.sha256:
        raise Unreadable("The file has changed since it was imported.")
    return data
