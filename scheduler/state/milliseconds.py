"""Convert between times as Redis holds them (whole milliseconds since 1970) and times as Python has them. Pure."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_moment(milliseconds: str | int) -> datetime:
    """Return the moment, in UTC."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def write_moment(moment: datetime) -> int:
    """Return the milliseconds of a moment, rounded up: what is looked at too early would stay due."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))


def count_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
