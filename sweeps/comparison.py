"""Which method does better: means over the seeds, and differences that are paired by seed.

Methods of one seed share what the seed decides, so what they differ by is asked seed by seed: the mean of the
differences, ± t(.975, k - 1)·sd/√k with the spread of these differences alone, for one method may vary much more than
another. The untrained model is measured once and stands for every seed. Holm's step-down over all pairs says which
differences stand up to having looked at all of them.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from sweeps.errors import DataError
from sweeps.intervals import Estimate, holm, is_clear, p_value, paired
from sweeps.results import RunResult, by_cell, measured

METHOD = "method"

Values = Mapping[int, float]  # by seed


@dataclass(frozen=True)
class Contestant:
    """One method; `name` None is the untrained model. `estimate` is None while nothing is measured."""

    name: str | None
    estimate: Estimate | None
    tokens: float  # used on average by a run that is measured, training and measuring together
    micro_usd: float
    missing: int  # runs without a result


@dataclass(frozen=True)
class Difference:
    """By how much the metric of `one` is above that of `other`."""

    one: str | None
    other: str | None
    estimate: Estimate
    clear: bool  # beyond its 95 % interval
    after_holm: bool  # still clear when all pairs are considered together


@dataclass(frozen=True)
class Comparison:
    """The methods in the order of the results, and every pair of them that shares a seed."""

    metric: str
    contestants: tuple[Contestant, ...]
    differences: tuple[Difference, ...]


def compare(results: Sequence[RunResult], *, metric: str) -> Comparison:
    """The methods of a comparison by one metric. Raises DataError for runs of several variants."""
    variants = [variant for variant, _ in by_cell(results, without={METHOD})]
    if len(variants) > 1:
        raise DataError(f"runs of {len(variants)} variants, such as {variants[0]} and {variants[1]}: one is wanted")
    runs: dict[str | None, list[RunResult]] = {}
    for run in results:
        name = run.cell.get(METHOD)
        runs.setdefault(None if name is None else str(name), []).append(run)
    values = {name: _values(of, metric) for name, of in runs.items()}
    contestants = tuple(_contestant(name, of, values[name]) for name, of in runs.items())
    return Comparison(metric, contestants, tuple(_differences(values)))


def _values(runs: Sequence[RunResult], metric: str) -> Values:
    found = {run.seed: run.metrics.get(metric, math.nan) for run in measured(runs)}
    return {seed: value for seed, value in found.items() if math.isfinite(value)}


def _contestant(name: str | None, runs: Sequence[RunResult], values: Values) -> Contestant:
    done = measured(runs)
    return Contestant(
        name=name,
        estimate=paired(list(values.values())) if values else None,
        tokens=statistics.fmean(run.tokens for run in done) if done else 0.0,
        micro_usd=statistics.fmean(run.micro_usd or 0 for run in done) if done else 0.0,
        missing=len(runs) - len(values),
    )


def _differences(values: Mapping[str | None, Values]) -> list[Difference]:
    found: dict[tuple[str | None, str | None], Estimate] = {}
    for other, one in combinations(values, 2):
        if pairs := _paired(values, one, other):
            found[one, other] = paired(pairs)
    clear = holm({pair: p_value(each, max(1, each.seeds - 1)) for pair, each in found.items()})
    return [Difference(*pair, each, is_clear(each), pair in clear) for pair, each in found.items()]


def _paired(values: Mapping[str | None, Values], one: str | None, other: str | None) -> list[float]:
    """one - other for every seed that both have; what was never trained is the same for every seed."""
    sides = [values[one], values[other]]
    seeds = sorted({*sides[0], *sides[1]})
    full = [
        dict.fromkeys(seeds, next(iter(side.values()))) if name is None and side else side
        for name, side in ((one, sides[0]), (other, sides[1]))
    ]
    if {one, other} & {None}:
        trained = sides[0] if other is None else sides[1]
        seeds = sorted(trained)
    return [full[0][seed] - full[1][seed] for seed in seeds if seed in full[0] and seed in full[1]]
