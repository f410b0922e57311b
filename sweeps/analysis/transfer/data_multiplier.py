"""Compute what a transfer is worth in examples: D_E, the target examples that reach the same loss without it.

The effective data of Hernandez et al. 2021 (arXiv 2102.01293), with the base model as the start of the reference: the
losses of training on the target alone, made monotone and read between the sizes that were measured, linearly in log n.
Nothing is read beyond them: there D_E is only known to be more than the largest, or less than the smallest.

The curve is not known exactly. Where a gain is read off it, its seeds differ, and between two sizes it is no straight
line. So the interval of the gain is widened by both in quadrature before it is read off. At an inner size the curve
misses the straight line between its neighbours by b. A share u of the way between two sizes a smooth curve misses by
b·u·(1 - u), because the error of linear interpolation grows with the square of the distance.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sweeps.stats.clusters import Floats
from sweeps.stats.intervals import Estimate, critical_t

Censored = Literal["", ">", "<"]


class Multiplier(NamedTuple):
    """D_E/n, how many times its examples a transfer is worth: above 1 it helps.

    `censored` says that it is more (">") or less ("<") than `value`, which is then n_max/n or n_min/n. The interval is
    that of the gain and of the curve that it is read off: 0 and infinity where it leaves the curve, None where the gain
    has none.
    """

    value: float
    censored: Censored
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Reference:
    """The losses of the target alone, (sizes,) ascending and not rising: what is not monotone in them is evened out."""

    sizes: Floats
    losses: Floats
    error: float = 0.0  # half of the 95 % interval of a mean over its seeds

    @classmethod
    def fit(cls, losses: Mapping[int, float], error: float = 0.0) -> "Reference":
        """Build the reference from the mean loss at each size above 0."""
        from scipy.optimize import isotonic_regression

        sizes = sorted(size for size in losses if size > 0)
        raw = np.array([losses[size] for size in sizes], float)
        even = isotonic_regression(raw, increasing=False).x if sizes else raw
        return cls(np.array(sizes, float), np.asarray(even, float), error)

    @classmethod
    def fit_seeds(cls, losses: Mapping[int, Mapping[int, float]]) -> "Reference":
        """Build it from the losses of the seeds at each size; how far they differ is pooled over the sizes."""
        known = {size: np.array([*seeds.values()]) for size, seeds in losses.items() if size > 0 and seeds}
        freedom = sum(len(values) - 1 for values in known.values())
        squares = sum(float(((values - values.mean()) ** 2).sum()) for values in known.values())
        seeds = min((len(values) for values in known.values()), default=1)
        error = critical_t(freedom) * float(np.sqrt(squares / freedom / seeds)) if freedom else 0.0
        return cls.fit({size: float(values.mean()) for size, values in known.items()}, error)

    def multiplier(self, size: int, gain: Estimate) -> Multiplier | None:
        """Compute the multiple of a gain at a size; None at size 0, or where the target alone was not measured."""
        if size not in self.sizes:
            return None
        value, censored = self._times(size, gain.mean)
        if gain.half_width is None:
            return Multiplier(value, censored)
        half = float(np.hypot(gain.half_width, self._measure_error(size * value)))
        low, below = self._times(size, gain.mean - half)
        high, above = self._times(size, gain.mean + half)
        return Multiplier(value, censored, 0.0 if below == "<" else low, float("inf") if above == ">" else high)

    def _measure_error(self, size: float) -> float:
        """Half of the 95 % interval of the curve at a size: its seeds, and how far it is from a straight line."""
        logs = np.log(self.sizes)
        after = int(np.clip(np.searchsorted(self.sizes, size), 1, len(logs) - 1)) if len(logs) > 2 else 0
        if not after:
            return self.error
        inner = np.arange(max(after - 1, 1), min(after + 1, len(logs) - 1))
        shares = (logs[inner] - logs[inner - 1]) / (logs[inner + 1] - logs[inner - 1])
        straight = self.losses[inner - 1] * (1 - shares) + self.losses[inner + 1] * shares
        place = (np.log(size) - logs[after - 1]) / (logs[after] - logs[after - 1])
        off = float(np.abs(self.losses[inner] - straight).max()) * max(float(place * (1 - place)), 0.0)
        return float(np.hypot(self.error, off))

    def _times(self, size: int, gain: float) -> tuple[float, Censored]:
        """Find the size with a loss; among several, the one nearest to `size`, so that no gain is worth nothing."""
        wanted = float(self.losses[self.sizes == size][0]) - gain
        if wanted > self.losses[0]:
            return float(self.sizes[0]) / size, "<"
        if wanted < self.losses[-1]:
            return float(self.sizes[-1]) / size, ">"
        same = self.sizes[self.losses == wanted]
        if len(same):
            return float(np.clip(size, same[0], same[-1])) / size, ""
        after = int(np.argmax(self.losses < wanted))
        share = (self.losses[after - 1] - wanted) / (self.losses[after - 1] - self.losses[after])
        logs = np.log(self.sizes[after - 1 : after + 1])
        return float(np.exp(logs[0] + share * (logs[1] - logs[0]))) / size, ""


class TargetAlone(NamedTuple):
    """How a target does without a source."""

    reference: Reference
    learned: float | None  # zero-shot to the largest size, in the unit of the loss

    @classmethod
    def read(cls, losses: Mapping[int, Mapping[int, float]]) -> "TargetAlone":
        """Read the losses of the target alone, by size and seed."""
        means = {size: statistics.fmean(seeds.values()) for size, seeds in losses.items()}
        zero, largest = means.get(0), max(means, default=0)
        return cls(Reference.fit_seeds(losses), None if zero is None or not largest else zero - means[largest])

    def share(self, gain: Estimate | None) -> float | None:
        """Divide a gain by what the target alone gains."""
        return gain.mean / self.learned if gain and self.learned and self.learned > 0 else None

    def worth(self, gain: Estimate | None, size: int) -> Multiplier | None:
        """Compute how many times its examples a transfer is worth."""
        return self.reference.multiplier(size, gain) if gain else None
