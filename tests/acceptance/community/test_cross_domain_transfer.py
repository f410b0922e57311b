"""The example `cross_domain_transfer` finds the planted table: code helps rules about it, and nothing else."""

from typing import Any

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import run_example

SMALL = ["sizes=[16]", "seeds=2", "source_size=150", "data.rules.holdout=40", "data.pulse.holdout=40"]
NOTHING = {"no_clear_difference", "nothing_learnt"}
NULL = ["sources=[code]", "targets=[pulse]"]


def find_cell(results: dict[str, Any], source: str, target: str, size: int) -> dict[str, Any]:
    """Find the gain of a pair at a size."""
    cells = results["transfer"][0]["cells"]
    wanted = (source, target, size)
    return next(cell for cell in cells if (cell["source"], cell["target"], cell["size"]) == wanted)


@IN_SHORT
def test_code_helps_rules_about_the_same_table_and_a_pulse_does_not(desk: Desk) -> None:
    results = run_example(desk, "cross_domain_transfer", *SMALL, "sources=[code, pulse]", "targets=[rules]")
    shared, other = (find_cell(results, source, "rules", 16) for source in ("code", "pulse"))
    assert (shared["verdict"], shared["after_holm"]) == ("helps", True)
    assert shared["gain"]["low"] > 1
    assert other["verdict"] != "helps"
    conclusion = results["conclusion"]
    assert conclusion["claim"] in {"helps", "mixed"}
    assert conclusion["low"] > 1
    assert conclusion["metric"] == "nll"
    assert conclusion["against"] == "rules alone"


@IN_SHORT
def test_the_pair_that_shares_nothing_concludes_nothing(desk: Desk) -> None:
    conclusion = run_example(desk, "cross_domain_transfer", *SMALL, *NULL)["conclusion"]
    assert conclusion["claim"] in NOTHING
    assert conclusion["low"] < 0 < conclusion["high"]


@IN_FULL
def test_all_of_it_and_what_the_table_adds_to_the_form(desk: Desk) -> None:
    results = run_example(desk, "cross_domain_transfer")
    assert results["conclusion"]["claim"] == "mixed"
    assert results["conclusion"]["low"] > 1
    assert results["conclusion"]["caveats"] == ["sizes_differ"]
    shared, other = (find_cell(results, source, "rules", 16)["gain"] for source in ("code", "pulse"))
    assert shared["low"] > 0 > other["high"]
    assert find_cell(results, "code", "rules", 16)["multiplier"]["value"] > 3
    assert find_cell(results, "code", "pulse", 16)["verdict"] == "unclear"
    form = find_cell(results, "other_code", "rules", 16)
    assert (form["verdict"], form["after_holm"]) == ("helps", True)
    differences = results["transfer"][0]["source_differences"]
    table = {gap["size"]: gap for gap in differences if (gap["source"], gap["other"]) == ("code", "other_code")}
    assert table[16]["after_holm"], "the table adds to the form"
    assert 0 < table[16]["difference"]["low"] < table[16]["difference"]["high"] < form["gain"]["mean"]
