"""When schedules are due, the nights included in which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lookalike.errors import InvalidSchedule
from lookalike.timetable import timetable

BERLIN = "Europe/Berlin"
# In 2026 clocks there go forward on 29 March, 2:00 to 3:00, and back on 25 October, 3:00 to 2:00.


def moment(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(
    after: str, count: int, zone: str = BERLIN, window: tuple[str, str] | None = None, **rule: object
) -> list[str]:
    """The next times of a rule, as a clock on the wall there shows them, with the day and the offset."""
    values = {"cron": None, "interval_seconds": None, "timezone": zone, "window": window, **rule}
    made = timetable(**values)  # type: ignore[arg-type]
    now, found = moment(after, zone), []
    for _ in range(count):
        now = made.next_after(now)
        shown = datetime.fromtimestamp(now, ZoneInfo(zone))
        found.append(f"{shown:%d %H:%M} {shown.utcoffset()}"[:10])
    return found


def test_a_fixed_time_that_is_left_out_in_spring_comes_right_after_the_gap_once() -> None:
    assert times("2026-03-28T12:00", 3, cron="30 2 * * *") == ["29 03:00 2", "30 02:30 2", "31 02:30 2"]
    assert times("2026-03-29T01:59", 2, cron="30 2 * * *") == ["29 03:00 2", "30 02:30 2"]


def test_a_fixed_time_that_is_there_twice_in_autumn_comes_the_first_time_only() -> None:
    assert times("2026-10-24T12:00", 3, cron="30 2 * * *") == ["25 02:30 2", "26 02:30 1", "27 02:30 1"]


def test_nothing_of_the_second_of_two_equal_hours_is_taken_for_the_first() -> None:
    second_hour = datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo(BERLIN), fold=1).timestamp()
    made = timetable(cron="30 2 * * *", interval_seconds=None, timezone=BERLIN)
    assert made.next_after(second_hour) == moment("2026-10-26T02:30")


def test_every_hour_goes_by_the_time_that_passes() -> None:
    assert times("2026-03-29T00:30", 3, cron="0 * * * *") == ["29 01:00 1", "29 03:00 2", "29 04:00 2"]
    assert times("2026-10-25T01:30", 3, cron="0 * * * *") == ["25 02:00 2", "25 02:00 1", "25 03:00 1"]


def test_the_other_half_of_the_world_changes_its_clocks_too() -> None:
    # In Sydney clocks go back on 5 April and forward on 4 October.
    sydney = "Australia/Sydney"
    assert times("2026-04-04T12:00", 2, sydney, cron="30 2 * * *") == ["05 02:30 1", "06 02:30 1"]
    assert times("2026-10-03T12:00", 2, sydney, cron="30 2 * * *") == ["04 03:00 1", "05 02:30 1"]


@pytest.mark.parametrize("night", ["2026-03-28T20:00", "2026-10-24T20:00"])
def test_no_night_has_a_time_twice_or_in_the_wrong_order(night: str) -> None:
    for cron in ("30 2 * * *", "0,30 2 * * *", "*/15 * * * *", "15 1-3 * * *", "59 2 * * 0"):
        made = timetable(cron=cron, interval_seconds=None, timezone=BERLIN)
        found = list(made.times(moment(night), moment(night) + 9 * 86400, 1000))
        assert found == sorted(set(found))
        # Asked at any moment, the answer is the same.
        for now in range(int(moment(night)), int(moment(night)) + 10 * 3600, 420):
            assert made.next_after(now) == next(time for time in found if time > now)


def test_an_interval_is_counted_from_its_anchor_whatever_clocks_do() -> None:
    made = timetable(cron=None, interval_seconds=3600, timezone=BERLIN, anchor=moment("2026-10-25T00:10"))
    assert made.next_after(moment("2026-10-25T00:10")) == moment("2026-10-25T01:10")
    assert made.next_after(moment("2026-10-25T05:00")) == moment("2026-10-25T05:10")
    # Before it begins, its first time is one interval after the beginning.
    assert made.next_after(moment("2026-10-24T00:00")) == moment("2026-10-25T01:10")


def test_in_a_window_past_midnight_only_the_night_counts() -> None:
    night = ("22:00", "06:00")
    assert times("2026-06-01T12:00", 3, window=night, cron="0 5,6,21,22 * * *") == [
        "01 22:00 2",
        "02 05:00 2",
        "02 22:00 2",
    ]
    assert times("1970-01-01T01:00", 3, window=night, interval_seconds=7 * 3600) == [
        "01 22:00 1",
        "02 05:00 1",
        "03 02:00 1",
    ]


def test_a_window_is_by_the_clock_on_the_wall_when_clocks_change() -> None:
    made = timetable(cron="*/30 * * * *", interval_seconds=None, timezone=BERLIN, window=("02:00", "03:00"))
    found = list(made.times(moment("2026-03-28T12:00"), moment("2026-03-30T12:00"), 100))
    # There is no such hour on the 29th; on 25 October there are two.
    assert found == [moment("2026-03-30T02:00"), moment("2026-03-30T02:30")]
    assert len(list(made.times(moment("2026-10-24T12:00"), moment("2026-10-25T12:00"), 100))) == 4
    assert not made.is_open(moment("2026-06-01T03:00"))
    assert made.opening_after(moment("2026-06-01T03:00")) == moment("2026-06-02T02:00")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"cron": "61 * * * *"}, "bad minute"),
        ({"cron": "* * * *"}, "five fields"),
        ({"cron": "0 0 12 * * *"}, "five fields"),
        ({"cron": "@daily"}, "five fields"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"cron": "*/0 * * * *"}, "bad minute"),
        ({"cron": "0 12 * * *", "window": ("22:00", "06:00")}, "never due inside its window"),
        ({"cron": "* * * * *", "window": ("22:00", "24:00")}, "a time such as 22:00"),
        ({"cron": "* * * * *", "window": ("22:00", "22:00")}, "leave it out"),
        ({"cron": "* * * * *", "timezone": "Europe/Atlantis"}, "no time zone 'Europe/Atlantis'"),
        ({"cron": "* * * * *", "timezone": "../../etc/passwd"}, "no time zone"),
        ({"cron": "* * * * *", "timezone": "America"}, "no time zone"),
        ({"interval_seconds": 0}, "1 to 31,622,400 seconds, not 0"),
        ({"interval_seconds": -5}, "not -5"),
        ({"cron": "* * * * *", "interval_seconds": 5}, "either"),
        ({}, "either"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(rule: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidSchedule, match=told):
        timetable(**{"cron": None, "interval_seconds": None, **rule})  # type: ignore[arg-type]


def test_times_are_given_up_to_a_moment_and_to_a_number() -> None:
    made = timetable(cron=None, interval_seconds=10, anchor=0.0)
    assert list(made.times(10.0, 40.0, 100)) == [20.0, 30.0, 40.0]
    assert list(made.times(10.0, 40.0, 2)) == [20.0, 30.0]
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert made.next_after(start + 0.5) == start + 10
