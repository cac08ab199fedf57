"""Groups at a threshold that a job was not run with: made from its matches when asked for, and not stored.

They are kept as files beside the process that made them, ordered for paging; they can be made anew at any
time. Their ids say threshold and place, and which decisions they were made with: groups are followed from run
to run at the own threshold of jobs.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.errors import InvalidInput
from storage.groups import SORTS, NewGroups, Packed, checked_sort
from storage.pages import WRONG_CURSOR, checked_limit, decode_cursor, encode_cursor

# A person who moves a slider to and fro comes back soon.
KEPT_SECONDS = 24 * 3600.0
_COUNTS = np.dtype([("image_count", "i8"), ("reclaimable_bytes", "i8"), ("similarity", "i8")])
_ID = re.compile(r"([0-9]{1,4})\.([0-9]{1,9})(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, eq=False)
class Derived:
    """The groups of a job at one threshold, memory-mapped."""

    threshold_tenths: int
    # The context's decisions that count, as numbered by their changes.
    decision_revision: int
    groups: NewGroups
    counts: NDArray[np.void]
    # Places of the groups in each order of storage.groups.SORTS.
    orders: dict[str, NDArray[np.int64]]

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return len(self.groups)

    @property
    def duplicate_count(self) -> int:
        """Images beside the originals."""
        return int(self.counts["image_count"].sum()) - len(self.groups)

    @property
    def reclaimable_bytes(self) -> int:
        """What would be free without the duplicates."""
        return int(self.counts["reclaimable_bytes"].sum())

    def page(self, limit: int, cursor: str | None, sort: str) -> tuple[list[Packed], str | None]:
        """Return groups in an order of SORTS and the cursor after them. Raises InvalidInput."""
        checked_sort(sort)
        start = 0
        if cursor is not None:
            *of, start = decode_cursor(cursor, str, int, int, int)
            if of != self._same(sort) or not 0 <= start <= len(self.groups):
                raise InvalidInput(WRONG_CURSOR)
        stop = start + checked_limit(limit)
        found = [self.packed(int(place)) for place in self.orders[sort][start:stop]]
        # The groups are what they are for ever, so a place is as good as a key.
        more = encode_cursor([*self._same(sort), stop]) if stop < len(self.groups) else None
        return found, more

    def _same(self, sort: str) -> list[str | int]:
        return [sort, self.threshold_tenths, self.decision_revision]

    def packed(self, place: int) -> Packed:
        """Return the group at a place."""
        starts, counts = self.groups.starts, self.counts[place]
        made_with = f".{self.decision_revision}" if self.decision_revision else ""
        return Packed(
            f"{self.threshold_tenths}.{place}{made_with}",
            int(self.groups.reasons[place]),
            int(counts["image_count"]),
            int(counts["reclaimable_bytes"]),
            int(counts["similarity"]),
            self.groups.listed[starts[place] : starts[place + 1]],
        )


def place_of(group_id: str) -> tuple[int, int, int] | None:
    """Return threshold in tenths, place and decisions in the id of a derived group, None if it is no such."""
    found = _ID.fullmatch(group_id)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def kept(
    cache_dir: Path,
    job_id: uuid.UUID,
    threshold_tenths: int,
    decision_revision: int,
    make: Callable[[], NewGroups],
) -> Derived:
    """Return the groups of a job at a threshold, with these decisions; the first who asks makes them."""
    folder = cache_dir / f"groups-{job_id}-{threshold_tenths}-{decision_revision}"
    if not folder.is_dir():
        _write(folder, make())
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    groups = NewGroups(arrays["listed"], arrays["starts"], arrays["reasons"], arrays["reclaimable_bytes"])
    orders = {sort: arrays[f"by_{sort}"] for sort in SORTS}
    return Derived(threshold_tenths, decision_revision, groups, arrays["counts"], orders)


def remove_old(cache_dir: Path) -> int:
    """Delete what was made some time ago, and return how many."""
    old = [path for path in cache_dir.glob("groups-*") if time.time() - path.stat().st_mtime > KEPT_SECONDS]
    for path in old:
        # Who has it mapped keeps it until the end.
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _write(folder: Path, groups: NewGroups) -> None:
    counts = np.empty(len(groups), _COUNTS)
    counts["image_count"], counts["similarity"] = groups.image_counts, groups.least_tenths
    counts["reclaimable_bytes"] = groups.reclaimable_bytes
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="groups-", suffix=".partial", dir=folder.parent))
    saved = {
        "listed": groups.listed,
        "starts": groups.starts,
        "reasons": groups.reasons,
        "reclaimable_bytes": groups.reclaimable_bytes,
        "counts": counts,
        "by_number": np.arange(len(groups)),
    }
    for name in _COUNTS.names or ():
        saved[f"by_{name}"] = np.argsort(-counts[name], kind="stable")
    for name, array in saved.items():
        np.save(partial / f"{name}.npy", array)
    try:
        partial.rename(folder)
    except OSError:
        # Somebody else was as quick; the rule gives the same groups.
        shutil.rmtree(partial)
