"""Say how far a law is off by itself, beside what seeds and items add: no real curve is exactly one of our laws.

What a law got wrong before says it best. With e the error of a forecast (`backtests`) and d the fall that was forecast,
e / d is the share by which the law was off. It grows slowly with the horizon. Shares of nearby horizons and of recent
sizes count most. With h the logarithm of how many times the largest size is asked for, h' that of a forecast, and g how
many sizes lie beyond the one it was for,

    z = e / d · (h/h')^GROWTH        w = exp(-(log(h'/h) / BAND)² / 2) · FADE^g

Few forecasts are shrunk to a prior from published curves. The normal model with unknown mean and variance (Gelman et
al. 2013, Bayesian Data Analysis, section 3.3) has with N = Σw

    μ = Σw·z / (κ0 + N)        s² = (ν0·s0² + Σw·z² - (κ0 + N)·μ²) / (ν0 + N) · (1 + 1 / (κ0 + N))

and the share by which the law will be off is Student's t about μ with scale s and ν0 + N degrees of freedom. μ makes
the interval asymmetric: a law that was too high each time will be so again. Inside the sizes the errors at sizes that
were left out take the place of z·d. The prior's `widening` is conformal: the factor that such intervals of the
published curves needed to hold .95 of what was measured, so that the promise does not rest on the t distribution.
Curves are seldom far above their law, so the upper half has factors of its own, `above`.

Where seeds tell the noise of a run, only what it does not explain is misfit. With F the mean square of the one-step
errors over what noise alone would cause, the share 1 - LUCK/F (at least 0) of the variance is kept: none where the law
is true, nearly all where the law misses by far more than seeds differ.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sweeps.scaling.backtests import Backtests
from sweeps.scaling.bend import Bend, find_bends
from sweeps.scaling.laws import Curves, Floats, Rows

BAND = 0.8  # how alike horizons have to be, in the logarithm of their logarithms
FADE = 0.4  # how much less a forecast counts for each size beyond it
NEAREST, FARTHEST = 0.3, math.log(4)  # logs of the horizons that forecasts are weighted by: beyond, those of the last
FAR = math.log(1_000)  # from this horizon on, shares no longer grow
GROWTH = 0.3  # the power of the horizon's logarithm by which shares grow
LEAST = 0.003  # of the loss: a forecast fall that is added to all, so that a flat curve has one
SIDE = 0.3  # of the symmetric half width: so much each side has at least
LUCK = 2.0  # times what noise explains: more than that five squared errors reach in one of ten experiments
COVERED = 0.95  # what an interval promises


@dataclass(frozen=True)
class MisfitPrior:
    """What published curves say of laws before this one's forecasts: `tests/published` learns it."""

    inside: float  # relative error between sizes, 1 standard deviation
    share: float  # s0, of the fall that was forecast
    weight: float = 4.0  # ν0: how many forecasts the prior is worth
    steadiness: float = 1.0  # κ0, the same for their mean
    widening: tuple[float, float, float] = (1.0, 1.0, 1.0)  # inside, at twice and at four times the largest size
    above: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the upper half, at 2, 4 and 16 times the largest size


# Of the curves in `tests/published`; `python -m tests.bench.curves --record` learns it.
PUBLISHED_PRIOR = MisfitPrior(inside=0.0043, share=0.28, widening=(0.92, 0.95, 1.07), above=(0.75, 0.75, 0.84))


class MisfitBand(NamedTuple):
    """Of misfits at sizes, each (R, Q) in units of the loss: their centre, and both half widths of 95 %."""

    low: Floats
    high: Floats
    square: Floats  # the expected square, which laws are chosen by


@dataclass(frozen=True, eq=False)
class Misfit:
    """How far one law is off for R experiments."""

    curves: Curves
    tests: Backtests
    prior: MisfitPrior
    bends: tuple[Bend | None, ...] = ()  # of each experiment, where it was looked for

    def rows(self, rows: Rows) -> "Misfit":
        """Select some experiments."""
        bends = tuple(self.bends[row] for row in rows) if self.bends else ()
        return replace(self, curves=self.curves.rows(rows), tests=self.tests.rows(rows), bends=bends)

    def look_for_bends(self) -> "Misfit":
        """Compare the law with one that bends; where that forecast better, the misfit holds what it says, too."""
        return replace(self, bends=find_bends(self.curves, self.tests, self.kept))

    @property
    def kept(self) -> Floats:
        """(R,) the share of the variance that noise does not explain."""
        known = self.tests.known
        if known is None:
            return np.ones(len(self.curves.loss))
        return np.asarray(np.clip(1 - LUCK / np.maximum(known, 1e-12), 0, 1))

    def measure(self, n: Floats) -> MisfitBand:
        """Compute the misfit at sizes n (R, Q)."""
        from scipy.special import stdtrit  # the quantile of t

        prior, tests, curves = self.prior, self.tests, self.curves
        value = curves.predict(n)
        beyond = np.maximum(np.log(np.maximum(n, 1e-300) / curves.n[-1]), 0)
        steps = beyond / np.log(2)
        count = prior.weight + tests.inside.shape[1]
        inside = (prior.weight * prior.inside**2 + (tests.inside**2).sum(axis=1)) / count
        inner = inside[:, None] * value**2
        fall = np.abs(curves.predict(curves.n[-1:]) - value) * (beyond > 0)
        fall = fall + LEAST * value * np.minimum(steps, 1)
        weights, share = self._weigh(beyond), self._scale(beyond)
        total, first, second = ((weights * part).sum(axis=2) for part in (1.0, share, share**2))
        mean = first / (prior.steadiness + total)
        freedom = prior.weight + total
        known = prior.share * np.clip(beyond / FARTHEST, 1, FAR / FARTHEST) ** GROWTH
        square = (prior.weight * known**2 + second) / freedom
        variance = np.maximum(square - (prior.steadiness + total) * mean**2 / freedom, 1e-6)
        variance = variance * (1 + 1 / (prior.steadiness + total))
        outer = stdtrit(freedom, (1 + COVERED) / 2) * np.sqrt(variance) * fall
        within = prior.widening[0] * stdtrit(count, (1 + COVERED) / 2) * np.sqrt(inner)
        below, above = np.interp(steps, (1, 2), prior.widening[1:]), np.interp(steps, (1, 2, 4), prior.above)
        kept, centre = np.sqrt(self.kept)[:, None], mean * fall
        halves = ((np.hypot(factor * outer, within), sign) for factor, sign in ((below, -1), (above, 1)))
        low, high = (kept * np.maximum(half + sign * centre, SIDE * half) for half, sign in halves)
        for row, bend in enumerate(self.bends):
            if bend is not None:
                other = np.where(beyond[row] > 0, bend.predict(n[row]) - value[row], 0.0)
                low[row], high[row] = np.maximum(low[row], -other), np.maximum(high[row], other)
        return MisfitBand(low, high, square * fall**2 + inner)

    def _weigh(self, beyond: Floats) -> Floats:
        """(R, Q, B) how much each forecast counts at a horizon."""
        tests = self.tests
        with np.errstate(divide="ignore"):
            away = np.log(tests.horizon / np.clip(beyond, NEAREST, FARTHEST)[:, :, None])
        since = len(self.curves.n) - 1 - tests.place
        return np.asarray(np.exp(-((away / BAND) ** 2) / 2) * FADE**since)

    def _scale(self, beyond: Floats) -> Floats:
        """(R, Q, B) the shares by which the law was off, as they would be at a horizon."""
        tests, curves = self.tests, self.curves
        share = tests.error / (tests.fall + LEAST * curves.loss[:, tests.place])
        return np.asarray(share[:, None, :] * (np.clip(beyond, NEAREST, FAR)[:, :, None] / tests.horizon) ** GROWTH)
