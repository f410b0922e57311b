"""The example `first_run` finds the rates that learn, and says that two of them are not clearly different."""

from tests.acceptance.command import Desk
from tests.acceptance.community.example_runs import run_example


def test_a_rate_that_learns_is_best_and_a_small_one_learns_nothing(desk: Desk) -> None:
    rates = "vary={train.learning_rate: [0.0005, 0.02]}"
    results = run_example(desk, "first_run", rates, "seeds=2", "data.tickets.holdout=50", "data.tickets.validation=30")
    accuracy = {cell["cell"]["train.learning_rate"]: cell["metrics"]["accuracy"]["mean"] for cell in results["cells"]}
    assert accuracy[0.02] > 0.8
    assert accuracy[0.0005] < 0.05
