"""A job's groups as a run of their lineage: what is as it was is left alone, what is different is stored.

An incremental job regroups only what it must. The images it is about are compared with those of the last run,
and the decisions that hold with those that held; the groups that list a content of which an image came, went
or changed, or of which something was decided, are taken apart; and with them goes all that matches connect
with their images. Groups depend on nothing else, so what comes out is what a full
job finds (docs/decisions/0071).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.decisions import Decided
from lookalike.ids import new_id
from lookalike.sorted_sets import distinct, holds, union
from lookalike.succession import Change, Members, Succession, succession
from lookalike.version import ENGINE_VERSION
from storage import decisions, lineages, matches
from storage.db import Database, Session
from storage.groups import LISTED, NewGroups
from storage.images import Snapshot
from storage.lineages import Ended, Live, NewRun, NewVersion
from storage.models import Grouping, Job
from worker import regrouping
from worker.packing import squeezed, unsqueezed
from worker.stages import joining

Integers = NDArray[np.int64]
Check = Callable[[], None]

# Above this share of the contents, to look everything up at once is quicker than to follow matches.
MOST_TOUCHED = 0.2


@dataclass(frozen=True, eq=False)
class _Regrouped:
    """Groups made anew, and the places of the live versions that they replace."""

    groups: NewGroups
    replaced: Integers


@dataclass(frozen=True, eq=False)
class _Staged:
    """What is different: groups to write with their versions, and versions that end."""

    groups: NewGroups
    versions: list[NewVersion]
    ended: list[Ended]
    changes: dict[str, int]


def prepare(
    job: Job,
    threshold_tenths: int,
    database: Database,
    check: Check,
    most_touched: float = MOST_TOUCHED,
) -> NewRun:
    """Group the images that a job has joined and stage what is new of it; lineages.publish shows it.

    `check` is called between the steps and may raise. An incremental job groups everything anew where more
    than the share `most_touched` of the contents is touched.
    """
    with database.transaction() as session:
        lineage_id = lineages.of(session, job.context_id, threshold_tenths).id
        run = lineages.give_run(session, lineage_id)
    with database.reading() as session:
        lineage = lineages.of_id(session, lineage_id)
        live = lineages.live(session, lineage)
        check()
        snapshot = regrouping.snapshot_of(session, job)
        decided = decisions.among(session, job.context_id, snapshot.distinct_contents)
        last = lineages.last(session, lineage) if job.parameters.get("mode") == joining.INCREMENTAL else None
        made = _regrouped(session, last, live, snapshot, decided, threshold_tenths, check, most_touched)
        check()
        ids = lineages.group_ids(session, lineage_id, _keys(live)[made.replaced])
    staged = _staged(live, made, ids)
    for start in range(0, len(staged.versions), lineages.STAGED_AT_A_TIME):
        check()
        part = slice(start, min(start + lineages.STAGED_AT_A_TIME, len(staged.versions)))
        with database.transaction() as session:
            lineages.stage(session, lineage_id, run, staged.groups, part, staged.versions[part])
    is_kept = np.ones(len(live), bool)
    is_kept[made.replaced] = False
    image_count = int(live.image_count[is_kept].sum() + made.groups.image_counts.sum())
    group_count = int(is_kept.sum()) + len(made.groups)
    return NewRun(
        lineage_id=lineage_id,
        run=run,
        previous_run=lineage.run,
        job_id=job.id,
        threshold_tenths=threshold_tenths,
        engine_version=ENGINE_VERSION,
        group_count=group_count,
        duplicate_count=image_count - group_count,
        reclaimable_bytes=int(live.reclaimable_bytes[is_kept].sum() + made.groups.reclaimable_bytes.sum()),
        changes=staged.changes,
        image_data=squeezed(np.stack([snapshot.row_ids, snapshot.content_ids])),
        decision_data=squeezed(_table(decided)),
        ended=staged.ended,
        changed_count=sum(version.changes not in (0, Change.NEW) for version in staged.versions),
    )


def _regrouped(
    session: Session,
    last: Grouping | None,
    live: Live,
    snapshot: Snapshot,
    decided: Decided,
    threshold_tenths: int,
    check: Check,
    most_touched: float,
) -> _Regrouped:
    contents = snapshot.distinct_contents
    if last is not None and last.image_data is not None and last.engine_version == ENGINE_VERSION:
        touched = union(_touched(last, snapshot), _decided_since(last, decided))
        seeds = _listed_with(live, touched)
        if len(seeds) <= most_touched * len(contents):
            reached, found = matches.connected(session, seeds, contents, threshold_tenths, ENGINE_VERSION)
            check()
            part = snapshot[holds(reached, snapshot.content_ids)]
            is_member = holds(union(reached, touched), live.listed["content"])
            is_member &= live.listed["is_related"] == 0
            groups = regrouping.grouped(session, part, found, decided, threshold_tenths, check)
            return _Regrouped(groups, distinct(live.version[is_member]))
    found = matches.among(session, contents, threshold_tenths, ENGINE_VERSION)
    check()
    groups = regrouping.grouped(session, snapshot, found, decided, threshold_tenths, check)
    return _Regrouped(groups, np.arange(len(live)))


def _touched(last: Grouping, snapshot: Snapshot) -> Integers:
    """Return the sorted contents of which an image came or went since the last run."""
    rows, contents = unsqueezed(last.image_data).reshape(2, -1)
    places = np.searchsorted(rows, snapshot.row_ids)
    places[places == len(rows)] = 0
    # A row's content may be another one where a file changed before it was read again.
    is_same = np.zeros(len(snapshot), bool)
    if len(rows):
        is_same = (rows[places] == snapshot.row_ids) & (contents[places] == snapshot.content_ids)
    is_kept = np.zeros(len(rows), bool)
    is_kept[places[is_same]] = True
    return union(snapshot.content_ids[~is_same], contents[~is_kept])


def _decided_since(last: Grouping, decided: Decided) -> Integers:
    """Return the contents of pairs whose decision is not the one that held in the last run.

    Matches are followed whatever was decided of them: so a pair that was parted is still taken together here,
    and what is regrouped is too much rather than too little.
    """
    before = unsqueezed(last.decision_data, columns=3)
    both, counts = np.unique(np.concatenate([before, _table(decided)]), axis=0, return_counts=True)
    return distinct(both[counts == 1, :2])


def _table(decided: Decided) -> Integers:
    return np.stack([decided.low, decided.high, decided.verdict], axis=1)


def _listed_with(live: Live, touched: Integers) -> Integers:
    """Return the touched contents and all that groups list beside them.

    Every match of a content is seen in a group that lists both its ends. So what a content that is gone kept
    together is among them, though its own matches may be forgotten.
    """
    is_taken_apart = np.zeros(len(live), bool)
    is_taken_apart[live.version[holds(touched, live.listed["content"])]] = True
    return union(touched, live.listed["content"][is_taken_apart[live.version]])


def _staged(live: Live, made: _Regrouped, ids: list[uuid.UUID]) -> _Staged:
    # By age: of equal overlaps the oldest id goes on.
    by_age = sorted(range(len(ids)), key=ids.__getitem__)
    ids = [ids[place] for place in by_age]
    replaced = made.replaced[np.array(by_age, np.int64)]
    found = succession(_members_of(live, replaced), _members(made.groups))
    is_same = _unchanged(live, replaced, made.groups, found)
    heirs = found.heir_of.tolist()
    new_ids = [ids[heir] if heir >= 0 else new_id() for heir in heirs]
    written = np.flatnonzero(~is_same)
    came_from, went_to = _kin(found, ids, new_ids)
    before = live.image_count[replaced].tolist()
    versions = [
        NewVersion(new_ids[g], changes, before[heirs[g]] if heirs[g] >= 0 else 0, came_from.get(g))
        for g, changes in zip(written.tolist(), found.changes[written].tolist(), strict=True)
    ]
    is_ended = np.ones(len(replaced), bool)
    is_ended[found.heir_of[is_same]] = False
    keys = _keys(live)[replaced]
    ended = [
        Ended(from_run, number, went_to.get(place, []) if found.is_gone[place] else None)
        for place, (from_run, number) in enumerate(keys.tolist())
        if is_ended[place]
    ]
    changes = {
        str(change.name).lower(): int((found.changes[written] & change != 0).sum())
        for change in Change
        if change is not Change.GONE
    }
    changes["gone"] = int(found.is_gone.sum())
    return _Staged(made.groups[written], versions, ended, changes)


def _unchanged(live: Live, replaced: Integers, new: NewGroups, found: Succession) -> NDArray[np.bool_]:
    """Tell of each new group whether it is to the last byte what its earlier version is."""
    is_same = np.zeros(len(new), bool)
    before, now = live.listed.tobytes(), new.listed.tobytes()
    size = LISTED.itemsize
    starts, olds = (new.starts * size).tolist(), (live.starts * size).tolist()
    for group in np.flatnonzero(found.heir_of >= 0).tolist():
        version = int(replaced[found.heir_of[group]])
        mine = now[starts[group] : starts[group + 1]]
        is_same[group] = mine == before[olds[version] : olds[version + 1]]
    kept = np.flatnonzero(is_same)
    is_same[kept] = live.reasons[replaced[found.heir_of[kept]]] == new.reasons[kept]
    return is_same


def _kin(
    found: Succession, ids: list[uuid.UUID], new_ids: list[uuid.UUID]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Return for new groups the other groups they have images of, and for earlier ones where theirs went."""
    came_from: dict[int, list[str]] = {}
    went_to: dict[int, list[str]] = {}
    for earlier, new in found.overlaps[found.heir_of[found.overlaps[:, 1]] != found.overlaps[:, 0]].tolist():
        came_from.setdefault(new, []).append(str(ids[earlier]))
        went_to.setdefault(earlier, []).append(str(new_ids[new]))
    return came_from, went_to


def _members(new: NewGroups) -> Members:
    is_member = new.listed["is_related"] == 0
    return Members(new.number[is_member], new.listed["content"][is_member], len(new))


def _members_of(live: Live, versions: Integers) -> Members:
    counts = live.image_count[versions]
    # Members come first, so a group's own are as many as it has images.
    group = np.repeat(np.arange(len(versions)), counts)
    within = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Members(group, live.listed["content"][live.starts[versions][group] + within], len(versions))


def _keys(live: Live) -> Integers:
    return np.stack([live.from_run, live.number], axis=1)
