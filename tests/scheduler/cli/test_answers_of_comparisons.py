"""What `sweep results` says of transfers, methods and grids: what was found, what would settle it, what is missing."""

import io
import json
import math

import numpy as np
from rich.console import Console

from scheduler.cli.answers import answer
from scheduler.cli.console.output import Output
from scheduler.cli.items import item_facts
from sweeps.analysis.transfer import transfer_matrix
from sweeps.results import RunResult
from sweeps.scaling.fit import fit_scaling
from sweeps.stage import Json
from tests.sweeps.reports import scaling_rows


def said(spec: dict[str, Json], rows: list[RunResult]) -> str:
    text = io.StringIO()
    answer(Output("table", Console(file=text, width=160)), spec, rows)
    return text.getvalue()


def run(cell: dict[str, Json], seed: int, **metrics: float) -> RunResult:
    return RunResult(cell, seed, "succeeded" if metrics else "failed", metrics)


def transfer(seeds: int = 3) -> list[RunResult]:
    random = np.random.default_rng(1)
    rows = []
    for source, target, times in ((None, "a", 1), (None, "b", 1), ("a", "b", 2.0), ("b", "a", 0.7)):
        for size in (32, 64, 128):
            for seed in range(seeds):
                nll = 3 - 0.2 * math.log(size * times) + random.normal(0, 0.001)
                rows.append(run({"source": source, "target": target, "size": size}, seed, nll=nll))
    return rows


def test_a_transfer_is_told_in_examples_and_in_both_directions() -> None:
    text = said({"experiment": "transfer"}, [*transfer(), run({"source": "a", "target": "b", "size": 32}, 3)])
    assert "Does training on the row help the column?" in text
    (worth,) = (line for line in text.splitlines() if line.startswith("a → b"))
    assert worth.split()[3:] == ["×2", "×2", ">", "×1", "+0.139", "±0.002", "▲*"]
    assert "at n = 128 a helps b more than b helps a: +0.2" in text
    assert "1 of 37 runs is not in it: 1 failed" in text


def test_methods_say_what_would_settle_them_and_what_is_missing() -> None:
    spec: dict[str, Json] = {
        "experiment": "compare",
        "equal": {"tokens": 100},
        "best": {"metric": "nll", "mode": "min"},
    }
    rows = [
        run({"method": name}, seed, nll=value + 0.1 * seed * (-1) ** (seed + place))
        for place, (name, value) in enumerate((("sl", 1.0), ("rl", 1.02)))
        for seed in range(3)
    ]
    text = said(spec, [*rows, run({"method": "rl"}, 3)])
    assert "seeds to settle it" in text
    assert "1 of 7 runs is not in it: 1 failed" in text


def test_methods_that_are_measured_on_several_data_sets_are_told_of_on_each() -> None:
    spec: dict[str, Json] = {"experiment": "compare", "equal": {"tokens": 100}, "evaluate": [{"name": "nll"}]}
    rows = [
        run({"method": name}, seed, **{"code.nll": 1.0 + place, "law.nll": 2.0 - place})
        for place, name in enumerate(("sl", "rl"))
        for seed in range(2)
    ]
    text = said(spec, rows)
    assert "differences in code.nll, paired by seed" in text
    assert "differences in law.nll, paired by seed" in text
    assert "not in it" not in text


def test_a_grid_says_what_may_be_as_good_as_the_best() -> None:
    random = np.random.default_rng(0)
    rows = [
        run({"rate": rate, "rank": rank}, seed, nll=rate + seed + random.normal(0, 0.01))
        for rate in (0.1, 0.9)
        for rank in (4, 8)
        for seed in range(3)
    ]
    spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": "nll", "mode": "min"}}
    text = said(spec, [*rows, run({"rate": 0.9, "rank": 16}, 0, nll=math.nan)])
    assert "Best: rate=0.1, rank=" in text
    assert "chosen among 4 cells by nll of the holdout itself" in text
    assert "not told apart from it, by how much they are worse: rate=0.1, rank=" in text
    assert "1 of 13 runs is not in it: 1 diverged" in text
    assert "each axis, over runs alike in all others" in text
    assert "missing" in text  # rank 16 has no loss


def test_a_grid_of_nothing_says_so() -> None:
    assert "nothing has been measured yet" in said({"experiment": "grid"}, [run({"rate": 1}, 0)])


def test_programs_are_told_the_curves_and_the_matrix_too() -> None:
    """What the terminal draws from, as JSON has it."""
    spec: dict[str, Json] = {"experiment": "data_scaling", "target": {"metric": "nll", "below": 2.0}}
    rows = [*scaling_rows(("code", "law"), top=512), run({"data": "law", "size": 64}, 3)]
    document = json.loads(json.dumps(item_facts(spec, rows, {})))
    (code, *_) = (fit for fit in document["fits"] if fit["data"] == "code")
    own = [each for each in rows if each.cell["data"] == "code" and each.cell["size"]]
    sizes, losses = [int(str(each.cell["size"])) for each in own], [each.metrics["nll"] for each in own]
    fit = fit_scaling(sizes, losses, seed=[each.seed for each in own], target=2.0)
    assert (code["law"], code["params"], code["holdout_error"]) == (fit.law, fit.params, fit.holdout_error)
    assert fit.minimum_data is not None
    assert code["minimum_data"]["low"] == fit.minimum_data.low
    assert {each["data"] for each in document["fits"]} == {"code", "law"}

    (matrix,) = json.loads(json.dumps(item_facts({"experiment": "transfer"}, transfer(), {})))["transfer"]
    (cell,) = (each for each in matrix["cells"] if (each["source"], each["target"], each["size"]) == ("a", "b", 64))
    found = transfer_matrix(transfer()).cell("a", "b", 64)
    assert found.gain is not None
    assert (cell["gain"]["mean"], cell["verdict"]) == (found.gain.mean, found.verdict)


def test_of_very_many_data_sets_each_is_drawn() -> None:
    names = [f"d{number}" for number in range(60)]
    text = said({"experiment": "data_scaling"}, scaling_rows(names, seeds=1, top=64))
    assert all(f"\N{NO-BREAK SPACE}{name}" in text for name in names)
