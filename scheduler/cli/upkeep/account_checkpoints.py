"""`sweep checkpoints`: what an account stores at a service, who needs it, what it costs, and what may be deleted."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.upkeep.service_questions import LIVE, ask_service
from scheduler.prepare import read_price_book
from scheduler.service_check import OFFLINE_MODELS
from scheduler.settings import read_settings
from scheduler.state.keeping.service_checkpoints import ServiceCheckpoint, classify, discard
from scheduler.state.people.audit_log import audit_change
from sweeps.formatting import format_count, format_duration, format_usd
from sweeps.stage import MICRO

GB = 1e9
LISTING = "worker.maintenance.checkpoint_main"


@click.command()
@click.option("--offline", is_flag=True, help="Of the offline service, not of Tinker.")
@click.option("--delete", type=click.Choice(["orphan", "kept"]), multiple=True, help="Delete those of this use.")
@click.pass_obj
def checkpoints(output: Output, offline: bool, delete: tuple[Any, ...]) -> None:
    """List the checkpoints on Tinker: age, owner, size, cost.

    Use: needed by an unfinished sweep; kept by a finished stage; an orphan that no stage names; or foreign, not of this
    state. What is needed or younger than a day is never deleted. A worker deletes within minutes.
    """
    settings = read_settings()
    model = OFFLINE_MODELS[0] if offline else LIVE
    rows = ask_service(settings, model, LISTING)["checkpoints"]
    with open_store(settings) as store:
        there = classify(store, rows)
        if delete:
            audit_change(store, find_actor(settings), "delete checkpoints", "", ", ".join(delete))
        deleted = discard(store, model, there, uses=delete) if delete else 0
        now = store.read_now().timestamp()
    price = read_price_book(settings).kept
    per_gb = None if price is None else float(price.usd_per_gb_month)
    if not output.for_people:
        output.print_rows("checkpoints", [{**asdict(row), "usd_per_month": _cost(row, per_gb)} for row in there])
        return
    output.print_rows("checkpoints", [_show(row, now, per_gb) for row in there])
    output.say(_sum_up(there, per_gb))
    if delete:
        output.say(f"{format_count(deleted, 'checkpoint')} will be deleted by a worker")


def _cost(row: ServiceCheckpoint, per_gb: float | None) -> float | None:
    return None if per_gb is None else row.bytes / GB * per_gb


def _show(row: ServiceCheckpoint, now: float, per_gb: float | None) -> dict[str, Any]:
    cost = _cost(row, per_gb)
    return {
        "path": row.path,
        "use": row.use,
        "sweep": row.sweep,
        "age": format_duration(now - row.created),
        "MB": round(row.bytes / 1e6, 1),
        "a month": "" if cost is None else format_usd(round(cost * MICRO)),
    }


def _sum_up(there: Sequence[ServiceCheckpoint], per_gb: float | None) -> str:
    size = sum(row.bytes for row in there)
    cost = "" if per_gb is None else f", {format_usd(round(size / GB * per_gb * MICRO))} a month"
    counts = [f"{sum(row.use == use for row in there)} {use}" for use in ("needed", "kept", "orphan", "foreign")]
    return f"{format_count(len(there), 'checkpoint')}: {', '.join(counts)}; {size / GB:.3f} GB{cost}"


commands = {"checkpoints": checkpoints}
