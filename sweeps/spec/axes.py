"""Axes: one thing that varies, as a list or as a rule that makes one.

    [4, 16, 64]                                    these values
    {geom: [1e-3, 1e-1], count: 5}                 equal ratios, both ends included
    {geom: [32, 2048], factor: 2}                  from the first end by this ratio, up to the second
    {lin: [0, 1], count: 5}                        equal distances, both ends included
    {log_uniform: [1e-4, 1e-1], count: 8, seed: 1} drawn, uniform in the logarithm; `uniform` likewise
    {choice: [a, b, c], count: 2, seed: 1}         drawn without repeats; past the end, all of them again

A length is known without making the values, so that a grid of ten million runs is refused at once. It is kept: where
rounding or drawing makes two values alike they stay two, and whoever takes the axis alone refuses that (`repeated`).
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from sweeps.spec.scalars import Count, Findings, Number, Positive, SpecModel, Whole, show
from sweeps.spec.source import Plain

DIGITS = (3, 12)  # that a condition writes of a value which a rule has made: from, and below which number
RANGES = ("geom", "lin")
DRAWS = ("log_uniform", "uniform", "choice")
Ends = Annotated[tuple[Number, Number], Field()]


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

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [name for name in (*RANGES, *DRAWS) if getattr(self, name) is not None]
        if len(given) != 1:
            names = ", ".join((*RANGES, *DRAWS))
            raise ValueError(f"{' and '.join(given) or 'none'} found; exactly one of {names} is right")
        found = [*self._of_ends(), *self._of_counts()]
        if found:
            raise Findings([((), text) for text in found])
        return self

    def _of_ends(self) -> list[str]:
        if self.rule == "choice":
            return [] if self.choice else ["choice: [] found; at least one value is right"]
        low, high = self.ends
        if not low < high:
            return [f"{self.rule}: {show(self.ends)} found; the smaller end first is right"]
        if self.rule in ("geom", "log_uniform") and low <= 0:
            return [f"{self.rule}: {show(self.ends)} found; ends above 0 are right"]
        return []

    def _of_counts(self) -> list[str]:
        found = []
        if self.rule == "geom" and (self.count is None) == (self.factor is None):
            found.append("`geom` takes either a count or a factor")
        if self.rule != "geom" and self.count is None:
            found.append(f"`{self.rule}` takes a count")
        if self.factor is not None and (self.rule != "geom" or self.factor <= 1):
            found.append(f"factor: {show(self.factor)} found; a ratio above 1, with `geom`, is right")
        if self.seed is not None and self.rule not in DRAWS:
            found.append(f"`seed` belongs to {', '.join(DRAWS)}; `{self.rule}` draws nothing")
        if self.rule in RANGES and self.count == 1:
            found.append("count: 1 found; both ends are included, so at least 2 is right")
        return found


def _kind(value: Any) -> str:
    return "<rule>" if isinstance(value, Mapping | Spread) else "<list>"


Listed = Annotated[tuple[Any, ...], Field(min_length=1)]
Axis = Annotated[Annotated[Listed, Tag("<list>")] | Annotated[Spread, Tag("<rule>")], Discriminator(_kind)]


def count_values(axis: tuple[Any, ...] | Spread) -> int:
    """How many values the axis has, by arithmetic."""
    if isinstance(axis, tuple):
        return len(axis)
    if axis.factor is not None:
        low, high = axis.ends
        return math.floor(math.log(high / low) / math.log(axis.factor) + 1e-9) + 1
    return axis.count or 0


def list_values(axis: tuple[Any, ...] | Spread, path: str = "", *, integers: bool = False) -> tuple[Plain, ...]:
    """The values of the axis that stands at `path`, as many as its length says.

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


def is_same(one: Plain, other: Plain) -> bool:
    """Are they the same value? `1e-2` is 0.01 and 4.0 is 4; `"4"` and `true` are no numbers."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def find_meant(axis: tuple[Any, ...] | Spread | None, made: Sequence[Plain], written: Plain) -> tuple[Plain, ...]:
    """Which of the values of an axis `written` means: several where it is not clear, none where it has no such value.

    What a rule made may be written with fewer digits, as tables show it: 0.00316 means 0.00316227766017.
    """
    equal = tuple(value for value in made if is_same(value, written))
    if equal or not isinstance(axis, Spread):
        return equal[:1]
    return tuple(dict.fromkeys(value for value in made if _shortened(value, written)))


def _shortened(value: Plain, written: Plain) -> bool:
    if not isinstance(value, float) or isinstance(written, bool) or not isinstance(written, int | float):
        return False
    return any(float(f"{value:.{digits}g}") == written for digits in range(*DIGITS))


def find_repeated(made: Sequence[Plain]) -> list[int]:
    """The places of values that stand on the axis before already."""
    seen: set[object] = set()
    found = []
    for place, value in enumerate(made):
        plain = value is None or isinstance(value, str | int | float)
        key = (isinstance(value, bool), value if plain else json.dumps(value, sort_keys=True, default=str))
        if key in seen:
            found.append(place)
        seen.add(key)
    return found


def find_shortfall(axis: tuple[Any, ...] | Spread) -> float | None:
    """Where an axis by a factor ends, if that is not the end that it names."""
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
    """Its own stream for each axis: two axes with one seed must not be drawn in step."""
    salt = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")
    return np.random.default_rng([axis.seed or 0, salt])
