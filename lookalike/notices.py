"""What clients are told of, and how often a receiver is tried, as data.

    delivery  pending → delivered | failed      delivered, failed → pending (replay)
    webhook   enabled ⇄ disabled (asked for, 410 Gone, failing for days)

A notice is one event, for pages (server-sent events) and webhooks alike; a delivery is a notice on its way to
one webhook. The schedule of attempts and what a status means follow the Standard Webhooks specification.
"""

from __future__ import annotations

from typing import Final

JOB_SUCCEEDED: Final = "job.succeeded"
JOB_FAILED: Final = "job.failed"
JOB_CANCELLED: Final = "job.cancelled"
GROUPS_CHANGED: Final = "groups.changed"
# A schedule made a job; left one out because the one before still ran; could not make one.
SCHEDULE_STARTED: Final = "schedule.started"
SCHEDULE_SKIPPED: Final = "schedule.skipped"
SCHEDULE_FAILED: Final = "schedule.failed"
WEBHOOK_DISABLED: Final = "webhook.disabled"
# Only on its way to the webhook that is tried.
WEBHOOK_TEST: Final = "webhook.test"
TYPES: Final = (
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    GROUPS_CHANGED,
    SCHEDULE_STARTED,
    SCHEDULE_SKIPPED,
    SCHEDULE_FAILED,
    WEBHOOK_DISABLED,
    WEBHOOK_TEST,
)

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
DELIVERY_STATES: Final = (PENDING, DELIVERED, FAILED)

# Why a webhook is disabled.
BY_REQUEST: Final = "by_request"
GONE: Final = "gone"
FAILING: Final = "failing"

_MINUTE, _HOUR = 60.0, 3600.0
# After attempt n fails the next comes so many seconds later: ten attempts in a bit over three days.
DELAYS: Final = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
JITTER: Final = 0.1
LONGEST_DELAY: Final = 24 * _HOUR
# A webhook that has failed each time for so long is disabled.
DISABLED_AFTER_SECONDS: Final = 72 * _HOUR
# What such a receiver is given to recover, if it does not say itself.
THROTTLED: Final = frozenset({429, 502, 503, 504})
THROTTLE_SECONDS: Final = _MINUTE


def delay_seconds(attempt: int, chance: float, asked_seconds: float | None = None) -> float | None:
    """Return how long to wait after a failed attempt, counted from 1; None: it was the last.

    `chance` from 0 to 1 decides the jitter; `asked_seconds` is what the receiver asked for (Retry-After).
    """
    if attempt > len(DELAYS):
        return None
    delay = DELAYS[attempt - 1] * (1 + JITTER * (2 * chance - 1))
    return max(delay, min(asked_seconds or 0.0, LONGEST_DELAY))
