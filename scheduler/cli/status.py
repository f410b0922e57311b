"""`sweep list` and `sweep status`: what there is, and at a glance why anything waits."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.service_facts_text import describe_facts, facts_document
from scheduler.engine.fleet import ServiceView, read_service
from scheduler.notify.outbox import describe_troubled_webhooks
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.services import SERVICES
from scheduler.settings import Settings, from_environment
from scheduler.state import views
from scheduler.state.bug_log import describe_bug, read_bugs
from scheduler.state.service_facts import ServiceFacts, read_known_accounts
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.views import StageView, SweepView
from scheduler.state.workers import read_live_workers
from scheduler.waiting_reasons import FleetStatus, why_it_waits
from sweeps.formatting import format_count, format_duration, format_usd

MOST = 20  # running stages, failures, and reasons to skip that are listed
ORDER = [state.value for state in StageState]


@click.command(name="list")
@click.pass_obj
def list_(output: Output) -> None:
    """List the sweeps of this state folder, or of REDIS_URL."""
    with open_store(from_environment()) as store:
        found = views.read_sweeps(store)
    rows = [sweep_row(view, output) for view in found]
    output.rows("sweeps", rows, columns=_columns(rows))


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def status(output: Output, name: str | None) -> None:
    """Show what is going on, in all sweeps or in NAME."""
    settings = from_environment()
    with open_store(settings) as store:
        found = [views.read_sweep(store, name)] if name else views.read_sweeps(store)
        accounts = read_known_accounts(store)
        state = _document(store, settings, found, name) | {"accounts": [facts_document(each) for each in accounts]}
    if output.form == "json":
        output.document(state)
    elif output.form == "csv":
        output.csv(state["sweeps"], columns=_columns(state["sweeps"]))
    else:
        _print(output, found, state)
        _print_where(output, settings, accounts)


def read_fleet(store: Store, settings: Settings) -> FleetStatus:
    """All that stands between a ready stage and its start."""
    workers, bounds = read_live_workers(store), settings.bounds
    threads = sum(int(each["threads"]) - int(each["busy"]) for each in workers.values())
    services = {service: read_service(store, service, bounds) for service in SERVICES}
    supervised = not workers and is_up(settings.home)
    return FleetStatus(len(workers), threads, services, supervised, read_bugs(store), store.scripts.read_time())


def _document(store: Store, settings: Settings, found: list[SweepView], name: str | None) -> dict[str, Any]:
    workers, fleet = read_live_workers(store), read_fleet(store, settings)
    failed = _read_first_stages(store, StageState.FAILED, name)
    skipped = (
        Counter(stage.cause for stage in views.read_stages(store, name, StageState.SKIPPED)) if name else Counter()
    )
    return {
        "sweeps": [sweep_row(view) | {"waits": why_it_waits(view, fleet)} for view in found],
        "services": [_service_row(each) for each in fleet.services.values() if each.pools],
        "workers": [{"worker": worker, **said} for worker, said in workers.items()],
        "running": [_stage_row(stage) for stage in _read_first_stages(store, StageState.RUNNING, name)],
        "failed": [_stage_row(stage) | {"cause": stage.cause} for stage in failed],
        "skipped": [{"stages": count, "cause": cause} for cause, count in skipped.most_common(MOST)],
        "webhooks": describe_troubled_webhooks(store),
        "bugs": [asdict(bug) | {"line": describe_bug(bug)} for bug in read_bugs(store)],
    }


def _read_first_stages(store: Store, state: StageState, name: str | None) -> list[StageView]:
    """The first ones of a sweep, or of all."""
    return views.read_stages(store, name, state)[:MOST] if name else views.read_stages_in_state(store, state, MOST)


def _service_row(service: ServiceView) -> dict[str, Any]:
    pools = {pool.name: {"limit": pool.capacity.limit, **asdict(pool.snapshot)} for pool in service.pools.values()}
    return {"service": service.name, "breaker": service.state, "cause": service.cause, "pools": pools}


def _slots_text(services: Sequence[Mapping[str, Any]]) -> str:
    """What is taken of what has been found, where anything is."""
    pools = [(name, pool) for service in services for name, pool in service["pools"].items() if pool["taken"]]
    return ", ".join(f"{pool['taken'] - pool['queued']} of {pool['limit']} {name} slots" for name, pool in pools)


def sweep_row(view: SweepView, output: Output | None = None) -> dict[str, Any]:
    """A sweep as `sweep list` has it: for people, where an output for them is given."""
    row: dict[str, Any] = {
        "sweep": view.name,
        "state": view.state,
        "stages": view.total,
        **{state: view.counts[state] for state in ORDER if view.counts.get(state)},
        "tokens": view.tokens,
    }
    if output is None or not output.for_people:
        return row | {"usd": view.spent / 1e6, "submitted": view.submitted / 1000, "user": view.user}
    ago = format_duration(time.time() - view.submitted / 1000)
    return row | {"spent": format_usd(view.spent), "submitted": f"{ago} ago"}


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that any row has: the states in the order of a stage's life, amid the rest."""
    named = dict.fromkeys(key for row in rows for key in row)
    rest = [key for key in named if key not in ORDER]
    return [*rest[:3], *(state for state in ORDER if state in named), *rest[3:]]


def _stage_row(stage: StageView) -> dict[str, Any]:
    return {
        "stage": stage.id,
        "what": stage.label,
        "attempt": stage.attempt,
        "worker": stage.worker,
        "step": stage.progress.get("step"),
        "steps": stage.progress.get("steps"),
        "nll": stage.progress.get("nll"),
    }


def _print(output: Output, found: list[SweepView], document: Mapping[str, Any]) -> None:
    rows = [sweep_row(view, output) for view in found]
    output.table(rows, title=format_count(len(rows), "sweep"), columns=_columns(rows))
    for row in document["sweeps"]:
        if row["waits"]:
            output.say(f"{row['sweep']}: {row['waits']}")
    for title in ("running", "failed", "skipped"):
        if document[title]:
            output.say("")
            output.table(document[title], title=title)
    for view in found:
        if again := sum(view.counts.get(state, 0) for state in ("failed", "skipped")):
            output.say(f"{view.name}: {again:,} have no result; `sweep retry {view.name}` tries them again")
    for said in (*document["webhooks"], *(bug["line"] for bug in document["bugs"])):
        output.say(said)
    threads = sum(int(worker["threads"]) for worker in document["workers"])
    busy = sum(int(worker["busy"]) for worker in document["workers"])
    taken = _slots_text(document["services"])
    workers = format_count(len(document["workers"]), "worker")
    output.say(f"\n{workers}, {busy} of {threads} threads busy{taken and f', {taken}'}")


def _print_where(output: Output, settings: Settings, accounts: Sequence[ServiceFacts]) -> None:
    for each in accounts:
        output.say(f"account at {each.service}: {describe_facts(each)}")
    if is_up(settings.home) and (addresses := read_addresses(settings.home)):  # who is killed leaves them behind
        output.say(addresses.flower)


commands = {"list": list_, "status": status}
