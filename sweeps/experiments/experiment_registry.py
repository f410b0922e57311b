"""Every kind of experiment by its name. To register a kind, add the module that holds its `EXPERIMENT`.

A kind is loaded when a sweep of it is read: it stands above the spec and the planning, which ask for it by name.
"""

from functools import cache
from importlib import import_module

from sweeps.errors import DataError
from sweeps.experiments.kind import Experiment

EXPERIMENTS = {
    "grid": "sweeps.experiments.grid",
    "data_scaling": "sweeps.experiments.data_scaling",
    "transfer": "sweeps.experiments.transfer",
    "compare": "sweeps.experiments.compare",
}


def get_experiment(name: object) -> Experiment | None:
    """Load a kind by its name; None for an unknown one."""
    return _load(EXPERIMENTS[name]) if isinstance(name, str) and name in EXPERIMENTS else None


def find_experiment(name: object) -> Experiment:
    """Load a kind by its name. Raises DataError for an unknown one."""
    if (kind := get_experiment(name)) is None:
        raise DataError(f"experiment: expected one of {', '.join(EXPERIMENTS)}, got {name!r}")
    return kind


@cache
def _load(module: str) -> Experiment:
    experiment: Experiment = import_module(module).EXPERIMENT
    return experiment


def list_experiments() -> list[Experiment]:
    """Load all kinds."""
    return [find_experiment(name) for name in EXPERIMENTS]


def map_keys() -> dict[str, tuple[str, ...]]:
    """Map each key that not every kind has to the names of the kinds that take it."""
    kinds = list_experiments()
    keys = dict.fromkeys(key for kind in kinds for key in kind.takes)
    return {key: tuple(kind.name for kind in kinds if key in kind.takes) for key in keys}
