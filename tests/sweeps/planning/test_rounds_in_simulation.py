"""Rounds in a few simulated experiments whose truth is known; `make bench-rounds` counts many, of every kind."""

import numpy as np

from tests.bench.adaptive_scaling import COSTS, measure_rounds
from tests.sweeps.planted import KINDS, WITHIN

EXPERIMENTS = 40  # seeded: the figures are the same on every machine, but for the last digits


def test_where_subsets_nest_rounds_reach_the_width_of_the_grid_for_less_and_the_interval_holds() -> None:
    (kind,) = (kind for kind in KINDS if kind.name == "cv 1%, nested")
    outcome = measure_rounds(kind, WITHIN, COSTS["by rows"], EXPERIMENTS, kind.name)
    assert outcome is not None
    assert float(np.median(outcome.shares)) <= 0.65
    assert outcome.reached >= 0.95
    assert outcome.covered >= 0.9
