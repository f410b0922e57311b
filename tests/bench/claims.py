"""How often nothing is called something: the long form of what the tests of the statistics simulate.

    python -m tests.bench.claims [--experiments N]

Part of `make bench-statistics`. Each line is a kind of experiment, 1,000 of each, in which nothing is planted, with
the share that claims something all the same; 5 % is meant. Coverage is the share of 95 % intervals that hold the
truth. What is simulated is normal noise: the numbers are about the methods, not about models. Fails where more is
claimed, or less is held, than the last column says.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sweeps.analysis.comparison import Comparison, compare
from sweeps.analysis.grid_cells import best_cell
from sweeps.analysis.transfer.transfer_gains import AXES, TransferMatrix, transfer_matrix
from sweeps.evaluation.item_rows import ItemRow
from sweeps.results import RunResult
from sweeps.stats.clusters import Floats, Places
from sweeps.stats.paired_items import ItemKey, Scores, compare_items, item_key, read_scores

EXPERIMENTS = 1_000
COVERED = 0.92  # of intervals over items
FALSE = 0.08  # of experiments in which nothing is planted
FALSE_OF_TRANSFER = 0.05
COVERED_OF_TRANSFER = 0.94  # of the intervals of each target


class Line(NamedTuple):
    """One kind of experiment, with the share that was counted and what it has to be."""

    name: str
    share: float
    most: float = FALSE
    least: float = 0.0

    @property
    def is_met(self) -> bool:
        """Whether the share is within its bars."""
        return self.least <= self.share <= self.most

    def describe(self) -> str:
        """Write the line: name, share, bar."""
        bar = f"at least {self.least:.1%}" if self.least else f"at most {self.most:.1%}"
        return f"{self.name:<78}{self.share:7.1%}  {bar}"


def main() -> None:
    """Print a line for each kind, and fail where a bar is missed."""
    options = argparse.ArgumentParser()
    options.add_argument("--experiments", type=int, default=EXPERIMENTS)
    wrong = []
    for line in _count_lines(options.parse_args().experiments):
        sys.stdout.write(f"{line.describe()}\n")
        sys.stdout.flush()
        wrong += [] if line.is_met else [line.describe()]
    if wrong:
        sys.exit("\n".join(["missed:", *wrong]))


def _count_lines(experiments: int) -> Iterator[Line]:
    def share(claims: Callable[..., bool], *how: object) -> float:
        return sum(claims(seed, *how) for seed in range(experiments)) / experiments

    for seeds, loud in ((2, 1.0), (3, 1.0), (5, 1.0), (2, 4.0), (3, 1.5), (3, 2.0), (3, 4.0), (5, 4.0)):
        matrices = [_build_transfer(seed, seeds, loud) for seed in range(experiments)]
        name = f"transfer, 5 domains, {seeds} seeds" + (f", one target {loud:g} times as noisy" if loud > 1 else "")
        false = sum(any(cell.after_holm for cell in matrix.cells) for matrix in matrices) / experiments
        yield Line(f"{name}: a false claim after Holm", false, FALSE_OF_TRANSFER)
        for targets in ("abcd", "e"):
            held = _cover(matrices, targets)
            yield Line(f"{name}: coverage on {', '.join(targets)}", held, 1.0, COVERED_OF_TRANSFER)
    for seeds in (3, 5):
        yield Line(f"compare, 4 methods, {seeds} seeds: a false claim after Holm", share(_compare, seeds))
        yield Line(f"grid, 12 equal cells, {seeds} seeds: the true best is not in the set", share(_grid, seeds))
    for seeds in (2, 3, 5):
        for of_seeds in (0.0, 0.05):
            name = f"compare, 4 methods, {seeds} seeds with sd {of_seeds:g}, 200 items in 50 clusters:"
            yield Line(f"{name} a false claim", share(_compare_on_items, seeds, of_seeds))
            yield Line(f"{name} coverage", 1 - share(_miss_a_pair, seeds, of_seeds), 1.0, COVERED)
    for seeds in (2, 3, 5, 10):
        for of_seeds in (0.0, 0.05, 0.5):
            name = f"items, 200 in 50 clusters, {seeds} seeds with sd {of_seeds:g}: coverage for"
            for asked in ("checkpoints", "the recipe"):
                held = 1 - share(_items, seeds, of_seeds, asked)
                yield Line(f"{name} {asked}", held, 1.0, COVERED)


def _build_transfer(seed: int, seeds: int, loud: float) -> TransferMatrix:
    """Five domains, of which the last is louder; nothing is planted."""
    random, names = np.random.default_rng(seed), "abcde"
    runs = [
        RunResult(
            dict(zip(AXES, (source, target, 64), strict=True)), at, "succeeded", {"nll": 9 + random.normal(0, spread)}
        )
        for target, spread in zip(names, (1.0, 1.0, 1.0, 1.0, loud), strict=True)
        for source in (None, *names)
        if source != target
        for at in range(seeds)
    ]
    return transfer_matrix(runs)


def _cover(matrices: Sequence[TransferMatrix], targets: str) -> float:
    """Count the share of intervals on some targets that hold 0."""
    gains = [cell.gain for matrix in matrices for cell in matrix.cells if cell.target in targets and cell.gain]
    return sum(abs(gain.mean) <= (gain.half_width or 0.0) for gain in gains) / len(gains)


def _compare(seed: int, seeds: int) -> bool:
    random = np.random.default_rng(seed)
    runs = [
        RunResult({"method": name}, at, "succeeded", {"score": random.normal()})
        for name in "abcd"
        for at in range(seeds)
    ]
    return any(difference.after_holm for difference in compare(runs, metric="score").differences)


def _compare_on_items(seed: int, seeds: int, of_seeds: float) -> bool:
    """Does any verdict claim a difference between four methods that are alike?"""
    return any(pair.after_holm for pair in _compare_alike(seed, seeds, of_seeds, "abcd").differences)


def _miss_a_pair(seed: int, seeds: int, of_seeds: float) -> bool:
    """Does the interval of two methods that are alike miss 0?"""
    (pair,) = _compare_alike(seed, seeds, of_seeds, "ab").differences
    return pair.estimate.half_width is None or abs(pair.estimate.mean) > pair.estimate.half_width


def _compare_alike(seed: int, seeds: int, of_seeds: float, names: str) -> Comparison:
    """Methods that differ by the luck of their seeds, and of items in clusters that each method finds hard or not."""
    random, places = np.random.default_rng(seed), np.repeat(np.arange(50), 4)
    runs, items = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for name in names:
        hard = random.normal(0, 0.5, 50)[places] + random.normal(0, 0.5, 200)
        for at in range(seeds):
            values = hard + random.normal(0, of_seeds) + random.normal(0, 0.3, 200)
            runs.append(RunResult({"method": name}, at, "succeeded", {"score": float(values.mean())}))
            items[item_key(runs[-1].cell, at)] = [
                ItemRow(item, {"score": float(value)}, cluster=int(places[item])) for item, value in enumerate(values)
            ]
    return compare(runs, metric="score", items=items, cross_check=False)


def _grid(seed: int, seeds: int) -> bool:
    """The first cell is better by less than can be seen."""
    random = np.random.default_rng(seed)
    runs = [
        RunResult({"cell": cell}, at, "succeeded", {"nll": random.normal() - 1e-6 * (cell == 0)})
        for cell in range(12)
        for at in range(seeds)
    ]
    chosen = best_cell(runs, metric="nll")
    return all(cell is None or cell.cell["cell"] != 0 for cell in (chosen.best, *chosen.alike))


def _items(seed: int, seeds: int, of_seeds: float, asked: str) -> bool:
    """Is 0 missed? Items in clusters vary with sd 1, half of it shared; the seeds of both sides add theirs.

    For the checkpoints the truth is what these seeds are on all items; for the recipe it is 0.
    """
    random = np.random.default_rng(seed)
    places = np.repeat(np.arange(50), 4)
    hard = random.normal(0, 0.7, 50)[places] + random.normal(0, 0.7, 200)
    luck = random.normal(0, of_seeds, (seeds, 1)) if of_seeds else np.zeros((seeds, 1))
    values = luck + hard + random.normal(0, 0.3, (seeds, 200))
    sides = [_scores(values, places), _scores(np.zeros((seeds, 200)), places)]
    difference = compare_items(*sides, cross_check=False)
    assert difference
    claim, truth = (difference.checkpoints, float(luck.mean())) if asked == "checkpoints" else (difference.recipe, 0.0)
    assert claim
    return abs(difference.mean - truth) > claim.half_width


def _scores(values: Floats, places: Places) -> dict[int, Scores]:
    return {
        seed: read_scores(
            [ItemRow(at, {"score": float(value)}, cluster=int(places[at])) for at, value in enumerate(row)], "score"
        )
        for seed, row in enumerate(values)
    }


if __name__ == "__main__":
    main()
