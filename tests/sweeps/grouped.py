"""Simulated evaluations whose items come in groups: how often an interval holds the truth can be counted.

20 groups of 4 to 16 items, each with an effect of its own that is most of what varies, as with the windows of one
patient. The rows are those that evaluations keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweeps import RunResult
from sweeps.analysis.item_analysis import list_strata
from sweeps.evaluation.item_rows import ItemRow, label_rows
from sweeps.stats.paired_items import compare_items, item_key, read_scores

GROUPS = 20
COVERED, MISSED = 0.92, 0.8  # at least, with the groups; and less, without them
Ends = tuple[float, float]
Rows = list[ItemRow]


@dataclass(frozen=True)
class Asked:
    """The items of one experiment: the group of each, and the luck of all."""

    random: np.random.Generator
    of: list[int]

    @classmethod
    def draw(cls, number: int) -> "Asked":
        random = np.random.default_rng(number)
        return cls(random, np.repeat(np.arange(GROUPS), random.integers(4, 17, GROUPS)).tolist())

    def rows(self, *, grouped: bool, **columns: np.ndarray) -> Rows:
        made = [
            ItemRow(at, {name: float(values[at]) for name, values in columns.items()}) for at in range(len(self.of))
        ]
        names = [f"patient {group}" for group in self.of]
        return label_rows(made, range(len(made)), names if grouped else (), ["all"] * len(made))


def changed_share(asked: Asked, *, grouped: bool) -> Ends:
    """By how much one checkpoint is more often right: .1, and in each group something else."""
    better = asked.random.beta(0.6, 0.4, GROUPS)[asked.of]
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
    own = asked.random.normal(0.2, 0.5, GROUPS)[asked.of]
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
    right = asked.random.random(len(asked.of)) < asked.random.beta(0.6, 0.4, GROUPS)[asked.of]
    run = RunResult({"size": 8}, 0, "succeeded", {"accuracy": float(right.mean())})
    rows = asked.rows(grouped=grouped, accuracy=right)
    (result,) = list_strata([run], {"answers": {item_key(run.cell, run.seed): rows}})
    assert result.low is not None
    assert result.high is not None
    return result.low - 0.6, result.high - 0.6


INTERVALS: tuple[Callable[..., Ends], ...] = (changed_share, changed_loss_of_seeds, share_of_a_stratum)


def count_covered(interval: Callable[..., Ends], experiments: int, *, grouped: bool) -> float:
    """The share of the experiments in which the interval holds the truth."""
    ends = (interval(Asked.draw(number), grouped=grouped) for number in range(experiments))
    return sum(low <= 0 <= high for low, high in ends) / experiments
