"""Intervals over items that come in groups: with the groups they hold the truth, without them they do not.

A thousand simulated experiments of each kind: 20 groups of 4 to 16 items, each with an effect of its own that is most
of what varies, as with the windows of one patient. The rows are those that evaluations keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from sweeps import RunResult
from sweeps.analysis.strata import list_strata
from sweeps.evaluation.item_rows import ItemRow, label_rows, read_rows, write_rows
from sweeps.stats.paired_items import compare_items, estimate_error, item_key, read_scores

EXPERIMENTS, GROUPS = 1_000, 20
COVERED, MISSED = 0.92, 0.8
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
    found = compare_items(*sides, cross_check=False)
    assert found
    assert found.checkpoints
    return found.mean - 0.1 - found.checkpoints.half_width, found.mean - 0.1 + found.checkpoints.half_width


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
    found = compare_items(after, before, cross_check=False)
    assert found
    assert found.recipe
    return found.mean - 0.2 - found.recipe.half_width, found.mean - 0.2 + found.recipe.half_width


def share_of_a_stratum(asked: Asked, *, grouped: bool) -> Ends:
    """The accuracy of one value of `by`: .6."""
    right = asked.random.random(len(asked.of)) < asked.random.beta(0.6, 0.4, GROUPS)[asked.of]
    run = RunResult({"size": 8}, 0, "succeeded", {"accuracy": float(right.mean())})
    rows = asked.rows(grouped=grouped, accuracy=right)
    (result,) = list_strata([run], {"answers": {item_key(run.cell, run.seed): rows}})
    assert result.low is not None
    assert result.high is not None
    return result.low - 0.6, result.high - 0.6


@pytest.mark.parametrize("interval", [changed_share, changed_loss_of_seeds, share_of_a_stratum])
def test_intervals_hold_over_groups_and_would_not_without_them(interval: Callable[..., Ends]) -> None:
    covered = {True: 0, False: 0}
    for number in range(EXPERIMENTS):
        for grouped in covered:
            low, high = interval(Asked.draw(number), grouped=grouped)
            covered[grouped] += low <= 0 <= high
    assert covered[True] / EXPERIMENTS >= COVERED
    assert covered[False] / EXPERIMENTS < MISSED


def test_an_error_over_groups_is_that_of_statsmodels() -> None:
    """statsmodels 0.15.0: OLS on a constant, cov_type="cluster", of 42 values in 12 groups of 2 to 6."""
    random = np.random.default_rng(3)
    of = np.repeat(np.arange(12), random.integers(2, 7, 12))
    values = random.normal(size=12)[of] + 0.3 * random.normal(size=len(of))
    rows = [ItemRow(at, {"reward": float(value)}) for at, value in enumerate(values)]
    grouped = label_rows(rows, range(42), [f"g{group}" for group in of], ())
    assert values.mean() == pytest.approx(-0.28544572, abs=1e-7)
    assert estimate_error(read_scores(grouped, "reward")) == pytest.approx(0.36933553, abs=1e-7)


def test_the_error_that_a_scaling_law_gets_is_that_over_groups() -> None:
    """By hand: 2 groups of 2 equal items at 0 and 1: the mean .5, SE √(2/1·(1 + 1))/4 = .5; as 4 items it is .2887."""
    rows = [ItemRow(at, {"accuracy": float(at > 1)}) for at in range(4)]
    grouped = label_rows(rows, range(4), ["a", "a", "b", "b"], ())
    assert estimate_error(read_scores(grouped, "accuracy")) == pytest.approx(0.5)
    assert estimate_error(read_scores(rows, "accuracy")) == pytest.approx(0.288675, abs=1e-6)


def test_group_and_stratum_of_an_item_survive_its_file() -> None:
    rows = label_rows(
        [ItemRow(at, {"accuracy": 1.0}, cluster="passage") for at in range(2)], [1, 0], ["a", "b"], ["x", "y"]
    )
    assert [(row.cluster, row.stratum) for row in rows] == [("b", "y"), ("a", "x")]
    assert read_rows(write_rows(rows)) == rows
    (alone,) = label_rows([ItemRow(0, {}, cluster="passage")], [0], (), ["x"])
    assert alone.cluster == "passage"
