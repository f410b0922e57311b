"""Print costs (`sweep costs`) and change the budget of a sweep (`sweep budget`)."""

import time
from collections.abc import Sequence
from typing import Any

import click

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.costs import DayCosts, ServiceBill, SweepCosts, read_today
from scheduler.state.costs import read_costs as read
from scheduler.state.people.sweep_changes import describe_held, set_budget
from scheduler.state.people.user_budgets import UserCosts, read_user_costs
from sweeps.cost import KindCosts
from sweeps.formatting import format_duration, format_usd
from sweeps.stage import read_dollars, to_dollars


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def costs(output: Output, name: str | None) -> None:
    """Show what was estimated, spent and billed.

    Without NAME it shows all sweeps. The last lines show today's total per service.
    """
    with open_store(read_settings()) as store:
        names = [views.read_sweep(store, name).name] if name else [view.name for view in views.read_sweeps(store)]
        all_costs = [read(store, sweep) for sweep in names]
        now = round(time.time() * 1000)
        days, users = read_today(store, now), read_user_costs(store, now)
    if output.form == "json":
        output.print_document(make_costs_document(all_costs, days, users))
    elif output.form == "csv":
        output.print_csv(
            [
                {"sweep": sweep_costs.sweep, **_make_kind_row(kind)}
                for sweep_costs in all_costs
                for kind in sweep_costs.kinds
            ]
        )
    else:
        _print(output, all_costs, days)
        for user in users:
            if user.limit is not None:
                output.say(_describe_user(user))


def make_costs_document(
    all_costs: Sequence[SweepCosts], days: Sequence[DayCosts], users: Sequence[UserCosts]
) -> dict[str, Any]:
    """Return costs as programs get them."""
    return {
        "sweeps": [_make_document(sweep_costs) for sweep_costs in all_costs],
        "today": [_make_day_row(day) for day in days],
        "users": [_make_user_row(user) for user in users],
    }


def _make_document(sweep_costs: SweepCosts) -> dict[str, Any]:
    return {
        "sweep": sweep_costs.sweep,
        "budget_usd": to_dollars(sweep_costs.limit),
        "kinds": [_make_kind_row(kind) for kind in sweep_costs.kinds],
        "billed": [_make_billed_row(billed) for billed in sweep_costs.billed],
    }


def _make_kind_row(kind: KindCosts) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "stages": kind.stages,
        "low_usd": to_dollars(kind.low),
        "high_usd": to_dollars(kind.high),
        "reused_usd": to_dollars(kind.reused),
        "spent_usd": to_dollars(kind.metered),
        "reserved_usd": to_dollars(kind.reserved),
        "unreconciled_usd": to_dollars(kind.unreconciled),
        "tokens": kind.tokens,
    }


def _make_billed_row(billed: ServiceBill) -> dict[str, Any]:
    return {
        "service": billed.service,
        "tokens": billed.tokens,
        "usd": to_dollars(billed.micro_usd),
        "as_of": billed.at / 1000,
        "after_end": billed.is_after_end,
    }


def _make_day_row(day: DayCosts) -> dict[str, Any]:
    return {
        "service": day.service,
        "day": str(day.day),
        "spent_usd": to_dollars(day.spent),
        "unreconciled_usd": to_dollars(day.unreconciled),
        "reserved_usd": to_dollars(day.reserved),
        "budget_usd": to_dollars(day.limit),
    }


def _make_user_row(costs: UserCosts) -> dict[str, Any]:
    return {
        "user": costs.user,
        "period": costs.period,
        "begins": str(costs.begins),
        "spent_usd": to_dollars(costs.spent),
        "unreconciled_usd": to_dollars(costs.unreconciled),
        "reserved_usd": to_dollars(costs.reserved),
        "budget_usd": to_dollars(costs.limit),
    }


def _describe_user(costs: UserCosts) -> str:
    held = _describe_held(costs.reserved, costs.unreconciled)
    spent = f"{format_usd(costs.spent)} spent, {held}"
    return f"{costs.user} in the {costs.period} from {costs.begins} (UTC): {spent}; budget {format_usd(costs.limit)}"


def _print(output: Output, all_costs: Sequence[SweepCosts], days: Sequence[DayCosts]) -> None:
    output.print_table(
        [_make_row(sweep_costs, kind) for sweep_costs in all_costs for kind in sweep_costs.kinds if kind.stages]
    )
    for sweep_costs in all_costs:
        if line := _describe_budget(sweep_costs):
            output.say(f"{sweep_costs.sweep}: {line}")
    for day in days:
        limit = "no daily budget" if day.limit is None else f"daily budget {format_usd(day.limit)}"
        held = _describe_held(day.reserved, day.unreconciled)
        output.say(f"{day.service} on {day.day} (UTC): {format_usd(day.spent)} spent, {held}; {limit}")


def _make_row(sweep_costs: SweepCosts, kind: KindCosts) -> dict[str, Any]:
    amounts = {
        "estimate (low)": kind.low,
        "estimate (high)": kind.high,
        "saved by reuse": kind.reused,
        "spent": kind.metered,
        "reserved": kind.reserved,
        "unreconciled": kind.unreconciled,
    }
    row = {"sweep": sweep_costs.sweep, "kind": kind.kind, "stages": kind.stages}
    return {**row, **{name: format_usd(amount) for name, amount in amounts.items()}, "tokens": kind.tokens}


def _describe_budget(sweep_costs: SweepCosts) -> str:
    """Say how much of the budget is used, and what the services bill."""
    spent = sum(kind.metered for kind in sweep_costs.kinds)
    held = _describe_held(
        sum(kind.reserved for kind in sweep_costs.kinds), sum(kind.unreconciled for kind in sweep_costs.kinds)
    )
    budget = f"{format_usd(spent)} spent, {held}; budget {format_usd(sweep_costs.limit)}"
    return "; ".join([*([] if sweep_costs.limit is None else [budget]), *map(_describe_bill, sweep_costs.billed)])


def _describe_held(reserved: int, unreconciled: int) -> str:
    """Say what is held: for running stages, and for attempts whose cost is not known yet."""
    open_cost = f", {format_usd(unreconciled)} unreconciled" if unreconciled else ""
    return f"{format_usd(reserved)} reserved{open_cost}"


def _describe_bill(billed: ServiceBill) -> str:
    age = format_duration(time.time() - billed.at / 1000)
    amount = "" if billed.micro_usd is None else f", {format_usd(billed.micro_usd)}"
    counted = f"the own count of {billed.service}, {age} ago: {billed.tokens:,} tokens{amount}"
    if not billed.is_after_end:
        return f"{counted}; stages that ended later are missing from it"
    return counted if billed.service == "offline" else f"{counted}; it is complete hours after the end"


def parse_usd(context: click.Context, parameter: click.Parameter, value: str) -> int:  # noqa: ARG001 - click's signature
    """Read US dollars as micro-dollars, rounded down."""
    try:
        return read_dollars(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("name")
@click.argument("usd", callback=parse_usd)
@click.pass_obj
def budget(output: Output, name: str, usd: int) -> None:
    """Set the total budget of NAME, in US dollars.

    It cannot be less than what NAME has spent plus what is reserved for running stages.
    """
    settings = read_settings()
    with open_store(settings) as store:
        used = describe_held(set_budget(store, find_actor(settings), name, usd))
    if output.for_people:
        output.say(f"{name}: budget {format_usd(usd)} ({used})")
    else:
        output.print_rows("sweeps", [{"sweep": name, "budget_usd": to_dollars(usd)}])


commands = {"costs": costs, "budget": budget}
