"""Check the roles of data sets: where they are told, and whose twins controls are."""

from collections.abc import Iterator

from sweeps.experiments.experiment_registry import find_experiment
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, refuse_word

ROLES = ("control_of", "note")


def check_roles(sweep: SweepFields) -> Iterator[Finding]:
    """Refuse roles where no answer tells them, and as an axis: they change nothing that is trained or measured."""
    if not find_experiment(sweep.experiment).tells_roles:
        for name, dataset in sweep.data.items():
            for key in ROLES:
                if getattr(dataset, key) is not None:
                    yield (
                        ("data", name, key),
                        f"belongs to `experiment: data_scaling`, got `experiment: {sweep.experiment}`",
                    )
    for path in sweep.vary:
        if path.startswith("data.") and path.rpartition(".")[2] in ROLES:
            yield (
                ("vary", path),
                "says what a data set is for and cannot differ between conditions; leave it out of `vary`",
            )


def check_data_controls(sweep: SweepFields) -> Iterator[Finding]:
    """Require of each control a data set whose twin it is, and which is no control itself."""
    twins = [name for name, dataset in sweep.data.items() if dataset.control_of is None]
    for name, dataset in sweep.data.items():
        if dataset.control_of is not None and dataset.control_of not in twins:
            where = ("data", name, "control_of")
            yield where, f"expected a data set that is no control: {refuse_word(dataset.control_of, twins)}"
