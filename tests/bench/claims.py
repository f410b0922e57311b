"""How often nothing is called something: the long form of what the tests of the statistics simulate.

Part of `make bench-statistics`. Each line is a kind of experiment, 1,000 of each, in which nothing is planted, with
the share that claims something all the same; 5 % is meant. Coverage is the share of 95 % intervals that hold the
truth. What is simulated is normal noise: the numbers are about the methods, not about models.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np

from sweeps.analysis.comparison import compare
from sweeps.analysis.grid_cells import best_cell
from sweeps.analysis.transfer_gains import AXES, transfer_matrix
from sweeps.evaluation.item_rows import ItemRow
from sweeps.results import RunResult
from sweeps.stats.clusters import Floats, Places
from sweeps.stats.paired_items import Scores, compare_items, read_scores

EXPERIMENTS = 1_000


def main() -> None:
    """Print a line for each kind."""
    for name, share in _lines():
        sys.stdout.write(f"{name:<78}{share:7.1%}\n")
        sys.stdout.flush()


def _lines() -> Iterator[tuple[str, float]]:
    for seeds in (2, 3, 5):
        yield f"transfer, 5 domains, {seeds} seeds: a false claim after Holm", _share(_transfer, seeds)
    for loud in (1.5, 2.0, 4.0):
        noise = (1.0, 1.0, 1.0, 1.0, loud)
        yield f"the same, 3 seeds, one target {loud:g} times as noisy", _share(_transfer, 3, noise)
    for seeds in (3, 5):
        yield f"compare, 4 methods, {seeds} seeds: a false claim after Holm", _share(_compare, seeds)
        yield f"grid, 12 equal cells, {seeds} seeds: the true best is not in the set", _share(_grid, seeds)
    for seeds in (2, 3, 5, 10):
        for of_seeds in (0.0, 0.05, 0.5):
            name = f"items, 200 in 50 clusters, {seeds} seeds with sd {of_seeds:g}: coverage for"
            yield f"{name} checkpoints", 1 - _share(_items, seeds, of_seeds, "checkpoints")
            yield f"{name} the recipe", 1 - _share(_items, seeds, of_seeds, "recipe")


def _share(claims: Callable[..., bool], *how: object) -> float:
    return sum(claims(seed, *how) for seed in range(EXPERIMENTS)) / EXPERIMENTS


def _transfer(seed: int, seeds: int, noise: tuple[float, ...] = (1.0,) * 5) -> bool:
    random = np.random.default_rng(seed)
    names = "abcde"
    runs = [
        RunResult(
            dict(zip(AXES, (source, target, 64), strict=True)), at, "succeeded", {"nll": 9 + random.normal(0, spread)}
        )
        for target, spread in zip(names, noise, strict=True)
        for source in (None, *names)
        if source != target
        for at in range(seeds)
    ]
    return any(cell.after_holm for cell in transfer_matrix(runs).cells)


def _compare(seed: int, seeds: int) -> bool:
    random = np.random.default_rng(seed)
    runs = [
        RunResult({"method": name}, at, "succeeded", {"score": random.normal()})
        for name in "abcd"
        for at in range(seeds)
    ]
    return any(difference.after_holm for difference in compare(runs, metric="score").differences)


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
