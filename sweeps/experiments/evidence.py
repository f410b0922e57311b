"""Weigh the evidence that every kind of experiment has: effects, runs, seeds, items, guesses, the untrained model."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweeps.analysis.guessing import find_unbeaten, measure_margin
from sweeps.analysis.run_counts import Tally
from sweeps.analysis.seed_estimates import Covers, SeedDifference, estimate_difference, read_run_scores
from sweeps.analysis.told_items import FEWEST, Told, count_told, may_be_conditional, subtract_common
from sweeps.evaluation.majority import MAJORITY
from sweeps.experiments.caveats import Caveat
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.metrics.ranges import find_difference_range, find_range
from sweeps.results import RunResult, keep_measured, read_values
from sweeps.stats.intervals import Estimate, find_grain, holm
from sweeps.stats.paired_items import Items, compare_items

SENTENCES = 4  # of a headline
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
    seeds: int


def orient(estimate: Estimate | None, sign: float = 1.0) -> Effect:
    """Turn an estimate so that above 0 is better; `sign` is -1 where the lower value is the better one."""
    if estimate is None:
        return Effect()
    ends = estimate.ends
    if ends is None or estimate.half_width is None:
        return Effect(sign * estimate.mean + 0.0)
    low, high = sorted((sign * ends.low + 0.0, sign * ends.high + 0.0))
    return Effect(sign * estimate.mean + 0.0, low, high)


def list_run_caveats(runs: Tally) -> set[Caveat]:
    """List what became of the runs that are in no mean."""
    return {code for kind, code in LOST.items() if getattr(runs, kind)}


def list_seed_caveats(seeds: Sequence[int]) -> set[Caveat]:
    """List what the numbers of seeds of the cells say."""
    known = [count for count in seeds if count]
    single: set[Caveat] = {"one_seed"} if known and max(known) == 1 else set()
    missing: set[Caveat] = {"missing_seeds"} if known and min(known) < max(known) else set()
    return single | missing


def list_agreement(estimate: Estimate | None) -> tuple[Caveat, ...]:
    """List why a difference over several seeds has no interval: they agree, and nothing says how sure that is."""
    return ("seeds_agree",) if estimate and estimate.half_width is None and estimate.seeds > 1 else ()


def list_coverage(covers: Covers | None) -> tuple[Caveat, ...]:
    """List that the interval of a difference is that of its seeds alone, where no items say what others would do."""
    return ("these_items_only",) if covers == "seeds" else ()


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


def list_measured_first(groups: Sequence[tuple[str, list[RunResult]]]) -> list[tuple[str, list[RunResult]]]:
    """List some named groups of runs that have a result, or else the first: as many as a headline has sentences."""
    return [group for group in groups if keep_measured(group[1])][:SENTENCES] or [*groups[:1]]


def refuse_direction(metric: str) -> Conclusion:
    """Conclude nothing about a metric of which no direction is known."""
    return Conclusion("no_answer", metric, against=metric, caveats=("no_direction",))


def miss_results(metric: str, runs: Tally) -> Conclusion:
    """Conclude that there is nothing to conclude from: runs are still to come, or lost."""
    return Conclusion("nothing_measured" if runs.unfinished else "no_answer", metric)


def conclude_guess(runs: Sequence[RunResult], name: str, metric: str, items: Items | None) -> Conclusion | None:
    """Conclude that runs that share a cell are no better than a guess; None if they are, or if nothing can say it.

    The interval is the one that says so, for other seeds and items where items are known.
    """
    guess = find_unbeaten(runs, metric, items)
    margin = guess and measure_margin(runs, metric, guess, items)
    if guess is None or margin is None:
        return None
    is_majority = guess.told_by.rpartition(".")[2].startswith(MAJORITY)
    claim: Claim = "at_majority" if is_majority else "at_chance"
    against = f"{guess.words} ({guess.share:.4f})"
    return Conclusion(claim, metric, name, against, margin.mean, margin.low, margin.high)


def compare_runs(
    runs: Sequence[RunResult], others: Sequence[RunResult], metric: str, items: Items | None, *, grain: float
) -> SeedDifference | None:
    """Estimate by how much the metric of some runs is above that of others, seed by seed; None if nothing can say it.

    A single other run counts for every seed. What not all items tell is compared over the items that both sides tell,
    if they are enough. Where all seeds agree, the items say how sure it is.
    """
    sides = [read_run_scores(side, metric, items) for side in (runs, others)]
    values = [read_values(side, metric) for side in (runs, others)]
    if len(others) == 1:
        values[1] = dict.fromkeys(values[0], next(iter(values[1].values()))) if values[1] else {}
        sides[1] = dict.fromkeys(sides[0], next(iter(sides[1].values()))) if sides[1] else {}
    by_item = compare_items(*sides, cross_check=False)
    counts = [count_told(side, metric, items) for side in (runs, others)]
    if any(count.is_conditional for count in counts if count):
        enough = by_item is not None and by_item.items >= FEWEST
        differences = list(subtract_common(*sides).values()) if enough else []
    else:
        shared = sorted(values[0].keys() & values[1].keys())
        differences = [values[0][seed] - values[1][seed] for seed in shared]
    return estimate_difference(differences, find_difference_range(metric), grain, by_item) if differences else None


def find_best_learner(
    base: Sequence[RunResult], cells: Mapping[str, Sequence[RunResult]], metric: str, sign: float, items: Items | None
) -> BestLearner | None:
    """Find the best of the cells if none is clearly better than the untrained model; None if one is, or may be.

    A single run of the untrained model counts for every seed. The cells are judged together (Holm). A cell with a
    single seed cannot be judged.
    """
    measured = {name: runs for name, runs in cells.items() if read_values(runs, metric)}
    every = [run for runs in (base, *measured.values()) for run in runs]
    grain = find_grain(
        value for run in keep_measured(every) if math.isfinite(value := run.metrics.get(metric, math.nan))
    )
    compared = {name: compare_runs(runs, base, metric, items, grain=grain) for name, runs in measured.items()}
    gains = {name: gain for name, gain in compared.items() if gain}
    if not gains or min(gain.estimate.seeds for gain in gains.values()) < 2:
        return None
    clear = holm({name: gain.p for name, gain in gains.items()})
    if any(sign * gains[name].estimate.mean > 0 for name in clear):
        return None
    best = max(gains, key=lambda name: sign * gains[name].estimate.mean)
    if gains[best].estimate.half_width is None and gains[best].estimate.mean:
        return None  # all seeds agree, and nothing says how sure that is
    return BestLearner(best, orient(gains[best].estimate, sign), gains[best].estimate.seeds)
