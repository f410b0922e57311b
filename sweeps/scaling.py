"""How much data a domain needs: the law that fits its losses, how far to trust it, and what it says of a target.

A fit is judged by what it has not seen: without its two largest sizes it has to predict them. Above 2 % of error it
warns, above 10 % it is refused, as it is where sizes are too few or the loss rises with more data. A refused fit may
still be drawn; it answers no question about a target.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.laws import LAWS, Curve, Floats, Law, fit_law

WARN, REFUSE = 0.02, 0.10  # relative error at the two largest sizes
RISE = 0.01  # relative rise of the loss from one size to the next that is no longer a wobble
FARTHEST = 10  # times the largest size: beyond it an extrapolation is not told
LACK_OF_FIT = 0.05  # a law is contradicted where misses like its own would be rarer than this
SPARE = 2  # distinct sizes that a law needs beyond its free parameters

Status = Literal["interpolated", "extrapolated", "met", "unreachable", "not identified", "refused"]


class MinimumData(NamedTuple):
    """The size at which the curve reaches `target`, in examples, with a 95 % interval where there is one.

    met: the smallest size is already there, `point` is that size. unreachable: the floor is above the target.
    not identified: the curve gets there at more than ten times the largest size, if at all.
    The interval is a delta-method one on log n, from the residuals about the curve: it takes the law as true.
    """

    target: float
    status: Status
    point: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class ScalingFit:
    """The fit, or with `curve` None the reason (`refused`) why there is none."""

    n: Floats  # distinct sizes, ascending
    loss: Floats  # mean losses there
    curve: Curve | None = None
    r2: float | None = None
    max_residual: float | None = None  # the largest relative residual
    holdout_error: float | None = None  # fitted without the two largest sizes: the largest relative error there
    warnings: tuple[str, ...] = ()
    refused: str | None = None
    minimum_data: MinimumData | None = None

    @property
    def law(self) -> Law | None:
        return self.curve.law if self.curve else None

    @property
    def params(self) -> Mapping[str, float]:
        """E, A, a and n0 of the laws' formulas, those that the law has."""
        if self.curve is None:
            return {}
        found = {"A": self.curve.scale, "a": self.curve.exponent}
        found |= {"E": self.curve.floor} if self.law != "pure" else {}
        return found | ({"n0": self.curve.shift} if self.law == "shifted" else {})

    def predict(self, n: npt.ArrayLike) -> Floats:
        """The loss at n examples. Raises ValueError where there is no curve."""
        if self.curve is None:
            raise ValueError(f"no curve was fitted: {self.refused}")
        return self.curve.predict(n)


@dataclass(frozen=True, eq=False)
class Spread:
    """How far the seeds of one size differ, pooled over the sizes: what a curve's misses are measured against."""

    counts: npt.NDArray[np.intp]  # (sizes,) runs
    freedom: int  # runs beyond one for each size; 0: nothing is known of the spread
    variance: float  # of one run's loss
    relative: float  # the same of loss / mean loss at its size

    @classmethod
    def of(cls, losses: Floats, means: Floats, places: npt.NDArray[np.intp]) -> "Spread":
        """From losses (R,), the means (sizes,) and the size that each run belongs to (R,)."""
        counts = np.bincount(places, minlength=len(means))
        freedom = len(losses) - len(means)
        misses = losses - means[places]
        per = max(freedom, 1)
        return cls(counts, freedom, float(misses @ misses) / per, float(np.sum((misses / means[places]) ** 2)) / per)

    @property
    def steps(self) -> Floats:
        """The standard error of the difference between neighbouring sizes, (sizes - 1,)."""
        return np.sqrt(self.variance * (1 / self.counts[:-1] + 1 / self.counts[1:]))

    def contradicts(self, curve: Curve) -> bool:
        """Are the curve's misses more than seeds explain? F = (SS_lack / (sizes - p)) / (SS_pure / freedom)."""
        from scipy.special import fdtrc  # the upper tail of F

        spare = len(curve.n) - LAWS[curve.law]
        if self.freedom == 0 or self.relative == 0 or spare <= 0:
            return False
        misses = float(np.sum(self.counts * curve.residuals**2)) / spare
        return float(fdtrc(spare, self.freedom, misses / self.relative)) < LACK_OF_FIT


def fit_scaling(
    n: npt.ArrayLike,
    loss: npt.ArrayLike,
    *,
    seed: Sequence[int] | None = None,
    target: float | None = None,
    law: Law | None = None,
) -> ScalingFit:
    """Fit a law to the losses (R,) of R runs at sizes n (R,), the mean over the seeds of a size being one point.

    The law is, unless `law` says it, among those that the number of sizes allows the one with the least AICc that
    predicts the two largest sizes within 2 % and that the spread of the seeds does not contradict (F test of lack of
    fit, 5 %); if none does both, the one with the least AICc that predicts, and else the one with the least AICc. (At
    seven sizes AICc alone prefers few parameters even where they plainly miss the points.) Runs at size 0 (zero-shot)
    and losses that are not finite are left out, the latter with a warning; `seed` (R,) warns of sizes that lack one.
    With `target`, a loss, `minimum_data` answers. Never raises for what was measured: `refused` says it.
    """
    runs = np.asarray(n, float), np.asarray(loss, float)
    seeds = np.zeros(runs[0].shape, int) if seed is None else np.asarray(seed)
    trained = runs[0] > 0
    good = trained & np.isfinite(runs[1]) & (runs[1] > 0)
    sizes, places = np.unique(runs[0][good], return_inverse=True)
    means = np.array([runs[1][good][places == place].mean() for place in range(len(sizes))])
    warnings = (*_lost(int((trained & ~good).sum())), *_uneven(sizes, places, seeds[good]))
    spread = Spread.of(runs[1][good], means, places)
    reason = _unfit(sizes, means, spread, law)
    if reason:
        answer = None if target is None else MinimumData(target, "refused")
        return ScalingFit(sizes, means, warnings=warnings, refused=reason, minimum_data=answer)
    return _judged(_chosen(sizes, means, spread, law), warnings, target)


def _judged(curve: Curve, warnings: tuple[str, ...], target: float | None) -> ScalingFit:
    error = _holdout_error(curve)
    refused = None
    if error > REFUSE:
        refused = f"fitted without the two largest sizes it misses them by {error:.0%}: no {curve.law} law is seen here"
    elif error > WARN:
        warnings += (f"fitted without the two largest sizes it misses them by {error:.1%}",)
    if curve.law != "pure" and curve.floor == 0:
        warnings += ("the floor is not identified: it came out as 0, so do not extrapolate far",)
    answer = None
    if target is not None:
        answer = MinimumData(target, "refused") if refused else minimum_data(curve, target)
    return ScalingFit(
        n=curve.n,
        loss=curve.loss,
        curve=curve,
        r2=float(
            1 - np.sum((curve.loss - curve.predict(curve.n)) ** 2) / np.sum((curve.loss - curve.loss.mean()) ** 2)
        ),
        max_residual=float(np.abs(curve.residuals).max()),
        holdout_error=error,
        warnings=warnings,
        refused=refused,
        minimum_data=answer,
    )


def minimum_data(curve: Curve, target: float) -> MinimumData:
    """Invert the law: n* = (A / (target - E))^(1/a) - n0."""
    if target >= float(curve.predict(curve.n[0])):
        return MinimumData(target, "met", point=float(curve.n[0]))
    if target <= curve.floor:
        return MinimumData(target, "unreachable")
    logarithm = math.log(curve.scale / (target - curve.floor)) / curve.exponent
    if logarithm > math.log(FARTHEST * curve.n[-1] + curve.shift):
        return MinimumData(target, "not identified")
    point = math.exp(logarithm) - curve.shift
    low, high = _delta_interval(curve, target, point)
    return MinimumData(target, "interpolated" if point <= curve.n[-1] else "extrapolated", point, low, high)


def _delta_interval(curve: Curve, target: float, point: float) -> tuple[float | None, float | None]:
    """95 % by the delta method on log n*: residual variance about the curve, t with sizes - parameters.

    Parameters at their bound (E or n0 of 0) are taken as known. None where the rest are not identified.
    """
    from scipy.special import stdtrit  # the quantile of t

    free = [True, True, curve.floor > 0, curve.shift > 0]
    power = curve.scale * (curve.n + curve.shift) ** -curve.exponent
    columns = (
        power,
        -power * np.log(curve.n + curve.shift),
        np.ones_like(power),
        -power * curve.exponent / (curve.n + curve.shift),
    )
    slopes = np.stack(columns, axis=1)[:, free] / curve.loss[:, None]  # by log A, a, E, n0
    spare = len(curve.n) - sum(free)
    norms = np.linalg.norm(slopes, axis=0)
    if spare < 1 or np.linalg.cond(slopes / norms) > 1e7:
        return None, None
    reach = point + curve.shift
    gradient = np.array(
        [
            1 / curve.exponent,
            -math.log(reach) / curve.exponent,
            1 / (curve.exponent * (target - curve.floor)),
            -1 / reach,
        ]
    )
    gradient = gradient[free] * reach / point / norms
    inverse = np.linalg.inv((slopes / norms).T @ (slopes / norms))
    variance = float(curve.residuals @ curve.residuals) / spare * float(gradient @ inverse @ gradient)
    half = float(stdtrit(spare, 0.975)) * math.sqrt(variance)
    return point * math.exp(-min(half, 50)), point * math.exp(min(half, 50))


def _chosen(n: Floats, loss: Floats, spread: Spread, law: Law | None) -> Curve:
    if law:
        return fit_law(law, n, loss)
    curves = [fit_law(known, n, loss) for known, free in LAWS.items() if len(n) >= free + SPARE]
    ranked = sorted(curves, key=lambda curve: curve.aicc)
    predicting = [curve for curve in ranked if _holdout_error(curve) <= WARN]
    return next((curve for curve in predicting if not spread.contradicts(curve)), [*predicting, *ranked][0])


def _holdout_error(curve: Curve) -> float:
    smaller = fit_law(curve.law, curve.n[:-2], curve.loss[:-2])
    return float(np.abs(smaller.predict(curve.n[-2:]) / curve.loss[-2:] - 1).max())


def _unfit(n: Floats, loss: Floats, spread: Spread, law: Law | None) -> str | None:
    needed = LAWS[law or "pure"] + SPARE
    if len(n) < needed:
        return f"{len(n)} sizes; the {law or 'simplest'} law needs {needed}"
    for (before, after), (high, low), error in zip(pairwise(loss), pairwise(n), spread.steps, strict=True):
        if after - before > max(RISE * before, 2 * error):
            return f"the loss rises with more data, from {before:.4g} at {high:g} to {after:.4g} at {low:g}"
    return None if loss[-1] < loss[0] else "the loss does not fall with more data"


def _lost(count: int) -> tuple[str, ...]:
    return (f"{count} runs without a finite loss were left out: they diverged",) if count else ()


def _uneven(n: Floats, places: npt.NDArray[np.intp], seeds: npt.NDArray[np.int_]) -> tuple[str, ...]:
    everyone = set(seeds.tolist())
    lacking = [size for place, size in enumerate(n) if set(seeds[places == place].tolist()) != everyone]
    listed = ", ".join(f"{size:g}" for size in lacking)
    return (f"not every seed has a result at size {listed}",) if lacking else ()
