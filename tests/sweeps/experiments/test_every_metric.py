"""Every metric that the registry knows has its direction, its interval and its place wherever one looks.

One sweep is planted for each: the untrained model, `sl`, and `rl`, which is better by a tenth, whichever way that is.
"""

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_report
from sweeps.analysis.tables import flatten_run, list_columns
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.registry import MEASURED_BY, METRICS
from sweeps.report.compose import compose, list_facts
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import render_markdown
from sweeps.report.tracker_runs import RunHistory, TrackedSweep, track_run
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import item_key

RANKED = [metric.name for metric in METRICS.values() if metric.better and not metric.fixed]
FACTS = [metric.name for metric in METRICS.values() if not metric.better or metric.fixed]
ITEMS, SEEDS = 60, range(3)
LEVELS: Mapping[str | None, int] = {None: 1, "sl": 2, "rl": 3}  # tenths above .5 of a metric that rises, else below .4
Values = Mapping[str, float]
RATIOS: Mapping[str, Callable[[float], Values]] = {  # what the items of a ratio tell, so that it has this value
    "nll": lambda value: {"nll": 10 * value, "tokens": 10},
    "bits_per_byte": lambda value: {"nll": 10 * value * math.log(2), "bytes": 10},
    "utilisation": lambda value: {"closed_book": 0.0, "open_book": value},
    "distractor_robustness": lambda value: {"open_book": 1.0, "mixed": value},
    "abstention_precision": lambda value: {"abstention": value, "silent": 1 - value},
    "task_completion": lambda value: {"solved": value},
    "preference_margin": lambda value: {"margin": value},
}
PREFERRED = {"preference_accuracy": ("margin",), "likelihood_accuracy": ("chosen", "rejected")}
CALIBRATED = ("ece", "adaptive_ece", "aurc", "selective_accuracy")  # about all items together
MANY = 600  # items of these: an error over all of them is less certain than a mean
LOSSES = ("nll", "bits_per_byte")  # each kind answers by them; `changes` is about everything else


def read_level(metric: str, method: str | None) -> float:
    tenths = LEVELS[method]
    return (5 + tenths if METRICS[metric].better == "higher" else 4 - tenths) / 10


def list_rows(metric: str) -> list[RunResult]:
    return [
        RunResult(
            {"method": method},
            seed,
            "succeeded",
            {metric: read_level(metric, method) + (seed - 1) / 500 * LEVELS[method]},
            stage=f"train-{method}-{seed}" if method else None,
        )
        for method in LEVELS
        for seed in (SEEDS if method else [1])
    ]


def list_items(metric: str, value: float) -> list[ItemRow]:
    """Sixty items whose metric is the value, or nearly."""
    if metric in PREFERRED:
        key, *_ = PREFERRED[metric]
        signs = [1.0 if item < value * ITEMS else -1.0 for item in range(ITEMS)]
        return [ItemRow(item, {key: sign, "rejected": 0.0}) for item, sign in enumerate(signs)]
    if metric in CALIBRATED:
        return list_confident(metric, value)
    tell = RATIOS.get(metric)
    values = [value + (item % 3 - 1) / 50 for item in range(ITEMS)]
    return [ItemRow(item, tell(own) if tell else {metric: own}) for item, own in enumerate(values)]


def list_confident(metric: str, value: float) -> list[ItemRow]:
    """Half of the items are right. Either the confidence is too high, or so many wrong ones are among the sure ones."""
    if metric in ("ece", "adaptive_ece"):
        return [ItemRow(item, {"confidence": 0.5 + value, "right": float(item % 2)}) for item in range(MANY)]
    wrong = (1 - value if metric == "selective_accuracy" else value) * MANY / 2
    return [
        ItemRow(item, {"confidence": 1 - item / 1000, "right": float(wrong <= item < MANY / 2 + wrong)})
        for item in range(MANY)
    ]


def plant(metric: str) -> Material:
    rows, measure = list_rows(metric), MEASURED_BY[metric]
    mode = {"lower": "min", "higher": "max"}[METRICS[metric].better or ""]
    spec: dict[str, Json] = {
        "experiment": "compare",
        "equal": {"tokens": 1000},
        "evaluate": [{"name": measure, "options": {}}],
        "metrics": [{"metric": metric, "mode": mode}],
    }
    items = {item_key(row.cell, row.seed): list_items(metric, row.metrics[metric]) for row in rows}
    return Material("night", "finished", spec, rows, items={measure: items})


@pytest.fixture(params=RANKED)
def planted(request: pytest.FixtureRequest) -> tuple[str, Material]:
    return request.param, plant(request.param)


def test_each_metric_is_concluded_from_by_its_direction_and_with_its_interval(planted: tuple[str, Material]) -> None:
    """By hand: three seeds that differ by .002 and by .004 around .1; of all items together, less the bias of noise."""
    metric, material = planted
    conclusion = json.loads(json.dumps(list_facts(material)["conclusion"]))
    assert (conclusion["claim"], conclusion["metric"], conclusion["against"]) == ("better", metric, "sl")
    assert conclusion["effect"] == pytest.approx(0.1, abs=0.02 if metric in CALIBRATED else 1e-7)
    assert 0 < conclusion["low"] < 0.1 < conclusion["high"] < 0.2
    assert f"rl has a better {metric} than sl, by {conclusion['effect']:.4f}" in conclusion["sentence"]


def test_each_metric_has_its_differences_and_its_change_in_json(planted: tuple[str, Material]) -> None:
    metric, material = planted
    facts: Any = json.loads(json.dumps(list_facts(material)))
    pairs = {
        (pair["one"], pair["other"]): pair["estimate"] for pair in facts["differences"] if pair["metric"] == metric
    }
    assert len(pairs) == 3
    assert all(estimate["low"] < estimate["mean"] < estimate["high"] for estimate in pairs.values())
    rises = METRICS[metric].better == "higher"
    assert (pairs["rl", None]["mean"] > 0) == rises
    changes = {change["cell"]["method"]: change for change in facts["changes"] if change["metric"] == metric}
    assert changes.keys() == (set() if metric in LOSSES else {"sl", "rl"})
    for change in changes.values():
        assert change["low"] <= change["mean"] <= change["high"]
        assert (change["mean"] > 0) == rises, change


def test_each_metric_stands_in_terminal_page_and_markdown(planted: tuple[str, Material]) -> None:
    metric, material = planted
    report, text = compose(material), io.StringIO()
    show_report(Output("table", Console(file=text, width=1000)), report)
    effect = report.conclusion.effect if report.conclusion else None
    sentence = f"rl has a better {metric} than sl, by {effect:.4f} (95 % interval"
    for face in (text.getvalue(), render_html(report, ""), render_markdown(report).replace("\\_", "_")):
        assert sentence in face.replace("\N{NO-BREAK SPACE}", " ")
        assert face.count(metric) >= (3 if metric in LOSSES else 4), "sentence, table, figure, change"


def test_each_metric_is_a_column_of_an_export_and_of_a_tracked_run(planted: tuple[str, Material]) -> None:
    metric, material = planted
    assert metric in list_columns(material.rows)
    for place, row in enumerate(material.rows):
        assert flatten_run(row)[metric] == row.metrics[metric]
        tracked = track_run(TrackedSweep("night", "", {}), RunHistory(place, row, [], "", 0, 0))
        assert tracked.summary[f"eval/{metric}"] == row.metrics[metric]


@pytest.mark.parametrize("metric", FACTS)
def test_what_is_neither_good_nor_bad_is_shown_and_not_concluded_from(metric: str) -> None:
    rows = [RunResult({"method": name}, seed, "succeeded", {metric: 0.5}) for name in ("sl", "rl") for seed in SEEDS]
    spec: dict[str, Json] = {"experiment": "compare", "metrics": [{"metric": metric, "mode": None}]}
    conclusion = list_facts(Material("night", "finished", spec, rows))["conclusion"]
    assert (conclusion["claim"], conclusion["caveats"]) == ("no_answer", ["no_direction"])
    assert metric in list_columns(rows)


def test_how_sure_a_model_is_and_how_often_right_stand_beside_an_error_of_calibration() -> None:
    """The error alone has no direction. Of written answers nothing is said: a long text is improbable anyway."""
    material = plant("ece")
    levels = [f"{method or 'untrained'} {0.5 + read_level('ece', method):.2f} and 0.50" for method in LEVELS]
    assert not any(level in render_markdown(compose(material)) for level in levels)
    (measure, rows), *_ = material.items.items()
    chosen = {key: [ItemRow(row.item, {**row.values, "chance": 0.5}) for row in kept] for key, kept in rows.items()}
    page = render_markdown(compose(replace(material, items={measure: chosen})))
    assert [level for level in levels if level in page] == levels
