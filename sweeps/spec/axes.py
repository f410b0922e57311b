"""Axes: one thing that varies, as a list or as a rule that makes a list.

    [4, 16, 64]                                    these values
    {geom: [1e-3, 1e-1], count: 5}                 equal ratios, both ends included
    {geom: [32, 2048], factor: 2}                  from the first end by this ratio, up to the second
    {lin: [0, 1], count: 5}                        equal distances, both ends included
    {log_uniform: [1e-4, 1e-1], count: 8, seed: 1} drawn, uniform in the logarithm; `uniform` likewise
    {choice: [a, b, c], count: 2, seed: 1}         drawn without repeats; past the end, all of them again

The number of values is computed without making them, so that a grid of ten million runs is refused at once. Values
that rounding or drawing makes equal stay two values here; `find_repeated` finds them, so that the rules refuse them.
"""

import difflib
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from sweeps.spec.scalars import LIST_ADVICE, RULE_ADVICE, Count, Findings, Number, Positive, SpecModel, Whole, show
from sweeps.spec.source import Plain

DIGITS = (3, 12)  # of a number made by a rule, as a condition may shorten it: from, and below
EXAMPLE = (32, 2048)  # the ends of an axis, for errors
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")
RANGES = ("geom", "lin")
DRAWS = ("log_uniform", "uniform", "choice")


def _check_two(value: Any) -> Any:
    """Require two ends; the numbers themselves are checked below."""
    if isinstance(value, list | tuple) and len(value) == len(EXAMPLE):
        return value
    first = value[0] if isinstance(value, list | tuple) and value else value
    low = first if isinstance(first, int | float) and not isinstance(first, bool) else EXAMPLE[0]
    high = EXAMPLE[1] if low < EXAMPLE[1] else low * 2
    advice = f"{LIST_ADVICE}[{show(low)},{show(high)}]"
    raise ValueError(f"expected the smallest and the largest value, got {show(value)}{advice}")


Ends = Annotated[tuple[Number, Number], BeforeValidator(_check_two)]


def describe_forms(value: Any) -> str:
    """Say how an axis is written with the numbers that stand in a value which is none."""
    text = " ".join(map(str, value.values())) if isinstance(value, Mapping) else str(value)
    numbers = NUMBER.findall(text) or [str(end) for end in EXAMPLE]
    listed = f"{LIST_ADVICE}[{','.join(numbers)}]"
    if len(numbers) == len(EXAMPLE) and float(numbers[0]) < float(numbers[1]):
        listed += f"{RULE_ADVICE}geom: [{', '.join(numbers)}], factor: 2}}"
    return listed


class Spread(SpecModel):
    """The rule of an axis that is not a plain list."""

    geom: Ends | None = None
    lin: Ends | None = None
    log_uniform: Ends | None = None
    uniform: Ends | None = None
    choice: tuple[Any, ...] | None = None
    count: Count | None = None
    factor: Positive | None = None
    seed: Annotated[Whole, Field(ge=0)] | None = None

    @property
    def rule(self) -> str:
        return next(name for name in (*RANGES, *DRAWS) if getattr(self, name) is not None)

    @property
    def ends(self) -> tuple[float, float]:
        low, high = getattr(self, self.rule)
        return low, high

    @model_validator(mode="before")
    @classmethod
    def _require_known_key(cls, value: Any) -> Any:
        """Refuse at once what was written without the keys of a rule, such as `{from: 32, to: 64}`."""
        if isinstance(value, Mapping) and value and not any(map(_is_like_key, value)):
            raise ValueError(f"expected a list or a rule, got {show(value)}{describe_forms(value)}")
        return value

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [name for name in (*RANGES, *DRAWS) if getattr(self, name) is not None]
        if len(given) != 1:
            names = ", ".join((*RANGES, *DRAWS))
            raise ValueError(f"expected exactly one of {names}, got {' and '.join(given) or 'none'}")
        problems = [*self._check_ends(), *self._check_counts()]
        if problems:
            raise Findings([((), text) for text in problems])
        return self

    def _check_ends(self) -> list[str]:
        if self.rule == "choice":
            return [] if self.choice else ["choice: expected at least one value, got []"]
        low, high = self.ends
        if not low < high:
            return [f"{self.rule}: expected the smaller end first, got {show(self.ends)}"]
        if self.rule in ("geom", "log_uniform") and low <= 0:
            return [f"{self.rule}: expected ends above 0, got {show(self.ends)}"]
        return []

    def _check_counts(self) -> list[str]:
        problems = []
        if self.rule == "geom" and (self.count is None) == (self.factor is None):
            problems.append("expected either a count or a factor with `geom`")
        if self.rule != "geom" and self.count is None:
            problems.append(f"expected a count with `{self.rule}`")
        if self.factor is not None and (self.rule != "geom" or self.factor <= 1):
            problems.append(f"factor: expected a ratio above 1, with `geom`, got {show(self.factor)}")
        if self.seed is not None and self.rule not in DRAWS:
            problems.append(f"`seed` belongs to {', '.join(DRAWS)}; `{self.rule}` draws nothing, so leave it out")
        if self.rule in RANGES and self.count == 1:
            problems.append("count: expected at least 2, because both ends are included, got 1")
        return problems


def _is_like_key(key: object) -> bool:
    return bool(difflib.get_close_matches(str(key), Spread.model_fields, n=1))


def _kind(value: Any) -> str:
    return "<rule>" if isinstance(value, Mapping | Spread) else "<list>"


Listed = Annotated[tuple[Any, ...], Field(min_length=1)]
Axis = Annotated[Annotated[Listed, Tag("<list>")] | Annotated[Spread, Tag("<rule>")], Discriminator(_kind)]


def count_values(axis: tuple[Any, ...] | Spread) -> int:
    """Count the values of an axis without making them."""
    if isinstance(axis, tuple):
        return len(axis)
    if axis.factor is not None:
        low, high = axis.ends
        return math.floor(math.log(high / low) / math.log(axis.factor) + 1e-9) + 1
    return axis.count or 0


def list_values(axis: tuple[Any, ...] | Spread, path: str = "", *, integers: bool = False) -> tuple[Plain, ...]:
    """Make the values of the axis at `path`.

    Numbers of a rule are cut to 12 digits, so that 0.001 is 0.001; with `integers` they are rounded to whole ones.
    """
    if isinstance(axis, tuple):
        return tuple(map(_whole, axis)) if integers else axis
    if axis.rule == "choice":
        return tuple(map(_whole, _choices(axis, path))) if integers else _choices(axis, path)
    numbers = [float(f"{value:.12g}") for value in _numbers(axis, path)]
    return tuple(round(value) for value in numbers) if integers else tuple(numbers)


def _whole(value: Plain) -> Plain:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_same(value: Plain, other: Plain) -> bool:
    """Whether two values are the same: `1e-2` is 0.01 and 4.0 is 4; `"4"` and `true` are not numbers."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def find_meant(axis: tuple[Any, ...] | Spread | None, made: Sequence[Plain], written: Plain) -> tuple[Plain, ...]:
    """Find the values of an axis that `written` may mean: none if there is no such value, several if it is not clear.

    A value that a rule made may be shortened, as tables show it: 0.00316 means 0.00316227766017.
    """
    equal = tuple(value for value in made if is_same(value, written))
    if equal or not isinstance(axis, Spread):
        return equal[:1]
    return tuple(dict.fromkeys(value for value in made if _is_shortened(value, written)))


def _is_shortened(value: Plain, written: Plain) -> bool:
    if not isinstance(value, float) or isinstance(written, bool) or not isinstance(written, int | float):
        return False
    return any(float(f"{value:.{digits}g}") == written for digits in range(*DIGITS))


def find_repeated(made: Sequence[Plain]) -> list[int]:
    """List the places of values that the axis already has before them."""
    seen: set[object] = set()
    places = []
    for place, value in enumerate(made):
        plain = value is None or isinstance(value, str | int | float)
        key = (isinstance(value, bool), value if plain else json.dumps(value, sort_keys=True, default=str))
        if key in seen:
            places.append(place)
        seen.add(key)
    return places


def find_shortfall(axis: tuple[Any, ...] | Spread) -> float | None:
    """Find where an axis with a factor ends, if that is not the end that it names."""
    if isinstance(axis, tuple) or axis.factor is None:
        return None
    last: float = axis.ends[0] * axis.factor ** (count_values(axis) - 1)
    return None if math.isclose(last, axis.ends[1], rel_tol=1e-6) else float(f"{last:.12g}")


def _numbers(axis: Spread, path: str) -> Sequence[float]:
    if axis.factor is not None:
        return [axis.ends[0] * axis.factor**index for index in range(count_values(axis))]
    points: list[float] = _points(axis, path).tolist()
    return points


def _points(axis: Spread, path: str) -> NDArray[np.float64]:
    low, high = axis.ends
    if axis.rule == "lin":
        return np.linspace(low, high, count_values(axis))
    if axis.rule == "geom":
        return np.geomspace(low, high, count_values(axis))
    unit = _generator(axis, path).random(count_values(axis))
    if axis.rule == "uniform":
        return low + (high - low) * unit
    drawn: NDArray[np.float64] = low * (high / low) ** unit
    return drawn


def _choices(axis: Spread, path: str) -> tuple[Plain, ...]:
    choice, generator = axis.choice or (), _generator(axis, path)
    rounds = -(-count_values(axis) // len(choice))
    order = np.concatenate([generator.permutation(len(choice)) for _ in range(rounds)])
    return tuple(choice[index] for index in order[: count_values(axis)])


def _generator(axis: Spread, path: str) -> np.random.Generator:
    """Make a generator for one axis: two axes with the same seed must not draw the same numbers."""
    salt = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")
    return np.random.default_rng([axis.seed or 0, salt])
