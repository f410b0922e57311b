"""A moment survives the way to Redis and back, and is never due before it is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.state.milliseconds import read_moment, write_moment

NOW = 1_800_000_000_000


@given(st.integers(0, 2 * NOW))
def test_a_moment_comes_back_as_it_was(milliseconds: int) -> None:
    assert write_moment(read_moment(milliseconds)) == milliseconds
    assert read_moment(str(milliseconds)) == read_moment(milliseconds)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_a_moment_is_rounded_up(moment: datetime) -> None:
    later = read_moment(write_moment(moment)) - moment
    assert timedelta(0) <= later < timedelta(milliseconds=1)
