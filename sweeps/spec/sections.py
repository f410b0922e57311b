"""The smaller sections of a spec: data, the goal, and limits on money, time and the fleet."""

import difflib
import re
import zoneinfo
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from sweeps.spec.scalars import Count, Number, Positive, SpecModel, allow_none, check_holdout, check_whole, show


class DataSpec(SpecModel):
    """One data set: where it comes from, and what is kept apart from training."""

    source: Annotated[str, Field(min_length=1)]
    holdout: Annotated[int | float | str, PlainValidator(check_holdout)] = 0.1
    validation: Annotated[int | float | str | None, PlainValidator(allow_none(check_holdout))] = None
    format: Literal["text", "lines", "chat", "completion", "preference", "transcript", "questions"] | None = None
    context: Literal["none", "gold", "mix"] | None = None  # what of a question's context is read with it


class Target(SpecModel):
    """What is sought: the smallest data with which a metric is this good."""

    metric: str
    below: Number | None = None
    above: Number | None = None
    of: Literal["zero_shot"] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("exactly one of `below` and `above` is right")
        return self


class Best(SpecModel):
    """By which metric the best cell is chosen."""

    metric: str
    mode: Literal["min", "max"]


class Equal(SpecModel):
    """What the methods of a comparison have the same of."""

    tokens: Count | None = None
    usd: Positive | None = None
    examples: Count | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if sum(value is not None for value in (self.tokens, self.usd, self.examples)) != 1:
            raise ValueError("exactly one of `tokens`, `usd` and `examples` is right")
        return self


class Budget(SpecModel):
    """What the sweep may cost at most, in US dollars: within what `sweep budget` takes."""

    usd: Annotated[Positive, Field(le=1_000_000)]


class FleetLimits(SpecModel):
    """How much of the fleet the sweep may use at once."""

    slots: Count | None = None


def check_hours(value: str) -> str:
    """`22:00-07:30`: from and to, as clock times; the end may be on the next day."""
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{clock}-{clock}", value):
        raise ValueError(f"{value!r} found; two times as in '22:00-07:30' are right")
    if value[:5] == value[6:]:
        raise ValueError(f"{value!r} found; a window that opens and closes at different times is right")
    return value


def check_zone(value: str) -> str:
    """A name of the time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1)
        right = f"did you mean `{close[0]}`?" if close else "a name as Europe/Berlin is right"
        raise ValueError(f"{value!r} found; {right}") from None
    return value


class Window(SpecModel):
    """The hours in which the sweep may run; outside it yields at the next checkpoint."""

    daily: Annotated[str, AfterValidator(check_hours)]
    tz: Annotated[str, AfterValidator(check_zone)] = "UTC"


def check_keep(value: Any) -> str | int:
    """`last`, `all`, or how many of the newest."""
    if value in ("last", "all"):
        return str(value)
    if isinstance(value, str) or check_whole(value) < 1:
        raise ValueError(f"{show(value)} found; `last`, `all` or a count is right")
    return check_whole(value)


class CheckpointSettings(SpecModel):
    """How often the state is saved, how many are kept, and for how long."""

    every_steps: Count | None = None
    every_minutes: Positive | None = 10.0
    keep: Annotated[str | int, PlainValidator(check_keep)] = "last"
    ttl_days: Positive = 7.0


def check_variable(value: str) -> str:
    """`env:NAME`. What stands in its place may be the address itself, so it is not quoted."""
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("no name of a variable found; env:NAME is right: the address is a secret, and stays outside")
    return value


class WebhookSettings(SpecModel):
    """Whom to tell. The address is a secret, so the file only names the variable that holds it."""

    webhook: Annotated[str, AfterValidator(check_variable)]

    @property
    def address(self) -> str:
        """The name of the variable."""
        return self.webhook.removeprefix("env:")
