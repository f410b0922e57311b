"""Run a null twin with many seeds in one sweep, and conclude of a few seeds at a time: each part is an experiment.

One fleet for twenty experiments costs a fraction of twenty fleets, and each conclusion is the product's.
"""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.cli.console.options import open_store
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.answer_inputs import read_answer_inputs
from sweeps.analysis.baselines import is_untrained
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from tests.acceptance.command import Desk
from tests.acceptance.community.example_runs import run_example

EXPERIMENTS, FALSE_CLAIMS = 20, 2  # of a null twin, and how many of them may claim something: chance, at .05
NO_CLAIMS = frozenset({"no_clear_difference", "nothing_learnt", "at_chance", "at_majority", "not_judged"})


def run_null_twin(
    desk: Desk, name: str, *overrides: str, seeds: int = 2, file: str = "sweep.yaml", make: Sequence[str] = ()
) -> list[Conclusion]:
    """Run a twin in a sweep called `twin` with so many seeds for each experiment, and list the conclusions."""
    words = (*overrides, "sweep=twin", f"seeds={seeds * EXPERIMENTS}")  # the last of two wins
    run_example(desk, name, *words, wait=3_000, file=file, make=make)
    return conclude_parts(desk, "twin", seeds)


def conclude_parts(desk: Desk, sweep: str, seeds: int) -> list[Conclusion]:
    """Conclude of each part of the seeds; the untrained model, measured once, belongs to all of them."""
    settings = read_settings({"SWEEP_HOME": str(desk.home)})
    with open_store(settings) as store:
        known = read_answer_inputs(
            store, views.read_sweep(store, sweep), views.read_results(store, sweep), settings.store
        )
    parts = [range(first, first + seeds) for first in range(0, seeds * EXPERIMENTS, seeds)]
    return [
        conclude_sweep(replace(known, rows=[row for row in known.rows if row.seed in part or is_untrained(row.cell)]))
        for part in parts
    ]


def list_false_claims(conclusions: Sequence[Conclusion]) -> list[Conclusion]:
    """List the conclusions that claim something, of a twin in which nothing is true."""
    return [conclusion for conclusion in conclusions if conclusion.claim not in NO_CLAIMS]
