"""List the metrics that the evaluations of a sweep give, by their full names."""

from sweeps.experiments.experiment_registry import find_experiment
from sweeps.spec.model import SweepFields


def list_measured(sweep: SweepFields) -> list[str]:
    """List the metrics of the holdouts, and of the further test sets; whether the data suits them a plan says."""
    plain = [metric for evaluation in sweep.evaluate for metric in evaluation.metrics]
    tests = {name: tuple(spec.tests or ()) for name, spec in sweep.data.items()}
    known = [*plain, *(f"{test}.{metric}" for names in tests.values() for test in names for metric in plain)]
    if find_experiment(sweep.experiment).names_data:
        places = [f"{name}.{test}" for name, names in tests.items() for test in ("", *(f"{test}." for test in names))]
        known += [f"{place}{metric}" for place in places for metric in plain]
    return list(dict.fromkeys(known))
