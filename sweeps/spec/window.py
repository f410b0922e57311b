"""The hours in which a sweep may run: moments in, moments out, across time zones and clock changes.

A window belongs to the day on which it opens. A clock time that occurs twice, when the clocks go back, is the first of
the two; one that is skipped, when they go forward, is as long after the change as it would have been after the hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sweeps.spec.sections import Window


@dataclass(frozen=True)
class WindowState:
    """Whether a window is open at a moment, and when that changes next."""

    open: bool
    until: datetime  # UTC


def find_window_state(window: Window, moment: datetime) -> WindowState:
    """What the window says of a moment, which must know its offset."""
    spans = list(_spans_around(window, moment))
    is_open = any(start <= moment < end for start, end in spans)
    edges = (end if is_open else start for start, end in spans if not is_open or start <= moment < end)
    return WindowState(is_open, min(edge for edge in edges if edge > moment))


def _spans_around(window: Window, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The windows that open on the day before, on this day and on the two after it."""
    zone = ZoneInfo(window.tz)
    opens, closes = (time.fromisoformat(clock_time) for clock_time in window.daily.split("-"))
    today = moment.astimezone(zone).date()
    for days in (-1, 0, 1, 2):
        day = today + timedelta(days=days)
        last = day if opens < closes else day + timedelta(days=1)
        start, end = _instant(day, opens, zone), _instant(last, closes, zone)
        if start < end:  # all of it may fall into the hour that is skipped
            yield start, end


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
