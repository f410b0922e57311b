"""Strata have each metric of a classification, as scikit-learn computes it, and are compared with each other."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sweeps import RunResult
from sweeps.analysis.item_analysis import StratumResult, list_strata
from sweeps.analysis.strata.stratum_differences import FEWEST_ITEMS, StratumDifference, list_differences
from sweeps.evaluation.choice import choose
from sweeps.evaluation.classes import add_classes
from sweeps.evaluation.item_rows import ItemRow, read_rows, write_rows
from sweeps.report.compose import compose, list_facts
from sweeps.report.html import render_html
from sweeps.report.markdown import render_markdown
from sweeps.stats.intervals import holm
from sweeps.stats.paired_items import item_key, read_scores
from sweeps.stats.part_differences import compare_parts
from tests.sweeps.class_figures import FIGURES, LOGITS, read_digits
from tests.sweeps.reports import material

TRUE = read_digits(FIGURES[0][0])
NAMES = ("a", "b", "c")
# scikit-learn 1.9.1 of the items at even and odd places: f1_score(average=None, labels=[0, 1, 2]), f1_score of the
# classes that are there (average="macro"), balanced_accuracy_score, and the mean of roc_auc_score of each class
# against the rest.
SKLEARN = {
    "even": ([0.933333333333, 0.8, 0.5], 0.744444444444, 0.847222222222, 0.989583333333),
    "odd": ([1.0, 0.6, 0.333333333333], 0.644444444444, 0.666666666667, 0.762962962963),
}


def classify(logits: Sequence[Sequence[float]], true: Sequence[int], strata: Sequence[str]) -> list[ItemRow]:
    """The rows of a choice among the same candidates, as the evaluator keeps and the analysis reads them."""
    rows = [
        choose(at, scores, [number == right for number in range(3)])
        for at, (scores, right) in enumerate(zip(logits, true, strict=True))
    ]
    records = [{"question": str(at), "answers": (NAMES[right],), "candidates": NAMES} for at, right in enumerate(true)]
    classed = add_classes(rows, records)
    labelled = [replace(row, stratum=stratum) for row, stratum in zip(classed, strata, strict=True)]
    return read_rows(write_rows(labelled), details=False)


def run(rows: Sequence[ItemRow], *metrics: str, seed: int = 0) -> tuple[RunResult, dict[tuple[bytes, int], object]]:
    made = RunResult({"size": 8}, seed, "succeeded", dict.fromkeys(metrics, 0.5))
    return made, {item_key(made.cell, seed): rows}


def find(results: Sequence[StratumResult], metric: str, stratum: str) -> StratumResult:
    (result,) = [result for result in results if (result.metric, result.stratum) == (metric, stratum)]
    return result


def test_each_metric_of_a_classification_by_stratum_is_that_of_scikit_learn() -> None:
    rows = classify(LOGITS, TRUE, [("even", "odd")[at % 2] for at in range(24)])
    metrics = ("f1_a", "f1_b", "f1_c", "macro_f1", "balanced_accuracy", "auroc")
    made, items = run(rows, *metrics)
    results = list_strata([made], {"answers": items})  # type: ignore[dict-item]
    for stratum, (per_class, macro, balanced, auroc) in SKLEARN.items():
        for metric, right in zip(metrics, (*per_class, macro, balanced, auroc), strict=True):
            result = find(results, metric, stratum)
            assert result.mean == pytest.approx(right, abs=1e-11), (stratum, metric)
            assert result.low is not None
            assert result.high is not None
            assert 0 <= result.low <= result.mean <= result.high <= 1
            assert (result.items, result.clusters) == (12, 12)


def test_a_class_that_a_stratum_does_not_have_has_no_f1_there() -> None:
    rows = classify(LOGITS, TRUE, ["two" if right < 2 else "third" for right in TRUE])
    made, items = run(rows, "f1_c", "auroc")
    results = list_strata([made], {"answers": items})  # type: ignore[dict-item]
    assert {result.stratum for result in results if result.metric == "f1_c"} == {"third"}
    assert {result.stratum for result in results if result.metric == "auroc"} == {"two"}, "one class has no AUROC"


def make_items(shares: dict[str, tuple[float, int]], *, per_group: int = 1, seed: int = 0) -> list[ItemRow]:
    """Right or wrong answers: for each stratum the chance of a right one, and how many."""
    random, rows = np.random.default_rng(seed), list[ItemRow]()
    for stratum, (share, count) in shares.items():
        for at in range(count):
            right = float(random.random() < share)
            rows.append(ItemRow(len(rows), {"accuracy": right}, f"{stratum}{at // per_group}", {}, stratum))
    return rows


def compare(rows: Sequence[ItemRow]) -> list[StratumDifference]:
    made, items = run(rows, "accuracy")
    return list_differences([made], {"answers": items})  # type: ignore[dict-item]


def test_clear_differences_are_found_and_judged_together() -> None:
    pairs = compare(make_items({"x": (0.9, 80), "y": (0.4, 80), "z": (0.45, 80)}))
    assert [(pair.one, pair.other) for pair in pairs] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [pair.clear for pair in pairs] == [True, True, False]
    assert {(pair.one, pair.other) for pair in pairs if pair.clear} == holm(
        {(pair.one, pair.other): pair.p for pair in pairs if pair.p is not None}
    )
    for pair in pairs:
        assert pair.mean is not None
        assert pair.low is not None
        assert pair.high is not None
        assert pair.low <= pair.mean <= pair.high


@pytest.mark.parametrize(
    ("shares", "per_group", "facts"),
    [
        ({"x": (0.9, 40), "y": (0.1, FEWEST_ITEMS - 1)}, 1, ("y", "9", "10")),
        ({"x": (0.9, 40), "y": (0.1, 40)}, 10, ("4", "5")),
        ({f"s{at:02}": (0.5, 20) for at in range(13)}, 1, ("13", "12")),
    ],
    ids=["few items", "few groups", "many strata"],
)
def test_what_cannot_be_compared_is_refused_with_its_numbers(
    shares: dict[str, tuple[float, int]], per_group: int, facts: tuple[str, ...]
) -> None:
    pairs = compare(make_items(shares, per_group=per_group))
    assert pairs
    for pair in pairs:
        assert (pair.mean, pair.p, pair.clear) == (None, None, False)
        assert [fact for fact in facts if fact not in pair.refused] == []


def test_the_difference_of_two_means_is_that_of_welch() -> None:
    """scipy 1.16: stats.ttest_ind(a, b, equal_var=False) and its confidence_interval."""
    scipy_stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(5)
    values = {"a": random.normal(1, 1, 14), "b": random.normal(0, 3, 31)}
    a, b = (
        read_scores([ItemRow(f"{name}{at}", {"reward": float(x)}) for at, x in enumerate(side)], "reward")
        for name, side in values.items()
    )
    difference = compare_parts({0: a}, {0: b})
    assert difference is not None
    welch = scipy_stats.ttest_ind(values["a"], values["b"], equal_var=False)
    assert difference.mean == pytest.approx(values["a"].mean() - values["b"].mean())
    assert difference.claim.p == pytest.approx(welch.pvalue)
    ends = welch.confidence_interval(0.95)
    assert difference.claim.half_width == pytest.approx((ends.high - ends.low) / 2)


@pytest.mark.parametrize("shared", [False, True], ids=["groups of one stratum", "groups of both"])
def test_intervals_of_differences_hold_over_groups(shared: bool) -> None:
    """400 experiments of 12 groups of 6 items each, with strong effects of the groups and no difference."""
    covered = 0
    for number in range(400):
        random, rows = np.random.default_rng([9, number]), list[ItemRow]()
        effects = random.normal(size=24)
        for at in range(144):
            group = at // 6
            stratum = "xy"[at % 2] if shared else "xy"[group % 2]
            value = effects[group] + 0.3 * random.normal()
            rows.append(ItemRow(at, {"reward": float(value)}, f"g{group}", {}, stratum))
        sides = [{0: read_scores([row for row in rows if row.stratum == name], "reward")} for name in "xy"]
        difference = compare_parts(*sides)
        assert difference is not None
        covered += abs(difference.mean) <= difference.claim.half_width
    assert 0.92 <= covered / 400 <= 0.985


def test_a_report_names_what_is_clear_and_what_was_not_compared() -> None:
    rows = make_items({"x": (0.95, 60), "y": (0.3, 60), "z": (0.5, 4)})
    made, items = run(rows, "accuracy")
    spec = {"experiment": "data_scaling", "sizes": [8], "data": {"mine": {"source": "m.csv", "by": "site"}}}
    known = material("data_scaling", [made], spec=spec, items={"answers": items}, curves=())
    (clear,) = [pair for pair in list_facts(known)["strata_differences"] if pair["clear"]]
    assert (clear["one"], clear["other"], clear["column"], clear["refused"]) == ("x", "y", "site", "")
    for face in (render_html(compose(known), ""), render_markdown(compose(known))):
        assert re.search(rf"x is above y by {clear['mean']:.4f} \\?\({clear['low']:.4f} to {clear['high']:.4f}", face)
        assert "z has 4 items; 10 are needed" in face


def test_parts_whose_values_are_all_alike_up_to_rounding_leave_open_what_few_items_leave_open() -> None:
    """As two test sets that a model answers perfectly: the error is neither 0 nor undefined."""
    sides = []
    for name, count in (("a", 12), ("b", 13)):
        values = [0.3 if at % 2 else 0.1 + 0.2 for at in range(count)]
        sides.append({0: read_scores([ItemRow(f"{name}{at}", {"reward": x}) for at, x in enumerate(values)], "reward")})
    difference = compare_parts(*sides)
    assert difference is not None
    assert difference.mean == pytest.approx(0, abs=1e-15)
    assert difference.claim.half_width is not None
    assert 0 < difference.claim.half_width < 1
