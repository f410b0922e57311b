"""Place values on an axis, and choose its ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values outside lie at the edge."""
        held = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(held / self.low) / math.log(self.high / self.low)
        else:
            share = (held - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def span_values(values: Iterable[float], start: float, end: float, *, log: bool = False, margin: float = 0.05) -> Scale:
    """Make a scale with room for all finite values (those above 0 if logarithmic), with a margin."""
    seen = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
    low, high = min(seen), max(seen)
    if log:
        grown = (high / low) ** margin if high > low else 2.0
        return Scale(low / grown, high * grown, start, end, log=True)
    air = (high - low) * margin or abs(high) * 0.1 or 1.0
    return Scale(low - air, high + air, start, end)


def choose_ticks(scale: Scale, most: int = 6) -> list[float]:
    """Choose round values on the scale."""
    return _decades(scale, most) if scale.log else _steps(scale.low, scale.high, most)


def _steps(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def _decades(scale: Scale, most: int) -> list[float]:
    low, high = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**power for power in range(low, high + 1) for factor in factors]
        inside = [value for value in values if scale.low <= value <= scale.high]
        if len(inside) <= most:
            break
    every = -(-len(inside) // max(most, 1)) or 1
    return inside[::every] or [math.sqrt(scale.low * scale.high)]


def spread_apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Move places as little as needed so that none is nearer than `least` to the next, within bounds."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    floor = low
    for index in order:
        moved[index] = max(moved[index], floor)
        floor = moved[index] + least
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - least
    return moved


def shorten(value: float) -> str:
    """Write a value on an axis: 0.05, 1.95, 128, 16k, 2M."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"
