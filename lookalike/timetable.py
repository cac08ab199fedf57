"""When a schedule is due: cron in a time zone or a fixed interval, and the window in which it may begin.

Times are epoch seconds, so that they are never ambiguous; what a clock on the wall shows is worked out here.

Where clocks go forward, a fixed time such as `30 2 * * *` that is left out comes right after the gap, once.
Where they go back, it comes once, the first time. What is due every hour or every so many minutes (fields
that begin with a star) goes by the time that passes: nothing in the gap, and both of the double hours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from lookalike.errors import InvalidSchedule

MOST_SECONDS = 366 * 24 * 3600
_FIELDS = 5
_LONGEST_CRON = 200
# A cron line that meets its window less often than once in so many of its times or openings never does.
_MOST_OPENINGS = 3000
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of each day in which runs may begin, by the clock on the wall; it may go past midnight."""

    opens: time
    closes: time

    def __contains__(self, clock: time) -> bool:
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes


@dataclass(frozen=True, slots=True)
class Timetable:
    """When runs are due: by cron, or every interval_seconds counted from anchor. Made by `timetable`."""

    zone: ZoneInfo
    cron: str | None = None
    interval_seconds: int | None = None
    anchor: float = 0.0
    window: Window | None = None

    def next_after(self, moment: float) -> float:
        """Return the first due time after a moment. Raises InvalidSchedule if there is none."""
        for _ in range(_MOST_OPENINGS):
            due = self._next(moment)
            if self.is_open(due):
                return due
            # Due as the window opens is due inside it.
            moment = self.opening_after(due) - 1.0
        raise InvalidSchedule("The schedule is never due inside its window.")

    def times(self, after: float, until: float, most: int) -> Iterator[float]:
        """Give the due times after one moment until another, that one included, at most so many."""
        due = after
        for _ in range(most):
            due = self.next_after(due)
            if due > until:
                return
            yield due

    def is_open(self, moment: float) -> bool:
        """Tell whether a run may begin now."""
        return self.window is None or datetime.fromtimestamp(moment, self.zone).time() in self.window

    def opening_after(self, moment: float) -> float:
        """Return when the window opens next, after a moment outside it."""
        assert self.window is not None, "what is always open does not open"
        today = datetime.fromtimestamp(moment, self.zone).date()
        openings = (self._opening(today + timedelta(days=days)) for days in range(3))
        return next(opening for opening in openings if opening > moment)

    def _opening(self, day: date) -> float:
        assert self.window is not None
        return datetime.combine(day, self.window.opens, self.zone).timestamp()

    def _next(self, moment: float) -> float:
        if self.interval_seconds is not None:
            turns = math.floor((moment - self.anchor) / self.interval_seconds) + 1
            return self.anchor + max(turns, 1) * self.interval_seconds
        assert self.cron is not None
        for found in CronSim(self.cron, datetime.fromtimestamp(moment, self.zone)):
            # In the second of two equal hours, cronsim gives times of the first.
            if (due := found.astimezone(UTC).timestamp()) > moment:
                return due
        raise InvalidSchedule(f"The cron expression {self.cron!r} is never due.")


def timetable(
    *,
    cron: str | None,
    interval_seconds: int | None,
    timezone: str = "UTC",
    anchor: float = 0.0,
    window: tuple[str, str] | None = None,
) -> Timetable:
    """Check a timetable and return it. Raises InvalidSchedule that says what is wrong.

    `window` is a pair of times such as ("22:00", "06:00").
    """
    if (cron is None) == (interval_seconds is None):
        raise InvalidSchedule("A schedule has either a cron expression or interval_seconds.")
    made = Timetable(
        _zone(timezone),
        None if cron is None else _checked_cron(cron),
        None if interval_seconds is None else _checked_interval(interval_seconds),
        anchor,
        None if window is None else _checked_window(*window),
    )
    made.next_after(anchor)
    return made


def _checked_cron(cron: str) -> str:
    fields = cron.split()
    if len(fields) != _FIELDS or len(cron) > _LONGEST_CRON:
        raise InvalidSchedule(
            f"The cron expression {cron[:_LONGEST_CRON]!r} does not have five fields: "
            "minute, hour, day of month, month, day of week."
        )
    try:
        CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise InvalidSchedule(f"The cron expression {cron!r} is wrong: {str(error).lower()}.") from None
    return " ".join(fields)


def _checked_interval(seconds: int) -> int:
    if not 1 <= seconds <= MOST_SECONDS:
        raise InvalidSchedule(f"An interval is 1 to {MOST_SECONDS:,} seconds, not {seconds:,}.")
    return seconds


def _checked_window(opens: str, closes: str) -> Window:
    for clock in (opens, closes):
        if not _CLOCK.fullmatch(clock):
            raise InvalidSchedule(f"A window begins and ends at a time such as 22:00, not {clock[:20]!r}.")
    if opens == closes:
        raise InvalidSchedule("A window that ends when it begins is empty; leave it out for the whole day.")
    return Window(time.fromisoformat(opens), time.fromisoformat(closes))


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidSchedule(
            f"There is no time zone {name[:100]!r}; names are such as Europe/Berlin or UTC."
        ) from None
