"""The science of a sweep: the question, its plan, what the results mean. No clock, no network, no money of its own."""

from sweeps.cost import PriceBook, parse_prices
from sweeps.errors import DataError, PlanError, SpecError, SweepsError
from sweeps.plan import Plan, Run, Stage, Totals, plan
from sweeps.plan_document import plan_document
from sweeps.spec import Sweep, parse

__all__ = [
    "DataError",
    "Plan",
    "PlanError",
    "PriceBook",
    "Run",
    "SpecError",
    "Stage",
    "Sweep",
    "SweepsError",
    "Totals",
    "parse",
    "parse_prices",
    "plan",
    "plan_document",
]
