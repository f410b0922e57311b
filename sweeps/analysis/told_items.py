"""How many items of an evaluation tell a metric: a mean over one episode of two hundred is no better than its episode.

Some metrics are told by some items only: whether a model recovered, by the episodes in which it erred. Such a metric
carries its denominator, is compared over the items that both sides tell, and with fewer than `FEWEST` of them it is
neither the best nor clear.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from sweeps.analysis.seed_estimates import read_run_scores
from sweeps.evaluation.metric_prefixes import find_fact, get_base_name
from sweeps.evaluation.registry import find_measure, find_metric
from sweeps.metrics.influence import POOLED
from sweeps.results import RunResult, keep_measured
from sweeps.stats.paired_items import ItemDifference, Items, Scores, compare_items, item_key

Place = TypeVar("Place", bound=Hashable)
FEWEST = 20  # items that must tell a metric that not all of them tell, before anything is concluded from it


class Told(NamedTuple):
    """How many items tell a metric, of how many, over all runs that are meant."""

    items: int
    of: int

    @property
    def is_conditional(self) -> bool:
        """Whether some items do not tell it."""
        return self.items < self.of

    @property
    def is_too_few(self) -> bool:
        """Whether nothing can be concluded from it."""
        return self.is_conditional and self.items < FEWEST

    def describe(self) -> str:
        """Say how many of how many: "1 of 200"."""
        return f"{self.items:,} of {self.of:,}"


def may_be_conditional(metric: str) -> bool:
    """Whether it is a metric that some items may not tell, such as a fact of an environment."""
    known = find_metric(metric)
    return find_fact(metric) is not None or (known is not None and known.conditional)


def count_told(runs: Sequence[RunResult], metric: str, items: Items | None) -> Told | None:
    """Count the items of these runs that tell a metric; None where none is kept, or tells the metric itself."""
    known, name = find_metric(metric), get_base_name(metric)
    if known and known.read:  # computed from values that every item has
        return None
    key = "confidence" if name in POOLED else name
    telling = every = 0
    for run in keep_measured(runs):
        rows = (items or {}).get(item_key(run.cell, run.seed), ())
        telling += len({row.item for row in rows if key in row.values})
        every += len({row.item for row in rows})
    return Told(telling, every) if telling else None


def list_conditional(runs: Sequence[RunResult], items: Mapping[str, Items]) -> dict[str, Told]:
    """List the metrics of these runs that some of their items do not tell."""
    conditional = {}
    for metric in dict.fromkeys(name for run in runs for name in run.metrics):
        count = count_told(runs, metric, items.get(find_measure(metric) or ""))
        if count and count.is_conditional:
            conditional[metric] = count
    return conditional


def add_denominators(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[RunResult]:
    """Add to each metric that some items of a run do not tell how many do, as METRIC.items, for tables of numbers."""
    counted = []
    for row in rows:
        counts = {f"{metric}.items": count.items for metric, count in list_conditional([row], items).items()}
        counted.append(replace(row, metrics={**row.metrics, **counts}) if counts else row)
    return counted


def warn_unknown(metric: str, count: Told | None) -> str:
    """Say that it is not known how many items tell a metric that not all may tell; or nothing."""
    if count is not None or not may_be_conditional(metric):
        return ""
    return f" How many items tell {metric} is not known, because none were read."


def subtract_common(scores: Mapping[int, Scores], other: Mapping[int, Scores]) -> dict[int, float]:
    """Subtract the mean of other from that of one, seed by seed, over the items that both tell."""
    differences = {}
    for seed in sorted(scores.keys() & other.keys()):
        items = scores[seed].amounts.keys() & other[seed].amounts.keys()
        if items:
            left, right = (
                sum(side[seed].amounts[item] for item in items) / sum(side[seed].sizes[item] for item in items)
                for side in (scores, other)
            )
            differences[seed] = left - right
    return differences


@dataclass(frozen=True)
class ToldRuns(Generic[Place]):
    """What the items of runs tell of a metric, by the place of their cell.

    `once`: the cells that are measured once, whose single run counts for every seed of the other side.
    """

    runs: Mapping[Place, Sequence[RunResult]]
    metric: str
    items: Items | None
    once: Collection[Place]

    @cached_property
    def counts(self) -> Mapping[Place, Told | None]:
        """How many items tell the metric; None where that is not known."""
        return {place: count_told(rows, self.metric, self.items) for place, rows in self.runs.items()}

    @cached_property
    def _scores(self) -> Mapping[Place, Mapping[int, Scores]]:
        return {place: read_run_scores(rows, self.metric, self.items) for place, rows in self.runs.items()}

    def are_conditional(self, *places: Place) -> bool:
        """Whether some items of one of the places do not tell the metric."""
        counts = [self.counts.get(place) for place in places]
        return any(count.is_conditional for count in counts if count)

    def subtract(self, place: Place, other: Place) -> dict[int, float]:
        """Subtract the mean of the second place from that of the first, seed by seed, over the items that both tell."""
        return subtract_common(*self._fill_seeds(place, other))

    def compare(self, place: Place, other: Place) -> ItemDifference | None:
        """Compare the first place with the second, item by item; None if they have no item in common."""
        return compare_items(*self._fill_seeds(place, other), cross_check=False)

    def compare_means(self, pairs: Sequence[tuple[Place, Place]]) -> ItemDifference | None:
        """Compare, item by item, the means over several places with those over as many others."""
        filled = [self._fill_seeds(*pair) for pair in pairs]
        means = [_average_scores([sides[at] for sides in filled]) for at in range(2)]
        return compare_items(*means, cross_check=False)

    def share_too_few(self, place: Place, other: Place) -> bool:
        """Whether both have results, but too few items in common that tell what not all items tell."""
        if not self.are_conditional(place, other) or not all(self._fill_seeds(place, other)):
            return False
        common = self.compare(place, other)
        return common is None or common.items < FEWEST

    def _fill_seeds(self, place: Place, other: Place) -> tuple[Mapping[int, Scores], Mapping[int, Scores]]:
        left, right = self._scores.get(place, {}), self._scores.get(other, {})
        if place in self.once and left:
            left = dict.fromkeys(right, next(iter(left.values())))
        elif other in self.once and right:
            right = dict.fromkeys(left, next(iter(right.values())))
        return left, right


def _average_scores(groups: Sequence[Mapping[int, Scores]]) -> dict[int, Scores]:
    """Average the scores of several places, by seed and item, over the seeds and items that all have."""
    means = {}
    for seed in set(groups[0]).intersection(*groups) if groups else ():
        runs = [scores[seed] for scores in groups]
        shared = set(runs[0].amounts).intersection(*(run.amounts for run in runs))
        items = [item for item in runs[0].amounts if item in shared]
        amounts, sizes = (
            {item: sum(getattr(run, part)[item] for run in runs) / len(runs) for item in items}
            for part in ("amounts", "sizes")
        )
        means[seed] = runs[0]._replace(amounts=amounts, sizes=sizes)
    return means
