"""Hours across time zones and clock changes: whatever is asked, the answer holds until the moment that it names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.spec.sections import Window
from sweeps.spec.window import find_window_state

BERLIN = Window(daily="22:00-07:30", tz="Europe/Berlin")
CLOCKS = st.times().map(lambda clock: f"{clock:%H:%M}")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
WINDOWS = (
    st.tuples(CLOCKS, CLOCKS, ZONES)
    .filter(lambda times: times[0] != times[1])
    .map(lambda times: Window(daily=f"{times[0]}-{times[1]}", tz=times[2]))
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "is_open", "until"),
    [
        ("2026-11-25T20:59:59", False, "2026-11-25T21:00"),
        ("2026-11-25T21:00", True, "2026-11-26T06:30"),
        ("2026-11-26T06:30", False, "2026-11-26T21:00"),
        ("2026-07-01T20:00", True, "2026-07-02T05:30"),
        # The night in which the clocks go forward is an hour shorter, the other one an hour longer.
        ("2026-03-28T21:00", True, "2026-03-29T05:30"),
        ("2026-10-24T20:00", True, "2026-10-25T06:30"),
    ],
)
def test_the_nights_of_berlin(moment: str, is_open: bool, until: str) -> None:
    state = find_window_state(BERLIN, utc(moment))
    assert (state.open, state.until) == (is_open, utc(until))


@pytest.mark.parametrize(
    ("daily", "moment", "is_open", "until"),
    [
        ("02:30-05:00", "2026-03-29T01:29", False, "2026-03-29T01:30"),  # 02:30 is skipped: an hour later, at 03:30
        ("02:30-05:00", "2026-10-25T00:30", True, "2026-10-25T04:00"),  # it comes twice: from the first on
        ("02:15-02:45", "2026-10-25T00:45", False, "2026-10-26T01:15"),  # and only once
    ],
)
def test_clock_times_that_occur_twice_or_never(daily: str, moment: str, is_open: bool, until: str) -> None:
    state = find_window_state(Window(daily=daily, tz="Europe/Berlin"), utc(moment))
    assert (state.open, state.until) == (is_open, utc(until))


@given(WINDOWS, MOMENTS, st.floats(0, 0.99))
def test_the_answer_holds_until_the_moment_that_it_names_and_changes_there(
    window: Window, moment: datetime, share: float
) -> None:
    state = find_window_state(window, moment)
    assert moment < state.until <= moment + timedelta(days=2)
    between = moment + share * (state.until - moment)
    assert find_window_state(window, between) == state
    assert find_window_state(window, state.until).open is not state.open
