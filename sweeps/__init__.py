"""The science of a sweep: the question, its plan, what the results mean. No clock, no network, no money of its own."""

from sweeps.cost import PriceBook, parse_prices
from sweeps.errors import DataError, PlanError, SpecError, SweepsError
from sweeps.plan import Plan, Run, Stage, Totals, plan
from sweeps.plan_document import plan_document
from sweeps.results import CellSummary, RunResult, cells
from sweeps.scaling import ScalingFit, fit_scaling
from sweeps.spec import Sweep, parse
from sweeps.transfer import TransferMatrix, transfer_matrix

__all__ = [
    "CellSummary",
    "DataError",
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
    "Totals",
    "TransferMatrix",
    "cells",
    "fit_scaling",
    "parse",
    "parse_prices",
    "plan",
    "plan_document",
    "transfer_matrix",
]
