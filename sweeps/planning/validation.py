"""Check a sweep before anything is expanded: what cannot be planned is refused at once."""

from math import prod

from sweeps.errors import PlanError
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.planning.cells import count_varied
from sweeps.planning.prices import PriceBook
from sweeps.spec import axes
from sweeps.spec.model import SweepFields

MOST_RUNS = 200_000


def validate(sweep: SweepFields, prices: PriceBook) -> None:
    """Raise PlanError for a sweep that cannot be planned as its file says."""
    if unsupported := sweep.list_unsupported():
        raise PlanError("\n".join(unsupported))
    _refuse_too_many(sweep)
    if sweep.budget is not None or (sweep.until is not None and sweep.until.budget is not None):
        _refuse_unpriced(sweep, prices)


def _refuse_too_many(sweep: SweepFields) -> None:
    """Count the runs by arithmetic; raise PlanError, with the length of each axis, if there are too many.

    Excluded cells count too: a grid that is mostly excluded is better written as another grid.
    """
    factors = {**count_varied(sweep), **_count_own_axes(sweep)}
    runs = prod(factors.values())
    if runs > MOST_RUNS:
        product = " × ".join(f"{name} ({count:,})" for name, count in factors.items())
        raise PlanError(
            f"{sweep.sweep}: expected at most {MOST_RUNS:,} runs, got {runs:,} = {product}; shorten an axis"
        )


def _count_own_axes(sweep: SweepFields) -> dict[str, int]:
    """Count the axes that the kind of experiment adds; the few zero-shot rows do not matter."""
    seeds = {"seeds": sweep.seeds if isinstance(sweep.seeds, int) else len(sweep.seeds)}
    sizes = {"sizes": axes.count_values(sweep.sizes) + 1} if sweep.sizes is not None else {}
    return {**find_experiment(sweep.experiment).count_axes(sweep), **sizes, **seeds}


def _refuse_unpriced(sweep: SweepFields, prices: PriceBook) -> None:
    """Raise PlanError for a model without a price: a budget over it could not be kept."""
    missing = [model for model in sweep.models if prices.find_price(model) is None]
    if missing:
        names = ", ".join(missing)
        raise PlanError(f"budget.usd: no price for {names} in {prices.name}; add a row there, or remove the budget")
