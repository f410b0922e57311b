"""The smaller sections of a spec: data, the goal, and limits on money, time and the fleet."""

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_serializer, model_validator

from sweeps.evaluation.metric_prefixes import RESERVED
from sweeps.records import KEYS
from sweeps.spec.scalars import (
    Count,
    Frozen,
    Name,
    Note,
    Number,
    Positive,
    SpecModel,
    allow_none,
    check_holdout,
    check_whole,
    refuse_word,
    show,
)

Column = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Column, ...], Field(min_length=2)]
SAME_FOR_ALL = "candidates"  # the only key that a list in `columns` can give to every row


def check_columns(value: Mapping[str, str | tuple[str, ...]]) -> Frozen:
    """Accept `{question: signal}`: keys of a record, each with its column; of candidates also the same for all rows."""
    for key, column in value.items():
        if key not in KEYS:
            raise ValueError(f"expected a key of a record, and then the column of the file: {refuse_word(key, KEYS)}")
        if not isinstance(column, str) and key != SAME_FOR_ALL:
            raise ValueError(f"{key}: expected a column of the file, got a list; only {SAME_FOR_ALL} may be a list")
    return Frozen(value)


class MeasuredFile(SpecModel):
    """A further test set: its file, and the evaluations that are made on it, by name; None: all that suit it."""

    source: Column
    evaluate: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, value: Any) -> Any:
        """Take a file alone."""
        return {"source": value} if isinstance(value, str) else value

    @model_serializer
    def _write(self) -> Any:
        """Write a file alone as a file: how it is written must not make another question of a sweep."""
        return self.source if self.evaluate is None else {"source": self.source, "evaluate": list(self.evaluate)}


def check_tests(value: Mapping[str, MeasuredFile]) -> Frozen:
    """Accept `{new_hospital: other.jsonl}`: names that may stand before a metric, each with a file."""
    for name in value:
        if name in RESERVED:
            raise ValueError(f"{name} has a meaning of its own before a metric; use another name, such as my_{name}")
    return Frozen(value)


class DataSpec(SpecModel):
    """One data set: where it comes from, and what is held out from training."""

    source: Annotated[str, Field(min_length=1)]
    holdout: Annotated[int | float | str, PlainValidator(check_holdout)] = 0.1
    validation: Annotated[int | float | str | None, PlainValidator(allow_none(check_holdout))] = None
    format: Literal["text", "lines", "chat", "completion", "preference", "transcript", "questions"] | None = None
    context: Literal["none", "gold", "mix"] | None = None  # which part of a question's context the model reads
    columns: Annotated[Mapping[str, Column | Texts], AfterValidator(check_columns)] | None = (
        None  # by the key of a record
    )
    group: Column | None = None  # rows with the same value never cross a split
    sizes_in: Literal["groups", "rows"] | None = None  # what sizes count where there are groups
    by: Column | None = None  # results are shown for each value
    control_of: Name | None = None  # the data set whose null twin this is: nothing can be learnt from it
    note: Note | None = None  # what readers of an answer must know about it
    tests: Annotated[Mapping[Name, MeasuredFile], AfterValidator(check_tests)] | None = (
        None  # further files to measure on
    )

    @model_validator(mode="after")
    def _groups_to_count(self) -> Self:
        if self.sizes_in is not None and self.group is None:
            raise ValueError("sizes_in: expected a `group` too; without groups, sizes count rows; leave out `sizes_in`")
        return self


class Target(SpecModel):
    """The goal: find the smallest data set with which a metric is this good."""

    metric: str
    below: Number | None = None
    above: Number | None = None
    of: Literal["zero_shot"] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("expected exactly one of `below` and `above`")
        return self


class Best(SpecModel):
    """The metric by which the best cell is chosen."""

    metric: str
    mode: Literal["min", "max"]


class MetricWish(SpecModel):
    """A metric that the answer is about, and which way it is better, where the file says so."""

    metric: str
    mode: Literal["min", "max"] | None = None


def read_metric_wish(value: Any) -> Any:
    """Read `nll`, or `{episode.drawdown: min}`. Raises ValueError."""
    if isinstance(value, MetricWish):
        return value
    if (
        isinstance(value, Mapping)
        and {*value} <= {"metric", "mode"}
        and value.get("metric") not in (None, "min", "max")
    ):
        return value  # as it is kept
    single = isinstance(value, Mapping) and len(value) == 1
    metric, mode = next(iter(value.items())) if single else (value, None)
    if not isinstance(metric, str) or not metric or mode not in ("min", "max", None) or (single and mode is None):
        raise ValueError(f"expected the name of a metric, or {{name: min}} or {{name: max}}, got {show(value)}")
    return MetricWish(metric=metric, mode=mode)


class Equal(SpecModel):
    """What is equal for all methods of a comparison."""

    tokens: Count | None = None
    usd: Positive | None = None
    examples: Count | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if sum(value is not None for value in (self.tokens, self.usd, self.examples)) != 1:
            raise ValueError("expected exactly one of `tokens`, `usd` and `examples`")
        return self


class Budget(SpecModel):
    """The most that the sweep may cost, in US dollars. `sweep budget` has the same limits."""

    usd: Annotated[Positive, Field(le=1_000_000)]


class MinimumDataGoal(SpecModel):
    """The minimum data is known well enough when its interval's upper end is at most this many times the lower one."""

    ratio: Annotated[Number, Field(gt=1, le=1_000)]


class Until(SpecModel):
    """When to stop: when the goal is reached, or else when the next run would pass a limit.

    `budget` is what all runs may cost by the plan's high estimates, `most` how many may be trained. Without both, the
    sweep costs no more than its full grid.
    """

    minimum_data: MinimumDataGoal | None = None
    budget: Budget | None = None
    most: Count | None = None

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if self.minimum_data is None:
            raise ValueError("expected a goal, such as `minimum_data: {ratio: 1.5}`")
        return self


class FleetLimits(SpecModel):
    """How many slots of the fleet the sweep may use at once."""

    slots: Count | None = None


def check_hours(value: str) -> str:
    """Accept `22:00-07:30`: from and to, as clock times; the end may be on the next day."""
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{clock}-{clock}", value):
        raise ValueError(f"expected two times, such as '22:00-07:30', got {value!r}")
    if value[:5] == value[6:]:
        raise ValueError(f"expected a window that opens and closes at different times, got {value!r}")
    return value


def check_zone(value: str) -> str:
    """Accept a name of the time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1)
        advice = f"; did you mean `{close[0]}`?" if close else ""
        raise ValueError(f"expected a time zone such as Europe/Berlin, got {value!r}{advice}") from None
    return value


class Window(SpecModel):
    """The hours in which the sweep may run; outside them it stops at the next checkpoint."""

    daily: Annotated[str, AfterValidator(check_hours)]
    tz: Annotated[str, AfterValidator(check_zone)] = "UTC"


def check_keep(value: Any) -> str | int:
    """Accept `last`, `all`, or how many of the newest."""
    if value in ("last", "all"):
        return str(value)
    if isinstance(value, str) or check_whole(value) < 1:
        raise ValueError(f"expected `last`, `all` or a count, got {show(value)}")
    return check_whole(value)


class CheckpointSettings(SpecModel):
    """How often the state is saved, how many are kept, and for how long."""

    every_steps: Count | None = None
    every_minutes: Positive | None = 10.0
    keep: Annotated[str | int, PlainValidator(check_keep)] = "last"
    ttl_days: Positive = 7.0


def check_variable(value: str) -> str:
    """Accept `env:NAME`. Any other value may be the secret address itself, so no error quotes it."""
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(
            "expected env:NAME, the name of a variable: the address is a secret and must not be in the file"
        )
    return value


class WebhookSettings(SpecModel):
    """Where to send notices. The address is a secret, so the file only names the variable that contains it."""

    webhook: Annotated[str, AfterValidator(check_variable)]

    @property
    def address(self) -> str:
        """The name of the variable."""
        return self.webhook.removeprefix("env:")
