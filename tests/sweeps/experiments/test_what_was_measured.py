"""What was measured is told: of a data set without a target, and around the size that a curve says."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from sweeps import RunResult
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.scaling_parts import WORDS
from sweeps.figures.charts import LineChart
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.document import Paragraph, Section
from sweeps.report.inputs import Material
from sweeps.stage import Json, LeftOut
from tests.sweeps.reports import list_rows

SEEDS = range(3)
SIZES = (8, 16, 32, 64, 128)
SHOP: dict[str, Json] = {
    "experiment": "data_scaling",
    "metrics": [{"metric": "macro_f1"}, {"metric": "ndcg"}],
    "target": {"metric": "macro_f1", "above": 0.55},
}
CURVE = {size: 1 - (1 + size / 30) ** -0.8 for size in SIZES}  # .44 at 32, .59 at 64
BENT = {8: 0.30, 16: 0.42, 32: 0.58, 64: 0.80, 128: 0.92}  # slower at first and faster then than the law can be


def measure(
    data: str, values: Mapping[int, float], metric: str, *, sd: float, state: str = "succeeded"
) -> list[RunResult]:
    chance = np.random.default_rng(len(data))
    return [
        RunResult({"data": data, "size": size}, seed, state, {metric: value + chance.normal(0, sd) if size else value})
        for size, value in values.items()
        for seed in (SEEDS if size else [0])
    ]


def list_values(rows: list[RunResult], size: int, metric: str) -> list[float]:
    return [row.metrics[metric] for row in rows if row.cell["size"] == size]


def list_paragraphs(sections: tuple[Section, ...]) -> list[str]:
    return [part.text for section in sections for part in section.parts if isinstance(part, Paragraph)]


@pytest.mark.parametrize("listed_first", ["listings", "searches"])
def test_a_data_set_that_cannot_give_the_metric_is_told_by_what_it_gives(listed_first: str) -> None:
    searches = measure("searches", {0: 0.582, **CURVE}, "ndcg", sd=0.01)
    listings = measure("listings", {0: 0.1, **CURVE}, "macro_f1", sd=0.01)
    rows = [*searches, *listings] if listed_first == "searches" else [*listings, *searches]
    omission = LeftOut("answers", "searches", "they are no classification", "no_classes", ("macro_f1",))
    planted = Material("shop", "finished", SHOP, rows, left_out=[omission])
    conclusion = conclude_sweep(planted)
    claims = {claim.subject: claim for claim in (conclusion, *conclusion.others)}
    claim, values = claims["searches"], list_values(searches, 128, "ndcg")
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (claim.claim, claim.metric) == ("without_target", "ndcg")
    assert (claim.effect, claim.low, claim.high) == pytest.approx((np.mean(values), low, min(high, 1)))
    assert {"0.5820", "128"} <= {*re.findall(r"\d+\.?\d*", claim.sentence)}
    assert "no_classes" not in claim.caveats
    assert claims["listings"].claim == "minimum_data"
    assert conclusion.more == 0, "each data set gives one metric, and both are told"
    report = compose_answer(planted)
    assert report.notices == (), "what is told instead is no limit"
    assert not any("searches" in line for line in report.answer), "it is told once"


def test_what_is_still_to_be_measured_is_waited_for_and_not_replaced() -> None:
    waiting = measure("searches", CURVE, "ndcg", sd=0.01, state="running")
    rows = [*measure("listings", CURVE, "macro_f1", sd=0.01), *waiting]
    claims = conclude_sweep(Material("shop", "running", SHOP, rows)).others
    assert [claim.claim for claim in claims] == ["nothing_measured"]


def find_conclusion(
    values: Mapping[int, float], sd: float, goal: float = 0.55
) -> tuple[Conclusion, list[RunResult], Material]:
    rows = measure("code", values, "pass_at_k", sd=sd)
    spec: dict[str, Json] = {"experiment": "data_scaling", "target": {"metric": "pass_at_k", "above": goal}}
    planted = Material("around", "finished", spec, rows)
    return conclude_sweep(planted), rows, planted


def test_the_measured_sizes_around_an_answer_stand_beside_it_with_their_intervals() -> None:
    conclusion, rows, planted = find_conclusion(CURVE, 0.02)
    assert conclusion.claim == "minimum_data"
    assert "seeds_contradict" not in conclusion.caveats
    assert [(known.size, known.reaches) for known in conclusion.around] == [(32, False), (64, True)]
    for known in conclusion.around:
        values = list_values(rows, int(known.size), "pass_at_k")
        ends = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert (known.low, known.high) == pytest.approx((max(0, ends[0]), min(1, ends[1])))
        assert f"{np.mean(values):.4f}" in conclusion.sentence
    assert conclusion.sentence.index(f"{conclusion.effect:.0f} rows") < conclusion.sentence.index("32 rows")
    measured = list_facts(planted)["fits"][0]["measured"]
    assert [(row["size"], row["reaches"]) for row in measured] == [(size, size >= 64) for size in SIZES]


def test_where_the_seeds_contradict_the_curve_what_was_measured_leads() -> None:
    conclusion, _, planted = find_conclusion(BENT, 0.03, 0.7)
    assert conclusion.claim == "minimum_data"
    assert "seeds_contradict" in conclusion.caveats
    lower, upper = conclusion.around
    assert (lower.size, upper.size) == (32, 64)
    numbers = [float(number) for number in re.findall(r"\d+\.?\d*", conclusion.sentence)]
    assert numbers.index(32) < numbers.index(64) < numbers.index(round(conclusion.effect or 0)), "the curve is second"
    words = list_paragraphs(compose_answer(planted).findings)
    assert any("a size between 32 and 64" in text for text in words), "it names what would tell more"


def test_no_axis_has_two_units_and_nothing_is_drawn_without_a_point() -> None:
    spec: dict[str, Json] = {**SHOP, "data": {"listings": {"group": "product"}, "queries": {}, "searches": {}}}
    rows = [row for name in ("listings", "queries") for row in measure(name, CURVE, "macro_f1", sd=0.01)]
    planted = Material("shop", "finished", spec, [*rows, *measure("searches", CURVE, "ndcg", sd=0.01)])
    charts = [figure.chart for figure in compose_answer(planted).figures]
    lines = [
        (chart.words.name, [line.name for line in chart.lines]) for chart in charts if isinstance(chart, LineChart)
    ]
    assert [names for _, names in lines] == [["listings"], ["queries"], ["searches"]]
    assert len({name for name, _ in lines}) == 3, "each has a file of its own"


def test_what_is_said_of_a_curve_names_its_metric() -> None:
    _, _, planted = find_conclusion(BENT, 0.03, 0.7)
    (fit,) = list_facts(planted)["fits"]
    assert any("pass_at_k" in warning for warning in fit["warnings"])
    assert not any("accuracy" in warning for warning in fit["warnings"])


def test_an_answer_within_the_sizes_and_an_interval_beyond_are_one_statement() -> None:
    goal = CURVE[64] + 0.06
    _, _, planted = find_conclusion(CURVE, 0.06, goal)
    (row, *_) = list_rows(compose_answer(planted), "law")
    least = list_facts(planted)["fits"][0]["minimum_data"]
    assert (least["status"], least["high"] is None or least["high"] > 128) == ("interpolated", True)
    assert row["status"].value != WORDS["interpolated"], "that alone would deny its interval"
