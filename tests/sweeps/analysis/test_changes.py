"""What a training changed: known values, what is paired with what, found where planted and not in a matched null."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sweeps import Change, RunResult, change, item_key
from sweeps.analysis.changes import Changed, compare_with_baselines, judge_together
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics import calibration
from sweeps.metrics.influence import POOLED, resample, split_by_item
from sweeps.stage import Json
from sweeps.stats.clusters import Floats
from tests.sweeps.changed import NULLS, PLANTED, Kind


def rows(name: str, values: list[float]) -> list[ItemRow]:
    return [ItemRow(at, {name: value}) for at, value in enumerate(values)]


def stated(confidence: list[float], right: list[int]) -> list[ItemRow]:
    pairs = enumerate(zip(confidence, right, strict=True))
    return [ItemRow(at, {"confidence": sure, "right": is_right}) for at, (sure, is_right) in pairs]


def known(difference: Change | None) -> Change:
    assert difference
    return difference


def random_answers(seed: int, items: int, over: float = 0.0) -> list[ItemRow]:
    random = np.random.default_rng(seed)
    sure = random.random(items)
    right = random.random(items) < sure
    return stated(np.clip(sure + over, 0, 1).tolist(), right.astype(int).tolist())


def test_the_paired_difference_by_hand() -> None:
    """Of eight items two rise by 1, and the mean is 0.25 ± t(7)·0.4629/√8."""
    before, after = [0.0, 1, 0, 1, 0, 0, 1, 1], [1.0, 1, 0, 1, 1, 0, 1, 1]
    difference = known(change({0: rows("accuracy", before)}, {0: rows("accuracy", after)}, metric="accuracy"))
    assert (difference.before, difference.after, difference.mean) == (0.5, 0.75, 0.25)
    assert difference.high - difference.mean == pytest.approx(2.364624 * 0.46291 / math.sqrt(8), rel=1e-4)
    assert (difference.items, difference.clusters, difference.seeds, difference.left_out) == (8, 8, 1, 0)
    assert not difference.clear


def test_calibration_errors_by_hand() -> None:
    """ECE .25 of (.95, .95, .55, .55), (1, 0, 1, 0); of the same right ones at .5, .5, .5, .5 it is 0."""
    before, after = stated([0.95, 0.95, 0.55, 0.55], [1, 0, 1, 0]), stated([0.5] * 4, [1, 0, 1, 0])
    difference = known(change({0: before}, {0: after}, metric="ece"))
    assert (difference.before, difference.after) == pytest.approx((0.25, 0.0))
    assert -0.25 < difference.mean < 0, "less what noise gives to the first"
    assert difference.low < difference.mean < difference.high
    ranked = known(change({3: stated([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1])}, {3: before}, metric="source.aurc"))
    assert ranked.before == pytest.approx(0.145833, abs=1e-6)


@pytest.mark.parametrize("metric", POOLED)
@pytest.mark.parametrize("ties", [False, True])
def test_the_parts_of_what_is_about_all_items_have_it_for_their_mean(metric: str, ties: bool) -> None:
    random = np.random.default_rng(5)
    sure = np.round(random.random(97) * (5 if ties else 1e9)) / (5 if ties else 1e9)
    right = (random.random(97) < sure).astype(float)
    whole = calibration.summarize(sure, right, calibration.COVERAGE)[metric]
    assert split_by_item(metric, sure, right).mean() == pytest.approx(whole, abs=1e-12)
    if metric in ("aurc", "selective_accuracy"):
        once = resample(metric, sure, right, np.arange(97), np.ones((1, 97)))
        assert once == pytest.approx(whole), "it has no bias to be taken away"


def test_parts_and_resampling_of_selective_accuracy_vary_as_it_does() -> None:
    """Its error over 600 samples of 200 answers, beside the errors that one sample of them tells."""
    drawn, by_parts, by_resampling = [], [], []
    for seed in range(600):
        sure, right = (
            np.array([row.values[key] for row in random_answers(seed, 200)], float) for key in ("confidence", "right")
        )
        drawn.append(calibration.selective_accuracy(sure, right, calibration.COVERAGE))
        by_parts.append(split_by_item("selective_accuracy", sure, right).std(ddof=1) / math.sqrt(200))
        if seed < 20:
            weights = np.random.default_rng(seed).multinomial(200, np.full(200, 1 / 200), 200).astype(float)
            by_resampling.append(resample("selective_accuracy", sure, right, np.arange(200), weights).std(ddof=1))
    assert np.mean(by_parts) == pytest.approx(np.std(drawn), rel=0.12)
    assert np.mean(by_resampling) == pytest.approx(np.std(drawn), rel=0.12)


def test_noise_alone_makes_no_calibration_error() -> None:
    """Of calibrated models the error is about .07 with 200 items; less its bias it is near nothing."""
    errors, plain = [], []
    for seed in range(100):
        sure, right = (
            np.array([row.values[key] for row in random_answers(seed, 200)], float) for key in ("confidence", "right")
        )
        plain.append(calibration.ece(sure, right))
        errors.append(resample("ece", sure, right, np.arange(200), np.ones((1, 200)))[0])
    assert np.mean(plain) > 0.06
    assert np.mean(errors) < 0.02
    wrong = resample("ece", np.full(400, 0.9), np.tile([1.0, 0.0], 200), np.arange(400), np.ones((1, 400)))
    assert wrong == pytest.approx(0.4, abs=1e-3), "where it plainly is not calibrated, next to nothing is taken"


@pytest.mark.parametrize("metric", [*POOLED, "right"])
def test_a_side_is_no_other_than_itself_and_swapping_turns_the_sign(metric: str) -> None:
    before = {seed: random_answers(seed, 120) for seed in range(3)}
    after = {seed: random_answers(seed + 10, 120, 0.2) for seed in range(3)}
    same = known(change(before, before, metric=metric))
    assert (same.mean, same.low, same.high, same.p, same.clear) == (0, 0, 0, 1, False)
    there, back = known(change(before, after, metric=metric)), known(change(after, before, metric=metric))
    assert there.mean == pytest.approx(-back.mean)
    assert (there.low, there.high, there.p) == pytest.approx((-back.high, -back.low, back.p))


@pytest.mark.parametrize("metric", ["ece", "right"])
def test_what_only_one_has_is_left_out_and_counted(metric: str) -> None:
    whole, less = random_answers(1, 60), random_answers(2, 60, 0.3)
    difference = known(change({0: whole, 1: whole}, {0: less[5:], 1: less[:-2], 2: less}, metric=metric))
    assert (difference.items, difference.left_out, difference.seeds) == (53, 7, 2)
    short = known(change({0: whole[5:-2], 1: whole[5:-2]}, {0: less[5:-2], 1: less[5:-2]}, metric=metric))
    assert (difference.mean, difference.low, difference.p) == pytest.approx((short.mean, short.low, short.p))
    assert change({0: whole, 1: whole}, {2: less}, metric=metric) is None
    assert change({0: whole}, {0: less}, metric="agreement") is None
    assert known(change({7: whole}, {0: less, 1: less}, metric=metric)).seeds == 2, "measured once, it stands for all"


@pytest.mark.parametrize("metric", ["ece", "right"])
def test_a_single_cluster_says_nothing_and_copies_say_no_more(metric: str) -> None:
    sides = random_answers(1, 60), random_answers(2, 60, 0.3)
    together = [[replace(row, cluster="c") for row in side] for side in sides]
    difference = known(change({0: together[0]}, {0: together[1]}, metric=metric))
    assert (difference.low, difference.high, difference.p, difference.clear) == (-math.inf, math.inf, 1, False)
    copied = [
        [replace(row, item=f"{row.item}/{at}", cluster=row.item) for row in side for at in range(4)] for side in sides
    ]
    once, more = (known(change({0: first}, {0: other}, metric=metric)) for first, other in (sides, copied))
    assert more.clusters == 60
    assert more.mean == pytest.approx(once.mean)
    assert more.high - more.low == pytest.approx(once.high - once.low, rel=0.02)


@pytest.mark.parametrize("metric", ["aurc", "right"])
def test_answers_that_are_all_alike_leave_open_what_so_few_can(metric: str) -> None:
    """And confidences that differ by next to nothing, as those of long answers do, are alike."""
    unlikely = [1e-9 * item for item in range(30)]
    tiny = known(change({0: stated([0.0] * 30, [0] * 30)}, {0: stated(unlikely, [0] * 30)}, metric="adaptive_ece"))
    assert tiny.high - tiny.mean == pytest.approx(1 - 0.025 ** (1 / 30))
    before, after = stated([0.5] * 30, [0] * 30), stated([1.0] * 30, [1] * 30)
    difference = known(change({0: before}, {0: after}, metric=metric))
    assert abs(difference.mean) == pytest.approx(1)
    inside = difference.mean - difference.low if difference.mean > 0 else difference.high - difference.mean
    assert inside == pytest.approx(1 - 0.025 ** (1 / 30))
    assert max(abs(difference.low), abs(difference.high)) == pytest.approx(1), "no difference of shares is larger"
    assert difference.clear


def test_a_few_items_that_all_change_are_not_yet_clear() -> None:
    """Five of a hundred, all to the better, come by chance in one of sixteen: t would have called it .02."""
    before = rows("accuracy", [0.0] * 100)
    five, six = (rows("accuracy", [1.0] * count + [0.0] * (100 - count)) for count in (5, 6))
    difference = known(change({0: before}, {0: five}, metric="accuracy"))
    assert (difference.p, difference.clear, difference.low > 0) == (1 / 16, False, True)
    assert known(change({0: before}, {0: six}, metric="accuracy")).clear


def result(seed: int = 0, **cell: Json) -> RunResult:
    return RunResult(cell, seed, "succeeded")


def sweep(runs: list[RunResult], values: Floats, metric: str = "score") -> list[tuple[Json, ...]]:
    """Which cell is compared with which, and by how much."""
    items = {
        item_key(run.cell, run.seed): rows("score", [value, value + 1]) for run, value in zip(runs, values, strict=True)
    }
    return [
        (comparison.against, *comparison.cell.values(), round(comparison.change.mean, 9), comparison.change.seeds)
        for comparison in compare_with_baselines(runs, items, metric=metric)
    ]


def test_every_trained_cell_is_beside_its_baseline() -> None:
    compared = [result(method=None), result(method="sl"), result(1, method="sl"), result(method="rl")]
    assert sweep(compared, np.array([0.0, 1, 2, 5])) == [("untrained", "sl", 1.5, 2), ("untrained", "rl", 5, 1)]
    scaled = [result(data=name, size=size) for name in "ab" for size in (0, 8)]
    assert sweep(scaled, np.array([0.0, 1, 10, 30])) == [("untrained", "a", 8, 1, 1), ("untrained", "b", 8, 20, 1)]
    pairs = [result(source=source, target="t", size=size) for source in (None, "s") for size in (0, 8)]
    values = np.array([0.0, 1, 3, 7])
    assert sweep(pairs, values) == [
        ("untrained", None, "t", 8, 1, 1),
        ("untrained", "s", "t", 0, 3, 1),
        ("untrained", "s", "t", 8, 7, 1),
        ("target alone", "s", "t", 8, 6, 1),
    ]
    assert sweep(pairs, values, "source.score") == [("source alone", "s", "t", 8, 4, 1)], "forgetting"
    assert sweep([result(rank=8), result(rank=16)], np.zeros(2)) == [], "a grid has no baseline"


def test_a_source_whose_other_seeds_are_lost_stands_for_its_own_only() -> None:
    runs = [result(seed, source="s", target="t", size=size) for size in (0, 8) for seed in range(3)]
    lost = [replace(run, state="failed") if run.seed and not run.cell["size"] else run for run in runs]
    assert sweep(lost, np.arange(6.0), "source.score") == [("source alone", "s", "t", 8, 3, 1)]
    shared = [run for run in runs if run.cell["size"] or not run.seed]
    assert sweep(shared, np.arange(4.0), "source.score") == [("source alone", "s", "t", 8, 2, 3)]


def test_a_family_is_judged_together() -> None:
    difference = known(change({0: rows("score", [0.0] * 6)}, {0: rows("score", [1.0] * 6)}, metric="score"))
    assert (difference.p, difference.clear) == (1 / 32, True)
    alone, both = judge_together({"a": difference}), judge_together({"a": difference, "b": difference})
    assert alone["a"].after_holm
    assert not both["a"].after_holm
    assert isinstance(compare_with_baselines([], {}, metric="score"), tuple)
    assert Changed.__dataclass_fields__.keys() == {"cell", "beside", "against", "change"}


@pytest.mark.parametrize("kind", NULLS, ids=lambda kind: kind.name)
def test_nothing_is_claimed_of_a_matched_null(kind: Kind) -> None:
    """At most 8 % of 200 simulated sweeps; `make bench-statistics` does it with 1,000 of more kinds."""
    assert kind.claimed(200) <= 0.08


@pytest.mark.parametrize("kind", PLANTED, ids=lambda kind: kind.name)
def test_what_is_planted_is_found(kind: Kind) -> None:
    assert kind.claimed(30) >= 0.9
