"""Read the runs and items of a sweep in a notebook, with the settings of the environment."""

import warnings

from scheduler.cli.console.options import open_store
from scheduler.errors import ItemsUnread, UnknownMetric
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.evaluation_items import read_items
from sweeps.analysis.item_analysis import WantedItems
from sweeps.evaluation.registry import find_measure
from sweeps.results import RunResult
from sweeps.stats.paired_items import Items


def results(name: str) -> list[RunResult]:
    """The runs of a sweep, finished or not, in the order of its plan. Raises UnknownSweep, StoreUnavailable."""
    with open_store(read_settings()) as store:
        return views.read_results(store, name)


def items(name: str, metric: str) -> Items:
    """All rows of the evaluation that a metric is of, whole, by `sweeps.item_key(run.cell, run.seed)`.

    Warns of what could not be read (ItemsUnread). Raises UnknownMetric, UnknownSweep, StoreUnavailable.
    """
    measure = find_measure(metric)
    if measure is None:
        raise UnknownMetric(f"expected a column of `sweep results {name}`, got {metric!r}")
    settings = read_settings()
    with open_store(settings) as store:
        views.read_sweep(store, name)
        kept = read_items(store, settings.store, name, {measure: WantedItems((metric,))}, bounded=False)
    for reason in kept.unread:
        warnings.warn(reason, ItemsUnread, stacklevel=2)
    return kept.items.get(measure, {})
