"""Subjects prepared for verification, the latest of them kept: neighbouring pairs share images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from lookalike.verification.subject import Prepared

WHOLE, SKETCHED = 128, 1024
"""How many are kept with all that was derived from them, up to 1 MB each, and with their sketches, 0.1 MB."""


class PreparedCache:
    """Prepared subjects by content id. The least recently used keep only their sketches, then they go.

    Most pairs end at a glance at two sketches; and the same picture comes again and again, as pairs are
    ordered by what they share.
    """

    def __init__(self, whole: int = WHOLE, sketched: int = SKETCHED) -> None:
        self._capacities = whole, sketched
        self._whole: OrderedDict[int, Prepared] = OrderedDict()
        self._sketched: OrderedDict[int, Prepared] = OrderedDict()

    def get(self, content_id: int, prepare: Callable[[int], Prepared]) -> Prepared:
        """Return the prepared subject, prepared now if it is not kept."""
        found = self._whole.pop(content_id, None) or self._sketched.pop(content_id, None)
        prepared = self._whole[content_id] = found or prepare(content_id)
        self._make_room()
        return prepared

    def _make_room(self) -> None:
        whole, sketched = self._capacities
        if len(self._whole) > whole:
            content_id, prepared = self._whole.popitem(last=False)
            self._sketched[content_id] = prepared.sketched()
        if len(self._sketched) > sketched:
            self._sketched.popitem(last=False)
