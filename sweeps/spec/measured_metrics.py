"""List the metrics that the evaluations of a sweep give, by their full names."""

from collections.abc import Iterator

from sweeps.experiments.experiment_registry import find_experiment
from sweeps.spec.model import SweepFields


def list_measured(sweep: SweepFields) -> list[str]:
    """List the metrics of the holdouts, and of the further test sets; whether the data suits them a plan says."""
    known = [metric for evaluation in sweep.evaluate for metric in evaluation.metrics]
    tests = {name: list(_list_on_tests(sweep, name)) for name in sweep.data}
    known += [metric for listed in tests.values() for metric in listed]
    if find_experiment(sweep.experiment).names_data:
        plain = [metric for evaluation in sweep.evaluate for metric in evaluation.metrics]
        known += [f"{name}.{metric}" for name, listed in tests.items() for metric in (*plain, *listed)]
    return list(dict.fromkeys(known))


def _list_on_tests(sweep: SweepFields, data: str) -> Iterator[str]:
    """List the metrics of the further test sets of a data set, without the name of the data set."""
    for name, test in (sweep.data[data].tests or {}).items():
        for evaluation in sweep.evaluate:
            if test.evaluate is None or evaluation.title in test.evaluate:
                yield from (f"{name}.{metric}" for metric in evaluation.metrics)
