"""What the answer of each kind of experiment holds: what was found, what would settle it, what is missing."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from sweeps.analysis.transfer.transfer_gains import transfer_matrix
from sweeps.report.compose import list_facts
from sweeps.report.document import Report
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.scaling.fit import fit_scaling
from sweeps.stage import Json
from tests.sweeps.reports import conclude, list_rows, list_warnings, scaling_rows

COMPARE: dict[str, Json] = {
    "experiment": "compare",
    "equal": {"tokens": 1000},
    "best": {"metric": "nll", "mode": "min"},
}


def run(cell: Mapping[str, Json], seed: int, **metrics: float) -> RunResult:
    return RunResult(cell, seed, "succeeded" if metrics else "failed", metrics)


def transfer(seeds: int = 3, *, there: float = 2.0, back: float = 0.7) -> list[RunResult]:
    """From a to b the target's data count so many times, and from b to a."""
    random = np.random.default_rng(1)
    rows = []
    for source, target, times in ((None, "a", 1), (None, "b", 1), ("a", "b", there), ("b", "a", back)):
        for size in (32, 64, 128):
            for seed in range(seeds):
                nll = 3 - 0.2 * math.log(size * times) + random.normal(0, 0.001)
                rows.append(run({"source": source, "target": target, "size": size}, seed, nll=nll))
    return rows


def facts(spec: Mapping[str, Json], rows: list[RunResult]) -> Any:
    """What programs are given, through JSON."""
    return json.loads(json.dumps(list_facts(Material("s", "finished", spec, rows))))


def test_a_transfer_is_told_in_examples_and_in_both_directions() -> None:
    rows = [*transfer(), run({"source": "a", "target": "b", "size": 32}, 3)]
    report = conclude({"experiment": "transfer"}, rows)
    (worth,) = (row for row in list_rows(report, "n = 32") if row["pair"].text == "a → b")
    assert [worth[f"n = {size}"].value for size in (32, 64)] == pytest.approx([2, 2], rel=0.05)
    assert worth["n = 128"].text.startswith("> ×1 (")
    (mean,) = (row["mean gain"] for row in list_rows(report, "mean gain") if row["pair"].text == "a → b")
    assert mean.value == pytest.approx(0.2 * math.log(2), abs=0.005)
    assert mean.text.endswith("▲*")
    (asymmetry,) = list_asymmetries(report)
    assert "a helps b, while b hurts a:" in asymmetry
    assert any("1 of 37 runs" in text and "1 failed" in text for text in list_warnings(report))


def test_a_gain_that_is_not_clear_has_no_multiple() -> None:
    """Noise of .001 beside a gain of nothing: what it reads as a multiple is chance."""
    rows = list_rows(conclude({"experiment": "transfer"}, transfer(there=2.0, back=1.0)), "n = 32")
    multiples = {row["pair"].text: [row[f"n = {size}"] for size in (32, 64, 128)] for row in rows}
    assert [cell.value for cell in multiples["b → a"]] == [None] * 3
    assert all("×" not in cell.text for cell in multiples["b → a"])
    assert all("×" in cell.text and "(" in cell.text for cell in multiples["a → b"])


@pytest.mark.parametrize(
    ("there", "back", "words"),
    [
        (2.0, 1.3, "a helps b more than b helps a"),
        (1.3, 2.0, "b helps a more than a helps b"),
        (0.8, 0.5, "b hurts a more than a hurts b"),
    ],
)
def test_of_two_domains_that_help_or_hurt_each_other_one_does_it_more(there: float, back: float, words: str) -> None:
    (asymmetry,) = list_asymmetries(conclude({"experiment": "transfer"}, transfer(there=there, back=back)))
    assert f" {words}: " in asymmetry
    by = re.search(r"differ by ([\d.]+) ±", asymmetry)
    assert by is not None
    assert float(by[1]) == pytest.approx(0.2 * abs(math.log(there / back)), abs=0.005)


def list_asymmetries(report: Report) -> list[str]:
    texts = [part.text for section in report.findings for part in section.parts if hasattr(part, "text")]
    return [text for text in texts if "the gains differ" in text]


def test_a_method_that_failed_at_some_seeds_or_at_all_stands_in_the_table_as_missing() -> None:
    rows = [run({"method": None}, 0, nll=0.0), run({"method": "sl"}, 0, nll=0.5), run({"method": "sl"}, 1)]
    rows += [run({"method": "rl"}, seed) for seed in range(2)]
    shown = {row["method"].text: row for row in list_rows(conclude(COMPARE, rows), "missing")}
    assert [shown["sl"][name].value for name in ("nll", "seeds", "missing")] == [0.5, 1, 1]
    assert [shown["rl"][name].value for name in ("nll", "seeds", "missing", "tokens", "$")] == [None, 0, 2, None, None]


def test_methods_say_what_would_settle_them_and_what_is_missing() -> None:
    rows = [
        run({"method": name}, seed, nll=value + 0.1 * seed * (-1) ** (seed + place))
        for place, (name, value) in enumerate((("sl", 1.0), ("rl", 1.02)))
        for seed in range(3)
    ]
    report = conclude(COMPARE, [*rows, run({"method": "rl"}, 3)])
    (pair,) = list_rows(report, "clear")
    assert pair["clear"].text == "no"
    assert pair["seeds"].value > 3
    assert any("1 of 7 runs" in text and "1 failed" in text for text in list_warnings(report))


def test_methods_that_are_measured_on_several_data_sets_are_told_of_on_each() -> None:
    spec: dict[str, Json] = {"experiment": "compare", "equal": {"tokens": 100}, "evaluate": [{"name": "nll"}]}
    spec["data"] = {"code": {"source": "code.jsonl"}, "law": {"source": "law.jsonl"}}
    rows = [
        run({"method": name}, seed, **{"code.nll": 1.0 + place, "law.nll": 2.0 - place, "code.far.nll": 0.0})
        for place, name in enumerate(("sl", "rl"))
        for seed in range(2)
    ]
    report = conclude(spec, rows)
    assert [list_rows(report, metric)[0][metric].value for metric in ("code.nll", "law.nll")] == [1.0, 2.0]
    assert [len(list_rows(report, metric)) for metric in ("code.nll", "law.nll")] == [3, 3], "two methods and a pair"
    assert list_warnings(report) == []


def test_a_grid_says_what_may_be_as_good_as_the_best() -> None:
    random = np.random.default_rng(0)
    rows = [
        run({"rate": rate, "rank": rank}, seed, nll=rate + seed + random.normal(0, 0.01))
        for rate in (0.1, 0.9)
        for rank in (4, 8)
        for seed in range(3)
    ]
    spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": "nll", "mode": "min"}}
    report = conclude(spec, [*rows, run({"rate": 0.9, "rank": 16}, 0, nll=math.nan)])
    assert report.answer[0].startswith("Best: rate=0.1, rank=")
    cells = list_rows(report, "clearly worse")
    assert [row["clearly worse"].value for row in cells] == ["best", False, True, True]
    assert [row["rate"].value for row in cells] == [0.1, 0.1, 0.9, 0.9]
    warnings = " ".join(list_warnings(report))
    assert "4 conditions by nll" in warnings
    assert "`validation`" in warnings
    assert "1 of 13 runs" in warnings
    assert "1 diverged" in warnings
    (none,) = (row for row in list_rows(report, "effect") if row["value"].text == "16")
    assert none["effect"].text == "missing"


def test_a_grid_of_nothing_says_so() -> None:
    report = conclude({"experiment": "grid"}, [run({"rate": 1}, 0)])
    assert len(report.answer) == 1
    assert report.findings == ()


def test_programs_are_given_the_curves_and_the_matrix_too() -> None:
    spec: dict[str, Json] = {"experiment": "data_scaling", "target": {"metric": "nll", "below": 2.0}}
    rows = [*scaling_rows(("code", "law"), top=512), run({"data": "law", "size": 64}, 3)]
    fits = facts(spec, rows)["fits"]
    (code, *_) = (fit for fit in fits if fit["data"] == "code")
    own = [row for row in rows if row.cell["data"] == "code" and row.cell["size"]]
    sizes, losses = [int(str(row.cell["size"])) for row in own], [row.metrics["nll"] for row in own]
    fit = fit_scaling(sizes, losses, seed=[row.seed for row in own], target=2.0)
    assert (code["law"], code["params"], code["holdout_error"]) == (fit.law, fit.params, fit.holdout_error)
    assert fit.minimum_data is not None
    assert code["minimum_data"]["low"] == fit.minimum_data.low
    assert {fitted["data"] for fitted in fits} == {"code", "law"}

    (matrix,) = facts({"experiment": "transfer"}, transfer())["transfer"]
    (cell,) = (
        cell_facts
        for cell_facts in matrix["cells"]
        if (cell_facts["source"], cell_facts["target"], cell_facts["size"]) == ("a", "b", 64)
    )
    expected = transfer_matrix(transfer()).cell("a", "b", 64)
    assert expected.gain is not None
    assert (cell["gain"]["mean"], cell["verdict"]) == (expected.gain.mean, expected.verdict)


def blown_up_grid() -> list[RunResult]:
    """At a rate of .1 ranks of 16 and 32 are alike and 2 is worse; at 1 all blow up, and 32 worse than 16."""
    random = np.random.default_rng(6)
    means = {(0.1, 2): 1.0, (0.1, 16): 0.0, (0.1, 32): 0.05, (1, 2): 20.0, (1, 16): 2.0, (1, 32): 4.0}
    return [
        run({"train.learning_rate": rate, "train.rank": rank}, seed, nll=5 + mean + random.normal(0, 0.01))
        for (rate, rank), mean in means.items()
        for seed in range(4)
    ]


def test_a_value_of_an_axis_is_told_at_the_best_of_the_rest_too() -> None:
    """By the mean over both rates, rank 32 is one nat worse than 16; at the best rate the two do not differ."""
    rows = list_rows(conclude({"experiment": "grid"}, blown_up_grid()), "worse by")
    ranks = {row["value"].text: row for row in rows if "axis" in row and row["axis"].text == "train.rank"}
    assert ranks["32"]["effect"].value - ranks["16"]["effect"].value == pytest.approx(1.0, abs=0.05)
    assert ranks["16"]["worse by"].text == "best"
    assert ranks["32"]["worse by"].value == pytest.approx(0.05, abs=0.04)
    assert ranks["2"]["worse by"].value == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("count", [3, 12])
def test_conditions_that_are_not_ruled_out_are_named_with_the_farthest(count: int) -> None:
    """They are alike but for the last, whose seeds differ so much that it cannot be told."""
    random = np.random.default_rng(1)
    rows = [
        run({"train.rank": rank}, seed, nll=2 + random.normal(0, 0.1) + (rank == count) * (2 + 6 * (seed == 0)))
        for rank in range(1, count + 1)
        for seed in range(3)
    ]
    (fact,) = facts({"experiment": "grid"}, rows)["best"]
    assert len(fact["alike"]) == count - 1
    (sentence,) = (words for words in conclude({"experiment": "grid"}, rows).answer if words.startswith("Best"))
    named = re.findall(r"train\.rank=(\d+) \(", sentence)
    assert named[-1] == str(count)
    assert len(named) == min(count - 1, 6)
