"""Answers about the metrics that a file names, first to last, in every kind; and what a grid changed of its base."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sweeps.analysis.targets import name_cells
from sweeps.evaluation.item_rows import ItemRow
from sweeps.report.compose import list_facts
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key
from tests.sweeps.questions import ACTING, HEAD, planned
from tests.sweeps.reports import conclude, list_rows, scaling_rows
from tests.wording import lacks

TRADES = {  # drawdown, pnl of three seeds
    4: [(0.10, 1.0), (0.12, 1.1), (0.11, 0.9)],
    8: [(0.20, 3.0), (0.22, 3.2), (0.21, 2.9)],
}
BASE = (0.30, -1.0)
SPEC: dict[str, Json] = {
    "experiment": "grid",
    "metrics": [{"metric": "episode.drawdown", "mode": "min"}, {"metric": "episode.pnl", "mode": "max"}],
    "evaluate": [{"name": "task_completion", "options": {"environment": "offline:market"}}],
}


def facts(spec: Mapping[str, Json], rows: list[RunResult], items: Mapping[str, Items] | None = None) -> Any:
    """What programs are given, through JSON."""
    return json.loads(json.dumps(list_facts(Material("s", "finished", spec, rows, items=items or {}))))


def trade(cell: Mapping[str, Json], seed: int, drawdown: float, pnl: float) -> RunResult:
    metrics = {"episode.drawdown": drawdown, "episode.pnl": pnl, "reward": pnl, "turns": 4.0}
    return RunResult(cell, seed, "succeeded", metrics, stage=None if cell.get("untrained") else f"train-{cell}-{seed}")


def grid() -> list[RunResult]:
    rows = [
        trade({"train.rank": rank}, seed, *values) for rank, runs in TRADES.items() for seed, values in enumerate(runs)
    ]
    return [*rows, trade({"untrained": True}, 0, *BASE)]


def items() -> dict[str, Items]:
    """Forty episodes of each run, which differ by less than a thousandth."""
    return {
        "task_completion": {
            item_key(row.cell, row.seed): [
                ItemRow(
                    task,
                    {
                        "drawdown": row.metrics["episode.drawdown"] + (task % 3 - 1) / 1000,
                        "pnl": row.metrics["episode.pnl"] + (task % 3 - 1) / 1000,
                        "reward": row.metrics["reward"],
                        "turns": 4.0,
                    },
                )
                for task in range(60)
            ]
            for row in grid()
        }
    }


def test_a_grid_names_the_best_cell_by_each_metric_of_the_list() -> None:
    best = facts(SPEC, grid(), items())["best"]
    assert [(chosen["metric"], chosen["best"]["cell"]) for chosen in best] == [
        ("episode.drawdown", {"train.rank": 4}),
        ("episode.pnl", {"train.rank": 8}),
    ]
    report = conclude(SPEC, grid(), items())
    assert lacks(report.answer[0], "episode.drawdown rank=4 0.1100") == []
    assert lacks(report.answer[1], "episode.pnl rank=8 3.0333") == []


@pytest.mark.parametrize("first", ["episode.drawdown", "validation.episode.drawdown"])
def test_a_grid_that_also_says_best_answers_each_metric_by_its_own_values(first: str) -> None:
    spec: dict[str, Json] = {**SPEC, "best": {"metric": first, "mode": "min"}}
    known, report = facts(spec, grid(), items())["best"], conclude(spec, grid(), items())
    assert [chosen["metric"] for chosen in known] == ["episode.drawdown", "episode.pnl"]
    winners = [row for row in list_rows(report, "clearly worse") if row["clearly worse"].value == "best"]
    for chosen, sentence, winner in zip(known, report.answer, winners, strict=True):
        assert winner[chosen["metric"]].value == pytest.approx(chosen["best"]["held_out"]["mean"])
        assert winner["train.rank"].value == chosen["best"]["cell"]["train.rank"]
        assert lacks(sentence, f"{chosen['metric']} {chosen['best']['held_out']['mean']:.4f}") == []


def test_a_grid_says_what_training_changed_against_the_untrained_model() -> None:
    """By hand: .11 less .30, ± 4.303 · .01 / √3."""
    (drawdown, pnl) = (chosen["untrained"] for chosen in facts(SPEC, grid(), items())["best"])
    assert (drawdown["before"], drawdown["change"]["mean"]) == (0.3, pytest.approx(-0.19))
    assert drawdown["change"]["high"] - drawdown["change"]["mean"] == pytest.approx(4.3027 * 0.01 / 3**0.5, rel=1e-3)
    assert drawdown["clear"]
    assert (pnl["before"], pnl["change"]["mean"]) == (-1.0, pytest.approx(3.0333 + 1, abs=1e-3))
    assert lacks(conclude(SPEC, grid(), items()).answer[0], "episode.drawdown 0.3000 −0.1900 ± 0.0248") == []


def test_an_untrained_model_does_not_compete() -> None:
    rows = [*grid()[:-1], trade({"untrained": True}, 0, 0.0, 9.0)]
    best = facts(SPEC, rows, items())["best"]
    assert [chosen["best"]["cell"] for chosen in best] == [{"train.rank": 4}, {"train.rank": 8}]
    assert best[0]["best"]["runs"]["measured"] == 3
    conclusion = conclude(SPEC, rows).conclusion
    assert conclusion
    assert (conclusion.claim, conclusion.against) == ("worse", "untrained")
    ranked = [row for row in list_rows(conclude(SPEC, rows), "clearly worse") if row["train.rank"].text != "untrained"]
    assert len(ranked) == 4, "two cells by two metrics"


def test_a_metric_without_a_known_direction_is_shown_and_ranks_nothing() -> None:
    spec: dict[str, Json] = {**SPEC, "metrics": [{"metric": "episode.pnl"}]}
    assert facts(spec, grid())["best"] == []
    (sentence,) = conclude(spec, grid()).answer
    assert lacks(sentence, "episode.pnl 1.0000 3.0333 min max") == []
    shown = [row["episode.pnl"].value for row in list_rows(conclude(spec, grid()), "episode.pnl")]
    assert shown == pytest.approx([1.0, 3.0333], abs=1e-4)


def test_methods_are_compared_by_each_metric_of_the_list() -> None:
    rows = [trade({"method": None}, 0, *BASE)]
    for name, runs in TRADES.items():
        rows += [trade({"method": f"m{name}"}, seed, *values) for seed, values in enumerate(runs)]
    spec: dict[str, Json] = {**SPEC, "experiment": "compare", "equal": {"tokens": 1000}}
    report = conclude(spec, rows)
    assert [lacks(report.answer[0], "m4 episode.drawdown"), lacks(report.answer[1], "m8 episode.pnl")] == [[], []]
    assert {difference["metric"] for difference in facts(spec, rows)["differences"]} == {
        "episode.drawdown",
        "episode.pnl",
    }
    undirected: dict[str, Json] = {**spec, "metrics": [{"metric": "turns"}]}
    assert lacks(conclude(undirected, rows).answer[0], "turns untrained m4 m8 4.0000 min max") == []


def test_sizes_are_answered_by_each_metric_and_the_target_by_its_own() -> None:
    rows = [
        RunResult(row.cell, row.seed, row.state, {**row.metrics, "ece": 0.5 - row.metrics["nll"] / 10})
        for row in scaling_rows(top=512)
    ]
    spec: dict[str, Json] = {
        "experiment": "data_scaling",
        "metrics": [{"metric": "ece"}, {"metric": "nll"}],
        "target": {"metric": "nll", "below": 2.0},
    }
    fits = facts(spec, rows)["fits"]
    assert list(dict.fromkeys(fit["metric"] for fit in fits)) == ["ece", "nll"]
    assert fits[0]["law"] is None
    assert lacks(fits[0]["refused"], "ece law") == [], "no law of calibration errors is known"
    assert fits[1]["minimum_data"]["target"] == 2.0
    first, second = conclude(spec, rows).answer
    assert lacks(first, "code ece 512 0.2100") == [], "the largest size, and the untrained 0.21"
    assert lacks(second, "code nll 2") == []


def test_a_transfer_is_answered_by_a_metric_that_rises() -> None:
    rows = []
    for source, target, gain in ((None, "a", 0.0), (None, "b", 0.0), ("a", "b", 0.1), ("b", "a", -0.1)):
        for seed in range(3):
            cell: dict[str, Json] = {"source": source, "target": target, "size": 32}
            rows.append(RunResult(cell, seed, "succeeded", {"accuracy": 0.5 + gain + seed / 1000}))
    spec: dict[str, Json] = {"experiment": "transfer", "metrics": [{"metric": "accuracy"}]}
    (matrix,) = facts(spec, rows)["transfer"]
    assert matrix["metric"] == "accuracy"
    gains = {(cell["source"], cell["target"]): cell for cell in matrix["cells"]}
    assert (gains["a", "b"]["verdict"], gains["b", "a"]["verdict"]) == ("helps", "hurts")
    assert gains["a", "b"]["gain"]["mean"] == pytest.approx(0.1)
    sentences = " ".join(conclude(spec, rows).lines)
    assert lacks(sentences, "a b helps hurts accuracy") == []
    assert "nats" not in sentences


def test_a_plan_of_a_grid_measures_each_model_and_data_set_once_untrained() -> None:
    varied = ["vary.train.rank=[4, 8]", "vary.model=[offline/ngram-s, offline/ngram-m]", "data.b={source: b}"]
    plan = planned(HEAD, *varied, "data.a.validation=5", "best={metric: nll, mode: min}")
    base = [run for run in plan.runs if run.cell.get("untrained")]
    assert [dict(run.cell) for run in base] == [
        {"model": model, "data": data, "untrained": True}
        for model in ("offline/ngram-s", "offline/ngram-m")
        for data in ("a", "b")
    ]
    assert {(run.stage, run.seed, tuple(run.measures)) for run in base} == {(None, 0, ("nll",))}, "not on `validation`"
    stages = {stage.id: stage for stage in plan.stages}
    priced = [stages[stage] for run in base for stage in run.measures.values()]
    assert len({stage.id for stage in priced}) == 4
    assert all(stage.parents == () and stage.micro_usd for stage in priced)
    (note,) = (note for note in plan.notes if note.startswith("untrained"))
    assert lacks(note, "4") == []
    assert list(plan.runs[-4:]) == base, "runs of a sweep that was submitted before keep their numbers"
    assert len([run for run in planned(ACTING).runs if run.cell.get("untrained")]) == 1, "by acting, without data"


def test_an_excluded_data_set_or_model_is_not_measured_untrained() -> None:
    plan = planned(HEAD, "vary.model=[offline/ngram-s, offline/ngram-m]", "exclude=[{model: offline/ngram-m}]")
    assert [dict(run.cell) for run in plan.runs if run.cell.get("untrained")] == [
        {"model": "offline/ngram-s", "untrained": True}
    ]


def test_a_base_model_is_called_untrained_in_figures_and_tables() -> None:
    cells: list[dict[str, Json]] = [{"train.rank": 4, "model": "m"}, {"model": "m", "untrained": True}]
    assert name_cells(cells) == ["rank=4", "untrained"]
