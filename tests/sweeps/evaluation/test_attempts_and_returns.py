"""What several attempts at a task, and the returns of all episodes together, say; each item keeps its part."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sweeps import RunResult, item_key
from sweeps.analysis.change_estimate import change
from sweeps.evaluation.episode_evaluator import PlayedEpisode
from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.registry import choose_direction, find_measure, find_metric
from sweeps.evaluation.task_completion import OF_ATTEMPTS, OF_RETURNS, TASK_COMPLETION
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.metrics import trading
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey
from tests.sweeps.reports import material


def measure(tasks: Sequence[int], facts: Sequence[dict[str, float]]) -> Measured:
    episodes = [PlayedEpisode(task, 0.0, 1, numbers, "") for task, numbers in zip(tasks, facts, strict=True)]
    return TASK_COMPLETION.measure(episodes, {})


def test_pass_at_k_and_pass_hat_k_by_hand() -> None:
    """Task 0: both; task 1: one of two; task 2: none; task 3: both."""
    solved = [1, 1, 0, 1, 0, 0, 1, 1]
    measured = measure([0, 0, 1, 1, 2, 2, 3, 3], [{"solved": float(success)} for success in solved])
    metrics = [measured.metrics[name] for name in ("task_completion", *OF_ATTEMPTS)]
    assert metrics == [5 / 8, 3 / 4, 2 / 4]
    assert [row.values["task_pass_hat_k"] for row in measured.rows] == [1, 1, 0, 0, 0, 0, 1, 1]
    assert not {*OF_ATTEMPTS} & {*measure([0, 1], [{"solved": 1.0}] * 2).metrics}
    for attempts, announced in ((1, False), (4, True)):
        listed = TASK_COMPLETION.list_metrics({"attempts": attempts})
        assert ({*OF_ATTEMPTS} <= {*listed}) is announced


def test_returns_of_the_episodes_that_tell_one() -> None:
    returns = np.random.default_rng(0).normal(0.01, 0.05, 40).tolist()
    measured = measure(range(41), [{"return": value} for value in returns] + [{"error": 1.0}])
    assert measured.metrics["return_sharpe"] == pytest.approx(trading.sharpe(returns))
    assert measured.metrics["return_sortino"] == pytest.approx(trading.sortino(returns))
    assert measured.metrics["return_cvar"] == pytest.approx(np.sort(returns)[:2].mean())
    assert measured.metrics["episode.return"] == pytest.approx(np.mean(returns))
    assert not {*OF_RETURNS} & {*measured.rows[40].values}
    assert "return_sharpe" not in measure([0, 1], [{"return": 0.1}] * 2).metrics, "no spread, no ratio"


@pytest.mark.parametrize("metric", [*OF_ATTEMPTS, *OF_RETURNS])
def test_it_is_known_what_measures_it_and_which_way_is_better(metric: str) -> None:
    known: Any = find_metric(f"source.{metric}")
    assert (find_measure(f"source.{metric}"), choose_direction(metric)) == ("source.task_completion", "higher")
    assert (known.span == (0, 1)) is (metric in OF_ATTEMPTS)
    assert (known.span == (-math.inf, math.inf)) is (metric in OF_RETURNS)


def test_a_change_of_a_sharpe_ratio_has_an_interval() -> None:
    def play(mean: float, seed: int) -> Measured:
        random = np.random.default_rng([7, seed])
        return measure(range(200), [{"return": value} for value in (mean + random.normal(0, 0.05, 200)).tolist()])

    sides = [{seed: play(mean, seed).rows for seed in range(3)} for mean in (0.0, 0.05)]
    difference = change(sides[0], sides[1], metric="return_sharpe")
    assert difference is not None
    assert difference.clear
    assert difference.low < 1 < difference.high, "the mean is one deviation higher"


def test_the_best_of_many_cells_is_deflated_by_their_number() -> None:
    """Nine cells without skill: their best is not clearly beyond luck; one with skill is."""

    def play(best: float) -> Material:
        rows, items = list[RunResult](), dict[ItemKey, Sequence[ItemRow]]()
        for number in range(9):
            random = np.random.default_rng([3, number])
            returns = random.normal(best if number == 4 else 0.0, 0.05, 100)
            measured = measure(range(100), [{"return": value} for value in returns.tolist()])
            cell: dict[str, Json] = {"train.rank": number}
            rows.append(RunResult(cell, 0, "succeeded", measured.metrics))
            items[item_key(cell, 0)] = measured.rows
        spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": "return_sharpe", "mode": "max"}}
        return material("grid", rows, spec=spec, items={"task_completion": items}, curves=())

    def deflate(known: Material) -> Any:
        (facts,) = list_facts(known)["best"]
        assert f"{facts['deflated_sharpe']['by_luck']:.4f}" in compose_answer(known).answer[0]
        return facts["deflated_sharpe"]

    lucky, skilled = deflate(play(0.0)), deflate(play(0.05))
    assert (lucky["cells"], lucky["episodes"]) == (9, 100)
    assert lucky["probability"] < 0.8
    assert skilled["probability"] > 0.99


@pytest.mark.parametrize(("skill", "is_luck"), [(0.0, True), (0.05, False)])
def test_the_best_of_many_methods_is_deflated_by_their_number(skill: float, is_luck: bool) -> None:
    """Five methods without skill: the leader may be luck; one with skill is not. The untrained model is no trial."""
    rows, items = list[RunResult](), dict[ItemKey, Sequence[ItemRow]]()
    for number, method in enumerate([None, "a", "b", "c", "d", "skilled"]):
        for seed in range(6):
            random = np.random.default_rng([5, number, seed])
            returns = random.normal(skill if method == "skilled" else 0.0, 0.05, 100)
            measured = measure(range(100), [{"return": value} for value in returns.tolist()])
            cell: dict[str, Json] = {"method": method}
            rows.append(RunResult(cell, seed, "succeeded", measured.metrics))
            items[item_key(cell, seed)] = measured.rows
    spec: dict[str, Json] = {"experiment": "compare", "metrics": [{"metric": "return_sharpe", "mode": "max"}]}
    known = material("compare", rows, spec=spec, items={"task_completion": items}, curves=())
    conclusion = conclude_sweep(known)
    assert (conclusion.claim != "better", "may_be_luck" in conclusion.caveats) == (is_luck, is_luck), conclusion
    pairs = list_facts(known)["differences"]
    deflated = {pair[side]: pair["deflated_sharpe"][side] for pair in pairs for side in ("one", "other")}
    assert deflated.pop(None) is None
    assert {(ratio["cells"], ratio["episodes"]) for ratio in deflated.values()} == {(5, 100)}
    most = max(ratio["probability"] for ratio in deflated.values())
    assert ("probability >.999" if most > 0.999 else f"{most:.3f}") in compose_answer(known).answer[0]
    assert all(ratio["probability"] < 0.95 for name, ratio in deflated.items() if name != "skilled")
    assert (deflated["skilled"]["probability"] > 0.95) is not is_luck


def test_ratios_of_rag_change_with_an_interval() -> None:
    """Abstentions that are right: 10 of 40 before, 30 of 40 after; never abstaining has no precision."""

    def answer(rightly: int, wrongly: int) -> list[ItemRow]:
        return [
            ItemRow(item, {"open_book": 1.0, "silent": float(item < wrongly), "abstention": float(item < rightly)})
            for item in range(50)
        ]

    difference = change({0: answer(10, 30)}, {0: answer(30, 10)}, metric="abstention_precision")
    assert difference is not None
    assert [difference.before, difference.after] == pytest.approx([0.25, 0.75])
    assert 0 < difference.low < 0.5 < difference.high < 1
    assert change({0: answer(0, 0)}, {0: answer(30, 10)}, metric="abstention_precision") is None
