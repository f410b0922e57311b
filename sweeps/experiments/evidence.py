"""Weigh the evidence that every kind of experiment has: effects, runs, seeds, items, guesses, the untrained model."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweeps.analysis.guessing import find_unbeaten
from sweeps.analysis.run_counts import Tally
from sweeps.analysis.seed_estimates import estimate_difference, estimate_level, read_run_scores
from sweeps.analysis.told_items import FEWEST, Told, may_be_conditional
from sweeps.evaluation.majority import MAJORITY
from sweeps.experiments.caveats import Caveat
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.metrics.ranges import find_difference_range, find_range
from sweeps.results import RunResult, keep_measured, read_values
from sweeps.stats.intervals import Estimate, find_grain, holm
from sweeps.stats.paired_items import Items

Values = Mapping[int, float]  # by seed
LOST: Mapping[str, Caveat] = {
    "failed": "failed_runs",
    "unfinished": "unfinished_runs",
    "diverged": "diverged_runs",
    "unmeasured": "unmeasured_runs",
}


class Effect(NamedTuple):
    """By how much something is better, with its 95 % interval where it is known."""

    effect: float | None = None
    low: float | None = None
    high: float | None = None


class BestLearner(NamedTuple):
    """The best of some trained cells against the untrained model."""

    name: str
    effect: Effect


def orient(estimate: Estimate | None, sign: float = 1.0) -> Effect:
    """Turn an estimate so that above 0 is better; `sign` is -1 where the lower value is the better one."""
    if estimate is None:
        return Effect()
    ends = estimate.ends
    if ends is None or estimate.half_width is None:
        return Effect(sign * estimate.mean + 0.0)
    low, high = sorted((sign * ends.low + 0.0, sign * ends.high + 0.0))
    return Effect(sign * estimate.mean + 0.0, low, high)


def shift(level: Estimate, share: float) -> Effect:
    """Measure by how much a level is above a share."""
    return Effect(*(None if number is None else number - share for number in orient(level)))


def list_run_caveats(runs: Tally) -> set[Caveat]:
    """List what became of the runs that are in no mean."""
    return {code for kind, code in LOST.items() if getattr(runs, kind)}


def list_seed_caveats(seeds: Sequence[int]) -> set[Caveat]:
    """List what the numbers of seeds of the cells say."""
    known = [count for count in seeds if count]
    single: set[Caveat] = {"one_seed"} if known and max(known) == 1 else set()
    missing: set[Caveat] = {"missing_seeds"} if known and min(known) < max(known) else set()
    return single | missing


def list_item_caveats(metric: str, counts: Sequence[Told | None]) -> set[Caveat]:
    """List what the items say that tell a metric, of each cell; None where they are not known."""
    known = [count for count in counts if count]
    few: set[Caveat] = {"few_items"} if any(count.items < FEWEST for count in known) else set()
    some: set[Caveat] = {"some_items"} if any(count.is_conditional for count in known) else set()
    unknown: set[Caveat] = {"items_unknown"} if not known and may_be_conditional(metric) else set()
    return few | some | unknown


def is_saturated(level: Estimate | None, metric: str, sign: float) -> bool:
    """Whether a mean is as good as the metric can be."""
    if level is None:
        return False
    low, high = find_range(metric)
    best = high if sign > 0 else low
    return math.isfinite(best) and math.isclose(level.mean, best, abs_tol=1e-9)


def choose_measured(groups: Sequence[tuple[str, list[RunResult]]]) -> tuple[str, list[RunResult]]:
    """Choose the first of some named groups of runs that has a result; the first one if none has."""
    return next((group for group in groups if keep_measured(group[1])), groups[0])


def refuse_direction(metric: str) -> Conclusion:
    """Conclude nothing about a metric of which no direction is known."""
    return Conclusion("no_answer", metric, against=metric, caveats=("no_direction",))


def miss_results(metric: str, runs: Tally) -> Conclusion:
    """Conclude that there is nothing to conclude from: runs are still to come, or lost."""
    return Conclusion("nothing_measured" if runs.unfinished else "no_answer", metric)


def conclude_guess(runs: Sequence[RunResult], name: str, metric: str, items: Items | None) -> Conclusion | None:
    """Conclude that runs that share a cell are no better than a guess; None if they are, or if nothing can say it."""
    guess = find_unbeaten(runs, metric, items)
    values = read_values(runs, metric)
    level = estimate_level(values, metric, find_grain(values.values()), read_run_scores(runs, metric, items))
    if guess is None or level is None:
        return None
    is_majority = guess.told_by.rpartition(".")[2].startswith(MAJORITY)
    claim: Claim = "at_majority" if is_majority else "at_chance"
    against = f"{guess.words} ({guess.share:.4f})"
    return Conclusion(claim, metric, name, against, *shift(level, guess.share))


def find_best_learner(base: float, cells: Mapping[str, Values], metric: str, sign: float) -> BestLearner | None:
    """Find the best of the cells if none is clearly better than the untrained model; None if one is, or may be.

    The untrained model has one value, which counts for every seed. The cells are judged together (Holm). A cell with a
    single seed cannot be judged.
    """
    known = {name: values for name, values in cells.items() if values}
    if not known or min(map(len, known.values())) < 2:
        return None
    span = find_difference_range(metric)
    grain = find_grain([base, *(value for values in known.values() for value in values.values())])
    estimates = {
        name: estimate_difference([sign * (value - base) for value in values.values()], span, grain)
        for name, values in known.items()
    }
    if any(estimates[name].estimate.mean > 0 for name in holm({name: gain.p for name, gain in estimates.items()})):
        return None
    best = max(estimates, key=lambda name: estimates[name].estimate.mean)
    return BestLearner(best, orient(estimates[best].estimate))
