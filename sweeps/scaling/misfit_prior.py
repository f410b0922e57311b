"""Learn from measured curves how far laws are off, and how wide intervals have to be to hold what was measured.

Each curve is fitted on its first sizes, as far as STARTS reach, and asked for what was measured: at an inner size that
was left out, at twice, four and sixteen times the largest size fitted. Scales are the medians over a source's
questions, and the least of the sources'; a curve that its law fits worse says so by its own backtests. The factors of
`widening` are conformal (Vovk, Gammerman and Shafer 2005): for each question the least factor with which the band holds
what was measured; of those the quantile COVERED of each source; and of the sources the largest, since the next curve
may be of a kind as hard as the hardest. A source with many curves counts no more than one with few. The factors of
`above` are learned alike from what lay above the forecast, one-sided.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sweeps.scaling.fit import ScalingFit, fit_many
from sweeps.scaling.laws import Floats
from sweeps.scaling.misfit import COVERED, LEAST, Misfit, MisfitPrior
from sweeps.scaling.profile import find_band

Measured = tuple[Floats, Floats]  # sizes, ascending, and the losses there
STARTS = (5, 6, 8, 10, 12)
INSIDE, TWICE, FOURFOLD, FAR = 0.0, 2.0, 4.0, 16.0  # times the largest size; 0: an inner size that was left out
HORIZONS, UPWARD = (INSIDE, TWICE, FOURFOLD), (TWICE, FOURFOLD, FAR)
NEAR = 0.15  # relative distance of a measured size from the one that is asked about
FIRST = MisfitPrior(inside=0.004, share=0.3)  # what laws are chosen by while nothing is known
LEAST_FACTORS, MOST = (0.7, 0.95, 0.9), 2.0  # few sources do not tell how hard the next one is
LEAST_ABOVE = 0.75
HALVINGS = 12


class CurveQuestion(NamedTuple):
    """What a fit of the sizes seen is asked for: a loss that was measured."""

    times: float
    seen: Floats
    losses: Floats
    size: float
    loss: float


@dataclass(frozen=True, eq=False)
class ForecastError:
    """How far the fit of a question was off, and what it knew."""

    times: float
    size: float
    missed: float  # loss measured - forecast
    profile: float  # half of the band on that side, without misfit
    share: float  # what was missed, of the fall that was forecast
    misfit: Misfit

    @property
    def inside(self) -> float:
        """The root mean square of the relative errors at inner sizes."""
        return float(np.sqrt((self.misfit.tests.inside**2).mean()))

    def find_factor(self, prior: MisfitPrior) -> float:
        """Find by halving the least factor at this horizon, the same for both sides, with which the band holds."""
        needed = math.sqrt(max(self.missed**2 - self.profile**2, 0.0))
        least, most = 0.0, MOST
        for _ in range(HALVINGS):
            middle = (least + most) / 2
            if self._measure_half(_raise(_widen(prior, self.times, middle), self.times, middle)) >= needed:
                most = middle
            else:
                least = middle
        return most

    def _measure_half(self, prior: MisfitPrior) -> float:
        band = replace(self.misfit, prior=prior).measure(np.array([[self.size]]))
        return float((band.high if self.missed > 0 else band.low)[0, 0])


def learn_prior(sources: Mapping[str, Sequence[Measured]]) -> MisfitPrior:
    """Learn the prior from the curves of each source."""
    return combine_errors({source: measure_errors(curves) for source, curves in sources.items()})


def measure_errors(curves: Sequence[Measured]) -> list[ForecastError]:
    """Fit the curves of one source and measure how far each fit is off: what takes the time of `learn_prior`."""
    questions = [question for curve in curves for question in _list_questions(*curve)]
    places: dict[tuple[float, ...], list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(tuple(question.seen.tolist()), []).append(place)
    errors: dict[int, ForecastError] = {}
    for same in places.values():
        asked = [questions[place] for place in same]
        losses, goals = (np.array([getattr(question, part) for question in asked]) for part in ("losses", "loss"))
        for place, fit in zip(same, fit_many(asked[0].seen, losses, targets=goals, prior=FIRST), strict=True):
            if fit.misfit and fit.minimum_data and fit.minimum_data.status != "refused":
                errors[place] = _measure_error(questions[place], fit, fit.misfit)
    return [errors[place] for place in sorted(errors)]


def combine_errors(sources: Mapping[str, Sequence[ForecastError]]) -> MisfitPrior:
    """Combine the errors of several sources into a prior."""
    inside = {source: [error.inside for error in errors] for source, errors in sources.items()}
    ahead = {
        source: [abs(error.share) for error in errors if error.times in (TWICE, FOURFOLD)]
        for source, errors in sources.items()
    }
    prior = replace(FIRST, inside=_find_least_median(inside), share=_find_least_median(ahead))
    for times, least in zip(HORIZONS, LEAST_FACTORS, strict=True):
        hardest = max(
            _find_quantile([error.find_factor(prior) for error in errors if error.times == times])
            for errors in sources.values()
        )
        prior = _widen(prior, times, _bound_factor(hardest, least))
    for times in UPWARD:
        highest = max(
            _find_quantile(
                [error.find_factor(prior) if error.missed > 0 else 0.0 for error in errors if error.times == times],
                (1 + COVERED) / 2,
            )
            for errors in sources.values()
        )
        prior = _raise(prior, times, _bound_factor(highest, LEAST_ABOVE))
    return prior


def _list_questions(sizes: Floats, losses: Floats) -> Iterator[CurveQuestion]:
    for count in (count for count in STARTS if count <= len(sizes)):
        inner = count // 2
        seen = np.delete(np.arange(count), inner)
        yield CurveQuestion(INSIDE, sizes[seen], losses[seen], float(sizes[inner]), float(losses[inner]))
        for times in UPWARD:
            wanted = times * sizes[count - 1]
            at = int(np.abs(np.log(sizes / wanted)).argmin())
            if abs(sizes[at] / wanted - 1) <= NEAR:
                yield CurveQuestion(times, sizes[:count], losses[:count], float(sizes[at]), float(losses[at]))


def _measure_error(question: CurveQuestion, fit: ScalingFit, misfit: Misfit) -> ForecastError:
    """Measure how far a fit is off; what an alternative law's band holds needs no misfit."""
    value, largest = (float(part) for part in fit.line([question.size, question.seen[-1]]))
    missed, at = question.loss - value, np.array([question.size])
    bands = [find_band(law_fit.drawn, at, law_fit.blocks) for law_fit in (fit, *fit.alternatives)]
    halves = [float(high[0, 0]) - value if missed > 0 else value - float(low[0, 0]) for low, high in bands]
    fall = abs(largest - value) + LEAST * value
    return ForecastError(question.times, question.size, missed, max(halves), missed / fall, misfit)


def _find_least_median(scales: Mapping[str, Sequence[float]]) -> float:
    """Find the least of the sources' medians."""
    return _round(min(float(np.median(own)) for own in scales.values() if own))


def _find_quantile(factors: Sequence[float], share: float = COVERED) -> float:
    """Find a quantile, conformally: of n factors, number ⌈(n + 1)·share⌉, and at most the largest."""
    ordered = sorted(factors)
    return ordered[min(math.ceil((len(ordered) + 1) * share), len(ordered)) - 1] if ordered else 0.0


def _bound_factor(factor: float, least: float) -> float:
    return math.ceil(100 * min(max(factor, least), MOST)) / 100


def _widen(prior: MisfitPrior, times: float, factor: float) -> MisfitPrior:
    inside, twice, fourfold = (
        factor if times == horizon else known for horizon, known in zip(HORIZONS, prior.widening, strict=True)
    )
    return replace(prior, widening=(inside, twice, fourfold))


def _raise(prior: MisfitPrior, times: float, factor: float) -> MisfitPrior:
    twice, fourfold, far = (
        factor if times == horizon else known for horizon, known in zip(UPWARD, prior.above, strict=True)
    )
    return replace(prior, above=(twice, fourfold, far))


def _round(value: float) -> float:
    """Round to two digits, so that the prior is the same on every machine."""
    return float(f"{value:.2g}")
