"""Subjects prepared for verification, the latest of them kept: neighbouring pairs share images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from lookalike.verification.subject import Prepared

# A prepared subject takes up to about 1 MB.
CAPACITY = 128


class PreparedCache:
    """Prepared subjects by content id, the least recently used go first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[int, Prepared] = OrderedDict()

    def get(self, content_id: int, prepare: Callable[[int], Prepared]) -> Prepared:
        """Return the prepared subject, prepared now if it is not kept."""
        if content_id in self._kept:
            self._kept.move_to_end(content_id)
            return self._kept[content_id]
        prepared = self._kept[content_id] = prepare(content_id)
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return prepared
