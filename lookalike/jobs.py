"""The life of a job, as data: which states there are, what moves between them, and the stages of each kind.

    job      queued → running → succeeded | failed      queued, running, paused → cancelling → cancelled
             failed, cancelled → queued (retry)         queued, running ⇄ paused
    shard    ready → running → done | failed      running → ready (given back, or its worker was lost)
             ready, running → cancelled      failed, cancelled → ready (retry)

Storage turns each move into one UPDATE that is guarded by the states it may start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

QUEUED: Final = "queued"
RUNNING: Final = "running"
PAUSED: Final = "paused"
CANCELLING: Final = "cancelling"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

READY: Final = "ready"
DONE: Final = "done"
PENDING: Final = "pending"

JOB_STATES: Final = (QUEUED, RUNNING, PAUSED, CANCELLING, SUCCEEDED, FAILED, CANCELLED)
SHARD_STATES: Final = (READY, RUNNING, DONE, FAILED, CANCELLED)
FINAL_STATES: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})
# Only the shards of these jobs are sent, claimed and worked on.
WORKING_STATES: Final = frozenset({QUEUED, RUNNING})

INTERACTIVE: Final = "interactive"
BULK: Final = "bulk"
QUEUES: Final = (INTERACTIVE, BULK)


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change of state."""

    name: str
    before: frozenset[str]
    after: str


def _move(name: str, before: set[str], after: str) -> Move:
    return Move(name, frozenset(before), after)


START: Final = _move("start", {QUEUED}, RUNNING)
SUCCEED: Final = _move("succeed", {QUEUED, RUNNING}, SUCCEEDED)
FAIL: Final = _move("fail", {QUEUED, RUNNING, PAUSED}, FAILED)
PAUSE: Final = _move("pause", {QUEUED, RUNNING}, PAUSED)
# A job that had begun goes on as running, one that had not is queued again.
RESUME_BEGUN: Final = _move("resume", {PAUSED}, RUNNING)
RESUME_UNBEGUN: Final = _move("resume", {PAUSED}, QUEUED)
CANCEL: Final = _move("cancel", {QUEUED, RUNNING, PAUSED}, CANCELLING)
FINISH_CANCEL: Final = _move("finish_cancel", {CANCELLING}, CANCELLED)
RETRY: Final = _move("retry", {FAILED, CANCELLED}, QUEUED)
JOB_MOVES: Final = (START, SUCCEED, FAIL, PAUSE, RESUME_BEGUN, RESUME_UNBEGUN, CANCEL, FINISH_CANCEL, RETRY)

CLAIM: Final = _move("claim", {READY}, RUNNING)
FINISH: Final = _move("finish", {RUNNING}, DONE)
# Given back unharmed: the worker stops, or the job is paused.
RELEASE: Final = _move("release", {RUNNING}, READY)
# The worker died or an exception ended the attempt.
LOSE: Final = _move("lose", {RUNNING}, READY)
GIVE_UP: Final = _move("give_up", {RUNNING}, FAILED)
DROP: Final = _move("drop", {READY, RUNNING}, CANCELLED)
REVIVE: Final = _move("revive", {FAILED, CANCELLED}, READY)
SHARD_MOVES: Final = (CLAIM, FINISH, RELEASE, LOSE, GIVE_UP, DROP, REVIVE)

IMPORT: Final = "import"
EXTRACT: Final = "extract"
JOIN: Final = "join"
VERIFY: Final = "verify"
GROUP: Final = "group"
APPLY: Final = "apply"
STAGES: Final = (IMPORT, EXTRACT, JOIN, VERIFY, GROUP, APPLY)

EXTRACT_FEATURES: Final = "extract_features"
FIND_DUPLICATES: Final = "find_duplicates"
APPLY_RULE: Final = "apply_rule"
KINDS: Final[dict[str, tuple[str, ...]]] = {
    EXTRACT_FEATURES: (EXTRACT,),
    FIND_DUPLICATES: (EXTRACT, JOIN, VERIFY, GROUP),
    APPLY_RULE: (APPLY,),
}

# A shard that is lost so often is split; one that cannot be split is given up.
MOST_LOSSES: Final = 3
# A single item of a shard that was split has one loss to its name already.
LOSSES_OF_A_SINGLE: Final = 1


def stages_of(kind: str, *, imports: bool) -> tuple[str, ...]:
    """Return the names of the stages of a job of this kind; `imports` puts the import before them."""
    return ((IMPORT,) if imports else ()) + KINDS[kind]
