"""The science of a sweep: the question, its plan, what the results mean. No clock, no network, no money of its own.

The names below are the public ones. Each is imported when it is first used, so that a command that only wants to
show a table need not load numpy and the whole spec. (So none may be called like a module of this folder.)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.analysis.change_estimate import Change, change
    from sweeps.analysis.changes import Changed
    from sweeps.analysis.comparison import Comparison, compare
    from sweeps.analysis.grid_cells import BestCell, best_cell
    from sweeps.analysis.run_counts import Tally
    from sweeps.analysis.tables import frame
    from sweeps.analysis.transfer.transfer_gains import TransferMatrix, transfer_matrix
    from sweeps.errors import DataError, NotInstalled, PlanError, SpecError, SweepsError
    from sweeps.evaluation.item_rows import ItemRow
    from sweeps.planning.prices import PriceBook, parse_prices
    from sweeps.results import CellSummary, RunResult
    from sweeps.scaling.fit import ScalingFit, fit_scaling
    from sweeps.spec.parse import Sweep, parse
    from sweeps.stage import Plan, Run, Stage, Totals
    from sweeps.stats.paired_items import ItemDifference, item_key

__all__ = [
    "BestCell",
    "CellSummary",
    "Change",
    "Changed",
    "Comparison",
    "DataError",
    "ItemDifference",
    "ItemRow",
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
    "analysis.change_estimate": ("Change", "change"),
    "analysis.changes": ("Changed",),
    "analysis.comparison": ("Comparison", "compare"),
    "evaluation.item_rows": ("ItemRow",),
    "errors": ("DataError", "NotInstalled", "PlanError", "SpecError", "SweepsError"),
    "analysis.tables": ("frame",),
    "analysis.grid_cells": ("BestCell", "best_cell"),
    "stats.paired_items": ("ItemDifference", "item_key"),
    "planning.prices": ("PriceBook", "parse_prices"),
    "results": ("CellSummary", "RunResult"),
    "scaling.fit": ("ScalingFit", "fit_scaling"),
    "spec.parse": ("Sweep", "parse"),
    "stage": ("Plan", "Run", "Stage", "Totals"),
    "analysis.run_counts": ("Tally",),
    "analysis.transfer.transfer_gains": ("TransferMatrix", "transfer_matrix"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"sweeps.{module}"), name)
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
