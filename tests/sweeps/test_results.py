"""The seeds of a cell become one line, and nothing that did not finish or diverged hides in its mean."""

import math
import statistics

from sweeps.results import Moments, RunResult, group_by_cell, summarize_cells


def run(size: int, seed: int, nll: float, state: str = "succeeded") -> RunResult:
    return RunResult({"data": "code", "size": size}, seed, state, {"nll": nll})


def test_a_cell_is_its_mean_and_variance_over_seeds() -> None:
    runs = [run(8, 0, 2.0), run(16, 0, 1.0), run(8, 1, 3.0), run(8, 2, 2.5)]
    small, large = summarize_cells(runs)
    assert small.cell == {"data": "code", "size": 8}
    assert small.metrics["nll"] == Moments(3, 2.5, statistics.variance([2.0, 3.0, 2.5]), 0)
    assert large.metrics["nll"] == Moments(1, 1.0, None, 0)


def test_key_order_does_not_make_another_cell() -> None:
    assert (
        len(summarize_cells([RunResult({"a": 1, "b": 2}, 0, "succeeded"), RunResult({"b": 2, "a": 1}, 1, "succeeded")]))
        == 1
    )


def test_failed_runs_are_left_out_and_diverged_ones_are_counted() -> None:
    (cell,) = summarize_cells(
        [run(8, 0, 2.0), run(8, 1, math.nan), RunResult({"data": "code", "size": 8}, 2, "failed")]
    )
    assert (cell.count, cell.metrics["nll"]) == (2, Moments(1, 2.0, None, 1))
    (empty,) = summarize_cells([run(8, 0, math.inf)])
    assert (empty.count, dict(empty.metrics)) == (1, {})


def test_what_one_evaluation_measured_counts_where_another_failed_or_is_to_come() -> None:
    (cell,) = summarize_cells([run(8, 0, 2.0), run(8, 1, 3.0, "failed"), run(8, 2, 4.0, "running")])
    assert cell.metrics["nll"] == Moments(3, 3.0, 1.0, 0)


def test_runs_are_grouped_by_what_is_left_of_the_cell() -> None:
    runs = [run(8, 0, 2.0), run(16, 0, 1.0)]
    ((variant, members),) = group_by_cell(runs, without={"size"})
    assert (variant, members) == ({"data": "code"}, runs)
