"""Simulated evaluations whose items come in groups: how often an interval holds the truth can be counted.

Groups of 4 to 16 items, 20 or fewer, each with an effect of its own that is most of what varies, as with the windows of
one patient. The rows are those that evaluations keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweeps import RunResult
from sweeps.analysis.item_analysis import list_strata
from sweeps.evaluation.item_rows import ItemRow, label_rows
from sweeps.evaluation.registry import find_measure
from sweeps.stats.paired_items import compare_items, item_key, read_scores

GROUPS, FEW_GROUPS = 20, (4, 5, 6, 8)
COVERED, MISSED = 0.92, 0.8  # at least, with the groups; and less, without them
Ends = tuple[float, float]
Rows = list[ItemRow]


@dataclass(frozen=True)
class Asked:
    """The items of one experiment: the group of each, and the luck of all."""

    random: np.random.Generator
    of: list[int]
    groups: int

    @classmethod
    def draw(cls, number: int, groups: int = GROUPS) -> "Asked":
        random = np.random.default_rng(number)
        return cls(random, np.repeat(np.arange(groups), random.integers(4, 17, groups)).tolist(), groups)

    def rows(self, *, grouped: bool, **columns: np.ndarray) -> Rows:
        made = [
            ItemRow(at, {name: float(values[at]) for name, values in columns.items()}) for at in range(len(self.of))
        ]
        names = [f"patient {group}" for group in self.of]
        return label_rows(made, range(len(made)), names if grouped else (), ["all"] * len(made))


def changed_share(asked: Asked, *, grouped: bool) -> Ends:
    """By how much one checkpoint is more often right: .1, and in each group something else."""
    better = asked.random.beta(0.6, 0.4, asked.groups)[asked.of]
    after, before = (asked.random.random(len(asked.of)) < share for share in (better, 0.5))
    sides = [{0: read_scores(asked.rows(grouped=grouped, accuracy=side), "accuracy")} for side in (after, before)]
    difference = compare_items(*sides, cross_check=False)
    assert difference
    assert difference.checkpoints
    return (
        difference.mean - 0.1 - difference.checkpoints.half_width,
        difference.mean - 0.1 + difference.checkpoints.half_width,
    )


def changed_loss_of_seeds(asked: Asked, *, grouped: bool) -> Ends:
    """By how many nats per token three seeds are worse: 0.2, with some luck of each seed."""
    tokens = asked.random.integers(5, 60, len(asked.of)).astype(float)
    own = asked.random.normal(0.2, 0.5, asked.groups)[asked.of]
    after, before = {}, {}
    for seed in range(3):
        noise, luck = asked.random.normal(0, 0.2, len(asked.of)), asked.random.normal(0, 0.02)
        losses = {"nll": tokens * (2 + own + noise + luck), "tokens": tokens}
        after[seed] = read_scores(asked.rows(grouped=grouped, **losses), "nll")
        before[seed] = read_scores(asked.rows(grouped=grouped, nll=2 * tokens, tokens=tokens), "nll")
    difference = compare_items(after, before, cross_check=False)
    assert difference
    assert difference.recipe
    return difference.mean - 0.2 - difference.recipe.half_width, difference.mean - 0.2 + difference.recipe.half_width


def share_of_a_stratum(asked: Asked, *, grouped: bool) -> Ends:
    """The accuracy of one value of `by`: .6."""
    return _bound_share(asked, 0.6, 0.4, grouped=grouped)


def share_near_one(asked: Asked, *, grouped: bool) -> Ends:
    """An accuracy of .9: most groups are right in all items, and some in few."""
    return _bound_share(asked, 0.9, 0.1, grouped=grouped)


def share_near_zero(asked: Asked, *, grouped: bool) -> Ends:
    """An accuracy of .1: most groups are right in no item."""
    return _bound_share(asked, 0.2, 1.8, grouped=grouped)


def mean_of_values(asked: Asked, *, grouped: bool) -> Ends:
    """The mean of a number without bounds: 0."""
    own, noise = asked.random.normal(0, 1, asked.groups)[asked.of], asked.random.normal(0, 0.5, len(asked.of))
    return _bound_mean(asked, "reward", own + noise, grouped=grouped)


def rare_changes(asked: Asked, *, grouped: bool) -> Ends:
    """By how much one checkpoint is more often right: in few groups more often, by .1 in all, and .027 less."""
    luck, better = asked.random.random(len(asked.of)), asked.random.beta(0.3, 2.7, asked.groups)[asked.of]
    after, before = luck < better, (luck >= better) & (luck < better + 0.03 * (1 - better))
    sides = [{0: read_scores(asked.rows(grouped=grouped, accuracy=side), "accuracy")} for side in (after, before)]
    difference = compare_items(*sides, cross_check=False)
    assert difference
    assert difference.checkpoints
    above, reach = difference.mean - (0.1 - 0.03 * 0.9), difference.checkpoints.half_width
    return above - reach, above + reach


def _bound_share(asked: Asked, right: float, wrong: float, *, grouped: bool) -> Ends:
    """The interval of an accuracy whose groups are drawn from a beta distribution, less its truth."""
    shares, truth = asked.random.beta(right, wrong, asked.groups)[asked.of], right / (right + wrong)
    low, high = _bound_mean(asked, "accuracy", asked.random.random(len(asked.of)) < shares, grouped=grouped)
    return low - truth, high - truth


def _bound_mean(asked: Asked, metric: str, values: np.ndarray, *, grouped: bool) -> Ends:
    run = RunResult({"size": 8}, 0, "succeeded", {metric: float(values.mean())})
    rows = asked.rows(grouped=grouped, **{metric: values})
    measure = find_measure(metric) or "task_completion"
    (result,) = list_strata([run], {measure: {item_key(run.cell, run.seed): rows}})
    assert result.low is not None
    assert result.high is not None
    return result.low, result.high


INTERVALS: tuple[Callable[..., Ends], ...] = (changed_share, changed_loss_of_seeds, share_of_a_stratum)
OF_FEW = (*INTERVALS, share_near_one, share_near_zero, mean_of_values, rare_changes)


def count_covered(
    interval: Callable[..., Ends], experiments: int, *, grouped: bool = True, groups: int = GROUPS
) -> float:
    """The share of the experiments in which the interval holds the truth."""
    ends = (interval(Asked.draw(number, groups), grouped=grouped) for number in range(experiments))
    return sum(low <= 0 <= high for low, high in ends) / experiments
