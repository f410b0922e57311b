"""The science of a sweep: the question, its plan, what the results mean. No clock, no network, no money of its own.

The names below are the public ones. Each is imported when it is first used, so that a command that only wants to
show a table need not load numpy and the whole spec. (So none may be called like a module: `sweeps.plan.plan`.)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.changes import Change, Changed, change
    from sweeps.comparison import Comparison, compare
    from sweeps.errors import DataError, NotInstalled, PlanError, SpecError, SweepsError
    from sweeps.frames import frame
    from sweeps.grid import BestCell, best_cell
    from sweeps.items import ItemDifference, item_key
    from sweeps.prices import PriceBook, parse_prices
    from sweeps.results import CellSummary, RunResult
    from sweeps.scaling import ScalingFit, fit_scaling
    from sweeps.spec import Sweep, parse
    from sweeps.stage import Plan, Run, Stage, Totals
    from sweeps.tally import Tally
    from sweeps.transfer import TransferMatrix, transfer_matrix

__all__ = [
    "BestCell",
    "CellSummary",
    "Change",
    "Changed",
    "Comparison",
    "DataError",
    "ItemDifference",
    "NotInstalled",
    "Plan",
    "PlanError",
    "PriceBook",
    "Run",
    "RunResult",
    "ScalingFit",
    "SpecError",
    "Stage",
    "Sweep",
    "SweepsError",
    "Tally",
    "Totals",
    "TransferMatrix",
    "best_cell",
    "change",
    "compare",
    "fit_scaling",
    "frame",
    "item_key",
    "parse",
    "parse_prices",
    "transfer_matrix",
]

_HOMES = {
    "changes": ("Change", "Changed", "change"),
    "comparison": ("Comparison", "compare"),
    "errors": ("DataError", "NotInstalled", "PlanError", "SpecError", "SweepsError"),
    "frames": ("frame",),
    "grid": ("BestCell", "best_cell"),
    "items": ("ItemDifference", "item_key"),
    "prices": ("PriceBook", "parse_prices"),
    "results": ("CellSummary", "RunResult"),
    "scaling": ("ScalingFit", "fit_scaling"),
    "spec": ("Sweep", "parse"),
    "stage": ("Plan", "Run", "Stage", "Totals"),
    "tally": ("Tally",),
    "transfer": ("TransferMatrix", "transfer_matrix"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"sweeps.{module}"), name)
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
