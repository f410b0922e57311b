"""No interval that is told goes beyond what a metric, or a difference of two of its values, can be."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.analysis.across_sweeps import join_sweeps
from sweeps.analysis.change_estimate import change
from sweeps.analysis.comparison import compare
from sweeps.analysis.grid_cells import best_cell
from sweeps.analysis.seed_estimates import estimate_difference, estimate_level
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.contrast_table import Contrast, list_contrast_rows
from sweeps.formatting import format_interval
from sweeps.metrics.ranges import ANY, find_difference_range, find_range
from sweeps.report.changes_section import show_change
from sweeps.report.table_cells import format_estimate
from sweeps.results import RunResult
from sweeps.stats.intervals import Estimate, estimate_paired
from sweeps.stats.paired_items import compare_items, read_scores

SHARES = ["accuracy", "ece"]


def runs(metric: str, **values: tuple[float, ...]) -> list[RunResult]:
    return [
        RunResult({"method": name}, seed, "succeeded", {metric: value})
        for name, scores in values.items()
        for seed, value in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("metric", "span"),
    [
        ("accuracy", (0, 1)), ("source.accuracy", (0, 1)), ("validation.ece", (0, 1)), ("d.pass_at_k", (0, 1)),
        ("brier", (0, 1)),
        ("cut_answers", (0, 1)), ("unchecked_rag", (0, 1)), ("task_completion", (0, 1)), ("nll", (0, math.inf)),
        ("bits_per_byte", (0, math.inf)), ("semantic_entropy", (0, math.inf)), ("uplift", (-1, 1)),
        ("utilisation", (-math.inf, 1)), ("reward", (-math.inf, math.inf)), ("episode.return", (-math.inf, math.inf)),
        ("episode.accuracy", (-math.inf, math.inf)), ("a_metric_of_mine", (-math.inf, math.inf)),
    ],
)  # fmt: skip
def test_what_a_metric_can_be(metric: str, span: tuple[float, float]) -> None:
    assert find_range(metric) == span
    low, high = span
    assert find_difference_range(metric) == (low - high, high - low)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]), min_size=2, max_size=4), st.sampled_from(SHARES))
def test_of_shares_every_interval_is_of_shares(values: list[float], metric: str) -> None:
    comparison = compare(runs(metric, one=tuple(values), other=tuple(reversed(values))), metric=metric)
    estimates: list[Estimate | None] = [contestant.estimate for contestant in comparison.contestants]
    estimates += [difference.estimate for difference in comparison.differences]
    best = best_cell(runs(metric, one=tuple(values), other=tuple(values[::-1])), metric=metric, mode="max")
    estimates += [estimate for cell in best.cells for estimate in (cell.chosen_by, cell.held_out, cell.behind)]
    estimates += [estimate for axis in best.axes for estimate in (axis.mean, axis.effect)]
    for estimate in estimates:
        if estimate is not None and estimate.ends is not None:
            assert estimate.span != ANY
            assert estimate.span[0] <= estimate.ends.low <= estimate.mean <= estimate.ends.high <= estimate.span[1]


def test_it_is_told_by_its_ends_where_it_would_go_beyond() -> None:
    wide = estimate_paired([0.9, 0.1], span=(-1, 1))
    assert wide.half_width is not None
    assert wide.mean + wide.half_width > 1
    assert format_interval(wide, 3, signed=True) == "+0.500 (-1.000 to +1.000)"
    assert format_estimate(wide, 2) == "0.50 (−1.00 to 1.00)"
    assert format_interval(Estimate(0.5, 0.25, 3, (-1, 1)), 3, signed=True) == "+0.500 ±0.250"
    assert format_interval(Estimate(2.5, 3.0, 3, (0, math.inf)), 1) == "2.5 (0.0 to 5.5)"
    assert format_interval(Estimate(0.5, 9.0, 3), 1) == "0.5 ±9.0"
    assert Estimate(0.5, 0.808, 3, (-1, 1)).document() == pytest.approx(
        {"mean": 0.5, "half_width": 0.808, "seeds": 3, "low": -0.308, "high": 1.0}
    )
    level = estimate_level({0: 0.85, 1: 0.95, 2: 1.05}, "accuracy", 0.1)
    assert level
    assert format_estimate(level) == "0.9500 (0.7016 to 1.0000)"


def test_differences_between_sweeps_item_by_item_and_by_training_end_there_too() -> None:
    before, after = ({seed: rows(seed, side) for seed in range(2)} for side in (0, 1))
    difference = change(before, after, metric="accuracy")
    assert difference
    assert (difference.high, show_change(difference)["95 % interval"].text.rpartition(" ")[2]) == (1.0, "+1.000")
    pair = compare_items(*({s: read_scores(rows, "accuracy") for s, rows in side.items()} for side in (after, before)))
    assert pair
    judged = estimate_difference([0.7, 1.0], find_difference_range("accuracy"), 0.1, pair)
    (row,) = list_contrast_rows("accuracy", [Contrast("it", judged.estimate, "no", judged.covers, None, pair)])
    assert judged.estimate.ends
    assert judged.estimate.ends.high == 1
    assert row["checkpoints"].text.rstrip("*").endswith("to +1.0000")
    both = {"a": runs("accuracy", one=(0.0, 0.3)), "b": runs("accuracy", one=(0.9, 1.0))}
    ends = join_sweeps(both)[0].differences["accuracy"]["b"].ends
    assert ends
    assert ends.high == 1


def rows(seed: int, side: int) -> list[ItemRow]:
    return [ItemRow(item, {"accuracy": float(side and (item > 0 or seed > 0))}) for item in range(4)]
