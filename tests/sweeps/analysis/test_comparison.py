"""Methods against each other: paired by seed, with known values, and nothing dropped in silence."""

import numpy as np
import pytest

from sweeps import DataError, RunResult, best_cell, compare
from sweeps.analysis.comparison import Difference
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics.calibration import ece
from sweeps.stats.intervals import critical_t
from sweeps.stats.paired_items import item_key


def run(method: str | None, seed: int, value: float | None, *, tokens: int = 10, **cell: int) -> RunResult:
    state = "failed" if value is None else "succeeded"
    metrics = {} if value is None else {"score": value}
    return RunResult({"method": method, **cell}, seed, state, metrics, tokens=tokens, micro_usd=2 * tokens)


RUNS = [
    run(None, 0, 0.1, tokens=1),
    *(run("sl", seed, value) for seed, value in enumerate((0.5, 0.6, 0.7))),
    *(run("rl", seed, value, tokens=20) for seed, value in enumerate((0.8, 0.8, 1.1))),
]


def between(first: str | None, other: str | None, runs: list[RunResult] = RUNS) -> Difference:
    differences = compare(runs, metric="score").differences
    (difference,) = (difference for difference in differences if (difference.one, difference.other) == (first, other))
    return difference


def test_differences_are_taken_seed_by_seed() -> None:
    """0.3, 0.2 and 0.4: mean 0.3, sd 0.1, t(.975, 2) = 4.303."""
    estimate = between("rl", "sl").estimate
    assert estimate.mean == pytest.approx(0.3)
    assert estimate.half_width == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    assert (estimate.seeds, between("rl", "sl").clear) == (3, True)
    assert critical_t(2) == pytest.approx(4.3027, abs=1e-4)


def test_the_untrained_model_stands_for_every_seed() -> None:
    assert between("sl", None).estimate.mean == pytest.approx(0.5)
    assert between("sl", None).estimate.seeds == 3


def test_a_claim_stands_among_all_or_alone() -> None:
    """p = 0.035, 0.011 and 0.011 by t with 2 degrees of freedom: of three, 0.011 stands below 0.05/3."""
    differences = compare(RUNS, metric="score").differences
    assert {(difference.one, difference.other): difference.after_holm for difference in differences} == {
        ("sl", None): True, ("rl", None): True, ("rl", "sl"): True,
    }  # fmt: skip
    noisy = [*RUNS, *(run("dpo", seed, value) for seed, value in enumerate((0.55, 0.7, 0.72)))]
    worse = between("dpo", "sl", noisy)
    assert (worse.clear, worse.after_holm) == (False, False)


def test_what_is_missing_is_counted_and_what_is_left_is_paired() -> None:
    runs = [run("sl", 0, 0.5), run("sl", 1, None), run("sl", 2, 0.7), *(run("rl", seed, 0.9) for seed in range(3))]
    comparison = compare(runs, metric="score")
    assert {contestant.name: contestant.missing for contestant in comparison.contestants} == {"sl": 1, "rl": 0}
    assert comparison.differences[0].estimate.seeds == 2
    assert not compare([run("sl", 0, None), run("rl", 0, 1.0)], metric="score").differences


def test_one_seed_has_a_mean_and_no_interval() -> None:
    difference = between("rl", "sl", [run("sl", 0, 0.5), run("rl", 0, 0.9)])
    assert (difference.estimate.half_width, difference.clear, difference.after_holm) == (None, False, False)


def test_what_each_took_is_told() -> None:
    costs = {
        contestant.name: (contestant.tokens, contestant.micro_usd)
        for contestant in compare(RUNS, metric="score").contestants
    }
    assert costs == {None: (1, 2), "sl": (10, 20), "rl": (20, 40)}


def test_variants_are_not_thrown_together() -> None:
    with pytest.raises(DataError, match="runs of 2 variants"):
        compare([run("sl", 0, 0.5, size=1), run("sl", 0, 0.5, size=2)], metric="score")


@pytest.mark.parametrize(("seeds", "items"), [(2, 20), (2, 200), (3, 20)])
def test_shares_that_are_equal_by_chance_are_no_certainty(seeds: int, items: int) -> None:
    """Two differences of shares of 20 items are the same in one of ten pairs, and would have an error of 0."""
    chance = np.random.default_rng(4)
    shares = chance.binomial(items, 0.8, (150, 4, seeds)) / items
    claims = [
        any(
            difference.after_holm
            for difference in compare(
                [
                    run(f"m{name}", seed, float(share))
                    for name, row in enumerate(shares_of_methods)
                    for seed, share in enumerate(row)
                ],
                metric="score",
            ).differences
        )
        for shares_of_methods in shares
    ]
    assert np.mean(claims) <= 0.08


def test_what_all_seeds_agree_on_is_clear_by_the_third() -> None:
    """All right against none: t = √12·√k with the deviation that a step of 1 hides."""
    for seeds, clear in ((2, False), (3, True)):
        runs = [run(name, seed, value) for name, value in (("a", 0.0), ("b", 1.0)) for seed in range(seeds)]
        (difference,) = compare(runs, metric="score").differences
        assert difference.estimate.half_width == pytest.approx(critical_t(seeds - 1) / (12 * seeds) ** 0.5)
        assert difference.clear is clear
        apart = best_cell(runs, metric="score", mode="max").cells[1].apart
        assert apart is clear


def test_a_calibration_error_is_compared_for_other_items_less_the_bias_that_noise_gives_it() -> None:
    """One is calibrated, the other overstates by .15. Of 160 items the first has an error of its own, by noise."""
    runs, items = list[RunResult](), {}
    for name, over in (("plain", 0.0), ("sure", 0.15)):
        for seed in range(3):
            chance = np.random.default_rng(3)
            truth = chance.uniform(0.4, 0.8, 160)
            right = chance.uniform(size=160) < truth
            stated = truth + over + np.random.default_rng(seed).normal(0, 0.01)
            runs.append(RunResult({"method": name}, seed, "succeeded", {"ece": ece(stated, right)}))
            items[item_key(runs[-1].cell, seed)] = [
                ItemRow(at, {"confidence": float(stated[at]), "right": float(right[at])}) for at in range(160)
            ]
    (difference,) = compare(runs, metric="ece", items=items).differences
    (by_seed,) = compare(runs, metric="ece").differences
    assert (difference.covers, by_seed.covers) == ("seeds_and_items", "seeds")
    assert difference.after_holm
    low, high = difference.estimate.ends[:2] if difference.estimate.ends else (0.0, 0.0)
    assert low < 0.15 < high, "what is planted"
    assert by_seed.estimate.mean < difference.estimate.mean, "the bias is the larger, the smaller the error"
