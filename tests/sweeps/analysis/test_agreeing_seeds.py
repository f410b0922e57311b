"""Seeds that agree have no spread of their own: their items say how sure a share, or a difference of two, is.

The known intervals are those of statsmodels 0.15: `proportion_confint(…, method="wilson")`.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from sweeps import RunResult, best_cell, compare, item_key, transfer_matrix
from sweeps.analysis.seed_estimates import estimate_level
from sweeps.analysis.transfer.transfer_gains import TransferCell
from sweeps.analysis.transfer.transfer_pairs import Overall
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.comparison_words import name_leader
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.contrasts import Design
from sweeps.report.inputs import Material
from sweeps.spec.sections import Best
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import ItemKey, Items, compare_items, read_scores
from sweeps.stats.proportions import newcombe_interval, wilson_interval

WILSON = {  # right, items: low, high
    (8, 10): (0.4901625, 0.9433178),
    (0, 10): (0.0, 0.2775328),
    (1, 200): (0.0008831687, 0.0277737044),
    (100, 100): (0.9630065, 1.0),
    (50, 100): (0.4038315, 0.5961685),
}


def rows(right: int, count: int, cluster: int = 1) -> list[ItemRow]:
    """Items of which the first so many are right; `cluster` of them share a passage."""
    return [ItemRow(at, {"accuracy": float(at < right)}, cluster=f"p{at // cluster}") for at in range(count)]


def sweep(items_of_run: int, cluster: int = 1, **right: tuple[int, ...]) -> tuple[list[RunResult], Items]:
    """Runs of methods, `untrained` among them, by how many items each seed has right; and their items."""
    runs, items = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for name, counts in right.items():
        cell = {"method": None if name == "untrained" else name}
        for seed, count in enumerate(counts):
            runs.append(RunResult(cell, seed, "succeeded", {"accuracy": count / items_of_run}))
            items[item_key(cell, seed)] = rows(count, items_of_run, cluster)
    return runs, items


@pytest.mark.parametrize(("counts", "known"), WILSON.items())
def test_the_interval_of_a_share_is_that_of_other_libraries(
    counts: tuple[int, int], known: tuple[float, float]
) -> None:
    assert wilson_interval(*counts) == pytest.approx(known, abs=1e-7)


def test_a_perfect_share_against_a_half_is_clear_by_its_items() -> None:
    """It was told as ± 1.2968, not clearly ahead, with 2 seeds to settle it, of 2 seeds."""
    runs, items = sweep(100, untrained=(50,), sl=(100, 100))
    comparison = compare(runs, metric="accuracy", items=items)
    levels = {contestant.name: contestant.estimate for contestant in comparison.contestants}
    assert levels["sl"]
    assert levels["sl"].document() == pytest.approx(
        {"mean": 1.0, "half_width": 1 - 0.9630065, "seeds": 2, "low": 0.9630065, "high": 1.0}, abs=1e-7
    )
    (pair,) = comparison.differences
    error = math.sqrt(0.25 * 100 / 99 / 100)  # of a mean of 100 items that are 0 or 1, half and half
    assert (pair.clear, pair.after_holm) == (True, True)
    assert pair.estimate.mean == 0.5
    assert pair.estimate.half_width == pytest.approx(1.98422 * error, rel=1e-4), "t(.975, 99)"
    sentence = name_leader(comparison, Best(metric="accuracy", mode="max"), "", Design())
    assert "1.0000 (0.9630 to 1.0000)" in sentence
    assert "0.5000 ± 0.0997" in sentence


def test_without_items_it_is_as_wide_as_a_share_can_be_and_two_seeds_do_not_settle_it() -> None:
    runs, _ = sweep(100, untrained=(50,), sl=(100, 100))
    (pair,) = compare(runs, metric="accuracy").differences
    assert pair.estimate.ends
    assert (pair.estimate.ends.high, pair.clear) == (1.0, False)
    assert pair.needed_seeds
    assert pair.needed_seeds > pair.estimate.seeds


def test_where_everything_is_right_on_both_sides_other_items_may_still_differ() -> None:
    """Of 30 items without a difference, one in 1 - .025^(1/30) = .1157 may have one."""
    runs, items = sweep(30, sl=(30, 30), rl=(30, 30))
    (pair,) = compare(runs, metric="accuracy", items=items).differences
    assert pair.estimate.half_width == pytest.approx(0.11570, abs=1e-5)
    assert (pair.clear, pair.after_holm) == (False, False)
    (alone,) = compare(runs, metric="accuracy").differences
    assert (alone.estimate.half_width, alone.clear) == (None, False), "nothing is known of the spread"


def test_a_spread_of_less_than_one_item_is_none() -> None:
    """45 of 46 and 46 of 47 episodes differ by .0005: by t, ± .003; of the items, .92 to .997."""
    values, scores = {}, {}
    for seed, items in enumerate((46, 47)):
        values[seed] = (items - 1) / items
        scores[seed] = read_scores(rows(items - 1, items), "accuracy")
    level = estimate_level(values, "accuracy", 0.0004, scores)
    assert level
    assert level.interval == pytest.approx(wilson_interval(level.mean * 47, 47))


def test_five_items_that_all_change_are_not_clear() -> None:
    """They come by chance in one of sixteen, however narrow their interval is: .167 ± .142."""
    runs, items = sweep(30, untrained=(25,), sl=(30, 30))
    (pair,) = compare(runs, metric="accuracy", items=items).differences
    assert pair.estimate.half_width
    assert pair.estimate.mean > pair.estimate.half_width
    assert (pair.clear, pair.after_holm) == (False, False)
    runs, items = sweep(30, untrained=(24,), sl=(30, 30))
    (pair,) = compare(runs, metric="accuracy", items=items).differences
    assert pair.clear


def test_one_item_in_common_tells_nothing_of_its_spread() -> None:
    runs, items = sweep(1, untrained=(0,), sl=(1, 1))
    (pair,) = compare(runs, metric="accuracy", items=items).differences
    assert (pair.estimate.mean, pair.estimate.half_width, pair.clear, pair.after_holm) == (1.0, None, False, False)


def test_items_of_one_passage_are_one_trial() -> None:
    runs, items = sweep(100, cluster=10, sl=(100, 100))
    (method,) = compare(runs, metric="accuracy", items=items).contestants
    assert method.estimate
    assert method.estimate.ends
    assert method.estimate.ends.low == pytest.approx(0.7224672, abs=1e-7), "ten of ten"


def test_a_grid_judges_cells_whose_seeds_agree_by_their_items_too() -> None:
    cells = {1: 60, 2: 59, 3: 20}
    runs = [
        RunResult({"rank": rank}, seed, "succeeded", {"accuracy": right / 60})
        for rank, right in cells.items()
        for seed in range(2)
    ]
    items = {item_key(run.cell, run.seed): rows(cells[int(str(run.cell["rank"]))], 60) for run in runs}
    chosen = best_cell(runs, metric="accuracy", items=items)
    assert chosen.best
    assert chosen.best.chosen_by
    assert chosen.best.chosen_by.interval == pytest.approx(wilson_interval(60, 60))
    assert {cell.cell["rank"]: cell.apart for cell in chosen.cells} == {1: False, 2: False, 3: True}


def test_a_transfer_of_shares_that_agree_is_no_certainty() -> None:
    """Two seeds with the same tenth: by its own spread of 0 it would be beyond any doubt."""
    runs = [
        RunResult({"source": source, "target": "b", "size": 8}, seed, "succeeded", {"accuracy": share})
        for seed in range(2)
        for source, share in ((None, 0.5), ("a", 0.6))
    ]
    gain = transfer_matrix(runs, metric="accuracy").cell("a", "b", 8).gain
    assert gain
    assert gain.half_width == pytest.approx(12.7062 * 0.1 / math.sqrt(12 * 2), rel=1e-4)


def transfer(count: int, *sizes: int, **right: int) -> tuple[list[RunResult], Items]:
    """The target alone and after a source, at each size, by how many items are right with each of three seeds."""
    runs, items = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for name, size, seed in itertools.product(right, sizes, range(3)):
        cell = {"source": None if name == "alone" else name, "target": "b", "size": size}
        runs.append(RunResult(cell, seed, "succeeded", {"accuracy": right[name] / count}))
        items[item_key(cell, seed)] = rows(right[name], count)
    return runs, items


def test_a_transfer_whose_seeds_agree_is_as_sure_as_its_items() -> None:
    """It was sure beyond doubt of one pair, and of two as unsure with 2,000 items as with 20."""
    for count in (20, 2000):
        runs, items = transfer(count, 8, alone=count, a=count)
        cell = transfer_matrix(runs, metric="accuracy", items=items).cell("a", "b", 8)
        assert cell.gain
        assert cell.gain.half_width == pytest.approx(1 - 0.025 ** (1 / count))
        assert cell.verdict == "unclear"
        runs, items = transfer(count, 8, 16, alone=count // 2, a=count)
        matrix = transfer_matrix(runs, metric="accuracy", items=items)
        error = math.sqrt(0.25 / (count - 1))  # of a mean of items that are 0 or 1, half and half
        pairs: list[TransferCell | Overall] = [matrix.cell("a", "b", 8), *matrix.overall]
        for pair in pairs:
            assert pair.gain
            assert pair.gain.mean == 0.5
            assert pair.gain.half_width == pytest.approx(stdtrit(count - 1, 0.975) * error)
            assert (pair.verdict, pair.after_holm) == ("helps", True)
    alone = transfer_matrix(transfer(20, 8, alone=20, a=20)[0], metric="accuracy").cell("a", "b", 8)
    assert alone.gain
    assert (alone.gain.half_width, alone.verdict) == (None, "unclear"), "nothing is known of the spread"


@pytest.mark.parametrize("metric", ["nll", "episode.tips"])
@pytest.mark.parametrize("gain", [0.25, 0.0])
def test_a_transfer_without_items_or_a_known_step_has_no_interval_where_seeds_agree(metric: str, gain: float) -> None:
    """It was ± 0, which is beyond any doubt."""
    runs = [
        RunResult({"source": source, "target": target, "size": size}, seed, "succeeded", {metric: 3.0 - better})
        for size, seed, target in itertools.product((8, 16), range(3), "bc")
        for source, better in ((None, 0.0), ("a", gain))
    ]
    matrix = transfer_matrix(runs, metric=metric, better="lower")
    pairs: list[TransferCell | Overall] = [matrix.cell("a", "b", 8), *matrix.overall]
    for pair in pairs:
        assert pair.gain
        assert (pair.gain.mean, pair.gain.half_width, pair.gain.ends) == (gain, None, None)
        assert (pair.verdict, pair.after_holm) == ("unclear", False)
    spec: dict[str, Json] = {"experiment": "transfer", "metrics": [{"metric": metric, "mode": "min"}]}
    claim = conclude_sweep(Material("agree", "finished", spec, runs))
    assert (claim.low, claim.high) == (None, None)
    assert "seeds_agree" in claim.caveats
    assert claim.claim == ("not_judged" if gain else "no_clear_difference")


def test_items_that_are_all_the_same_number_say_nothing_of_others() -> None:
    """Every episode of both sides has 3 calls: no step is known by which another could differ."""
    kept = read_scores([ItemRow(at, {"calls": 3.0}) for at in range(30)], "episode.calls")
    same = compare_items({0: kept, 1: kept}, {0: kept, 1: kept})
    assert same
    assert (same.mean, same.checkpoints, same.recipe, same.crossed) == (0.0, None, None, None)


def test_five_items_that_a_source_changes_are_not_clear() -> None:
    runs, items = transfer(30, 8, alone=25, a=30)
    cell = transfer_matrix(runs, metric="accuracy", items=items).cell("a", "b", 8)
    assert (cell.verdict, cell.after_holm) == ("unclear", False)


def test_the_interval_holds_the_truth_in_nineteen_of_twenty_sweeps() -> None:
    """Three seeds of 40 items that are right with .98: in a seventh of them all seeds agree."""
    random, held, agreed = np.random.default_rng(5), 0, 0
    for _ in range(1000):
        right = random.binomial(40, 0.98, 3).tolist()
        scores = {seed: read_scores(rows(count, 40), "accuracy") for seed, count in enumerate(right)}
        level: Estimate | None = estimate_level(
            {seed: count / 40 for seed, count in enumerate(right)}, "accuracy", 1 / 40, scores
        )
        assert level
        assert level.ends
        agreed += level.interval is not None
        held += level.ends.low <= 0.98 <= level.ends.high
    assert agreed > 100
    assert held >= 930


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ((56, 70, 48, 80), (0.052431472, 0.333872654)),
        ((9, 10, 3, 10), (0.170522724, 0.809017974)),
        ((10, 10, 0, 20), (0.679086037, 1.0)),
        ((10, 10, 0, 10), (0.607509350, 1.0)),
        ((5, 56, 0, 29), (-0.038137148, 0.192560014)),
    ],
)
def test_the_interval_of_a_difference_of_shares_of_other_items_is_newcombes(
    counts: tuple[int, int, int, int], known: tuple[float, float]
) -> None:
    """statsmodels 0.15.0: `confint_proportions_2indep(…, method="newcomb", compare="diff")`."""
    assert newcombe_interval(*counts) == pytest.approx(known, abs=1e-8)


def test_shares_without_an_item_in_common_are_compared_as_unpaired() -> None:
    """Seeds that agree, on two test sets: the items of both sides make the interval, and it excludes 0."""
    runs, items = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for name, right, count in (("sl", 56, 70), ("rl", 48, 80)):
        for seed in range(2):
            cell = {"method": name}
            runs.append(RunResult(cell, seed, "succeeded", {"accuracy": right / count}))
            items[item_key(cell, seed)] = [
                ItemRow(f"{name} {at}", {"accuracy": float(at < right)}) for at in range(count)
            ]
    (difference,) = compare(runs, metric="accuracy", items=items).differences
    assert difference.by_item is None
    sign = 1 if difference.one == "sl" else -1
    assert difference.estimate.mean == pytest.approx(sign * 0.2)
    assert difference.estimate.ends
    assert sorted(sign * end for end in difference.estimate.ends[:2]) == pytest.approx([0.0524, 0.3339], abs=5e-5)
    assert difference.clear
    assert difference.after_holm
