"""The example `first_run` finds the rates that learn, and says that two of them are not clearly different."""

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_SHORT
from tests.acceptance.community.example_runs import run_example


@IN_SHORT
def test_a_rate_that_learns_is_best_and_a_small_one_learns_nothing(desk: Desk) -> None:
    rates = "vary={train.learning_rate: [0.0005, 0.02]}"
    results = run_example(desk, "first_run", rates, "data.tickets.holdout=50", "data.tickets.validation=30")
    trained = [cell for cell in results["cells"] if "train.learning_rate" in cell["cell"]]
    accuracy = {cell["cell"]["train.learning_rate"]: cell["metrics"]["accuracy"]["mean"] for cell in trained}
    assert accuracy[0.02] > 0.8
    assert accuracy[0.0005] < 0.05
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"]) == ("best_cell", "validation.accuracy")
    assert conclusion["low"] > 0
