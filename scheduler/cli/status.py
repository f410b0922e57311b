"""Print the sweeps (`sweep list`), and what runs, fails or waits and why (`sweep status`)."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scheduler.cli.console.caller import is_for_sender
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.service_facts_text import describe_facts, make_facts_document
from scheduler.engine.fleet import PoolView, ServiceView, read_service
from scheduler.notify.outbox import list_troubled_webhooks
from scheduler.processes.addresses import is_up, read_addresses, read_uptime
from scheduler.processes.page_links import ADVICE
from scheduler.services import SERVICES
from scheduler.settings import Settings, read_settings
from scheduler.state import views
from scheduler.state.bug_log import Bug, describe_bug, read_bugs
from scheduler.state.keeping.archive import open_archive
from scheduler.state.missing_rights import read_refusal
from scheduler.state.server.failover import read_books
from scheduler.state.service_facts import ServiceFacts, read_known_accounts
from scheduler.state.stage_causes import StageCause, describe_causes, read_causes
from scheduler.state.states import FAILURES, StageState
from scheduler.state.store import Store
from scheduler.state.training_facts import LearningSigns, find_learning_signs
from scheduler.state.views import StageView, SweepView
from scheduler.state.workers import read_live_workers
from scheduler.waiting_reasons import FleetStatus, describe_books, describe_retries, explain_waiting
from sweeps.analysis.learning_words import list_sign_facts
from sweeps.formatting import format_count, format_duration, format_usd

MOST = 20  # rows of each list
ORDER = [state.value for state in StageState]
NO_SWEEP = "No sweep was submitted here yet: start with `sweep run FILE` (`sweep examples` lists some)"
KEPT = " (trainings and losses need one each; one may stay open after its training, for the evaluations)"
TITLES = {"running": "running (nll: of the latest training batch)"}


@click.command(name="list")
@click.pass_obj
def list_(output: Output) -> None:
    """List all sweeps."""
    with open_store(read_settings()) as store:
        sweeps = views.read_sweeps(store)
    if not sweeps and output.for_people:
        output.say(NO_SWEEP)
        return
    rows = [make_sweep_row(view, output) for view in sweeps]
    output.print_rows("sweeps", rows, columns=_list_columns(rows))


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def status(output: Output, name: str | None) -> None:
    """Show what is running, failed or waiting, and why.

    Without NAME it shows all sweeps."""
    settings = read_settings()
    with open_store(settings) as store:
        sweeps = [views.read_sweep(store, name)] if name else views.read_sweeps(store)
        accounts = read_known_accounts(store)
        learning = find_learning_signs(store, name) if name else LearningSigns((), ())
        causes = read_causes(store, name) if name else []
        troubles = [
            *describe_causes(causes),
            *learning.sentences,
            *map(str, list_troubled_webhooks(store)),
            *map(describe_bug, read_bugs(store)),
            *filter(None, [describe_books(read_books(store))]),
        ]
        document = make_status_document(store, settings, sweeps, name)
        state = document | _make_facts(causes, learning, accounts)
    if output.form == "json":
        output.print_document(state)
    elif output.form == "csv":
        output.print_csv(state["sweeps"], columns=_list_columns(state["sweeps"]))
    else:
        _print(output, sweeps, state, troubles)
        _print_accounts(output, accounts)
        if not is_for_sender():  # whose browser does not reach what listens on this machine
            _print_where(output, settings)


def read_sweep_document(store: Store, settings: Settings, name: str) -> dict[str, Any]:
    """Return what `sweep -f json status NAME` prints. Raise UnknownSweep."""
    sweeps = [views.read_sweep(store, name)]
    facts = _make_facts(read_causes(store, name), find_learning_signs(store, name), read_known_accounts(store))
    return make_status_document(store, settings, sweeps, name) | facts


def _make_facts(
    causes: Sequence[StageCause], learning: LearningSigns, accounts: Sequence[ServiceFacts]
) -> dict[str, Any]:
    return {
        "causes": [cause._asdict() for cause in causes],
        "learning": list_sign_facts(learning.signs),
        "accounts": [make_facts_document(facts) for facts in accounts],
    }


def read_fleet(store: Store, settings: Settings) -> FleetStatus:
    """Read all that can keep a ready stage from starting."""
    workers, bounds = read_live_workers(store), settings.bounds
    threads = sum(int(report["threads"]) - int(report["busy"]) for report in workers.values())
    services = {service: read_service(store, service, bounds) for service in SERVICES}
    up_seconds = None if workers else read_uptime(settings.home)
    bugs, refusal = read_bugs(store), read_refusal(store.client)
    now, books = store.scripts.read_time(), read_books(store)
    return FleetStatus(len(workers), threads, services, up_seconds, bugs, refusal, now, books)


def make_status_document(store: Store, settings: Settings, sweeps: list[SweepView], name: str | None) -> dict[str, Any]:
    workers, fleet = read_live_workers(store), read_fleet(store, settings)
    failed = _read_first_stages(store, StageState.FAILED, name)
    skipped = (
        Counter(stage.cause for stage in views.read_stages(store, name, StageState.SKIPPED)) if name else Counter()
    )
    return {
        "sweeps": [make_sweep_row(view) | _make_waiting_row(view, fleet) for view in sweeps],
        "services": [_make_service_row(service) for service in fleet.services.values() if service.pools],
        "workers": [_make_worker_row(name, reported) for name, reported in workers.items()],
        "running": [_make_stage_row(stage) for stage in _read_first_stages(store, StageState.RUNNING, name)],
        "failed": [_make_stage_row(stage) | {"cause": stage.cause} for stage in failed],
        "skipped": [{"stages": count, "cause": cause} for cause, count in skipped.most_common(MOST)],
        "webhooks": [trouble.document() for trouble in list_troubled_webhooks(store)],
        "bugs": [_make_bug_row(bug) for bug in read_bugs(store)],
        "books": fleet.books.document(),
    }


def _read_first_stages(store: Store, state: StageState, name: str | None) -> list[StageView]:
    """Read the first stages in a state, of one sweep or of all."""
    if name is None:
        return views.read_stages_in_state(store, state, MOST)
    store = open_archive(store, name)
    return views.read_stage_views(store, views.list_stages(store, name, state)[:MOST])


def _make_service_row(service: ServiceView) -> dict[str, Any]:
    pools = {pool.name: _make_pool_row(pool) for pool in service.pools.values()}
    return {"service": service.name, "breaker": service.state, "cause": service.cause, "pools": pools}


def _make_waiting_row(view: SweepView, fleet: FleetStatus) -> dict[str, Any]:
    reason = explain_waiting(view, fleet)
    retries = [{"cause": cause, "stages": count} for cause, count in view.retries]
    return {"gate": reason.gate, "waiting_reason": reason.text, "retries": retries}


def _make_pool_row(pool: PoolView) -> dict[str, Any]:
    seen = pool.snapshot
    return {
        "limit": pool.capacity.limit,
        "taken": seen.taken,
        "opening": seen.opening,
        "queued": seen.queued,
        "paused_for_limit": seen.limited,
        "paused_for_capacity": seen.starved,
        "failing": seen.troubled,
    }


def _make_worker_row(name: str, reported: Mapping[str, str]) -> dict[str, Any]:
    counts = {field: int(reported.get(field, 0)) for field in ("threads", "busy", "stages")}
    return {"worker": name, **reported, **counts, "draining": reported.get("draining") == "1"}


def _make_bug_row(bug: Bug) -> dict[str, Any]:
    return {
        "verb": bug.verb,
        "message": bug.message,
        "where": bug.where,
        "first_seen_at": bug.since / 1000,
        "last_seen_at": bug.last / 1000,
        "failed_stages": bug.failed,
        "fleet_wide": bug.fleet,
    }


def _describe_slots(services: Sequence[Mapping[str, Any]]) -> str:
    """Say how many clients are open, in each pool that has any."""
    pools = [(name, pool) for service in services for name, pool in service["pools"].items() if pool["taken"]]
    return ", ".join(_count_open(name, pool) for name, pool in pools)


def _count_open(name: str, pool: Mapping[str, Any]) -> str:
    """Count the clients of one kind at a service; the name of a pool has both."""
    service, _, kind = name.partition("/")
    kept = KEPT if kind == "training" else ""
    return f"{pool['taken'] - pool['queued']} of {pool['limit']} allowed {kind} clients open at {service}{kept}"


def make_sweep_row(view: SweepView, output: Output | None = None) -> dict[str, Any]:
    """Return a sweep as `sweep list` prints it; for people if `output` is for people."""
    row: dict[str, Any] = {
        "sweep": view.name,
        "state": view.state,
        "stages": view.total,
        **{state: view.counts[state] for state in ORDER if view.counts.get(state)},
        "tokens": view.tokens,
    }
    if output is None or not output.for_people:
        return row | {"spent_usd": view.spent / 1e6, "submitted_at": view.submitted / 1000, "user": view.user}
    ago = format_duration(time.time() - view.submitted / 1000)
    return row | {"spent": format_usd(view.spent), "submitted": f"{ago} ago"}


def _list_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the columns that any row has, the states in the order of a stage's life."""
    named = dict.fromkeys(key for row in rows for key in row)
    rest = [key for key in named if key not in ORDER]
    return [*rest[:3], *(state for state in ORDER if state in named), *rest[3:]]


def _make_stage_row(stage: StageView) -> dict[str, Any]:
    return {
        "stage": stage.id,
        "label": stage.label,
        "attempt": stage.attempt,
        "worker": stage.worker,
        "step": stage.progress.get("step"),
        "steps": stage.progress.get("steps"),
        "nll": stage.progress.get("nll"),
    }


def _print(output: Output, sweeps: list[SweepView], document: Mapping[str, Any], troubles: Sequence[str]) -> None:
    rows = [make_sweep_row(view, output) for view in sweeps]
    _print_sweeps(output, rows)
    if any(view.services == ["offline"] and view.spent for view in sweeps):
        output.say("Offline models cost nothing: their `spent` is at a pretend price")
    for view, row in zip(sweeps, document["sweeps"], strict=True):
        for reason in filter(None, dict.fromkeys([row["waiting_reason"], describe_retries(view)])):
            output.say(f"{view.name}: {reason}")
    for title in ("running", "failed", "skipped"):
        if document[title]:
            output.say("")
            output.print_table(document[title], title=TITLES.get(title, title))
    for view in sweeps:
        if again := sum(view.counts.get(state, 0) for state in FAILURES):
            stages = f"{format_count(again, 'stage')} failed or {'was' if again == 1 else 'were'} skipped"
            output.say(f"{view.name}: {stages}; `sweep retry {view.name}` tries again")
    for line in troubles:
        output.say(line)
    slots = _describe_slots(document["services"])
    workers = _describe_all_workers(sweeps, document)
    if line := ", ".join(filter(None, [workers, slots])):
        output.say(f"\n{line}")


def _print_sweeps(output: Output, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        output.print_table(rows, title=format_count(len(rows), "sweep"), columns=_list_columns(rows))
    else:
        output.say(NO_SWEEP)


def _describe_all_workers(sweeps: Sequence[SweepView], document: Mapping[str, Any]) -> str:
    """Say which workers run; "" where a sweep says already that none does, or there is no sweep to work on."""
    if not document["workers"] and (not sweeps or any(row["gate"] == "worker" for row in document["sweeps"])):
        return ""
    idle = "" if any(view.ended < view.total for view in sweeps) else "all sweeps have ended, so none are needed"
    if idle and len(sweeps) == 1:  # the other sweeps may need some
        idle = f"{sweeps[0].name} has ended and needs none"
    return _describe_workers(document["workers"], idle)


def _describe_workers(workers: Sequence[Mapping[str, Any]], idle: str) -> str:
    """Say how many workers run and how busy they are; `idle` says why none has to run, if that is so."""
    if not workers:
        return f"No workers are running ({idle})" if idle else "No workers are running"
    busy, threads = (sum(worker[count] for worker in workers) for count in ("busy", "threads"))
    draining = [worker for worker in workers if worker["draining"]]
    stages = sum(worker["stages"] for worker in draining)
    also = f"; {len(draining)} draining, with {format_count(stages, 'stage')} running" if draining else ""
    return f"{format_count(len(workers), 'worker')}, {busy} of {threads} threads busy{also}"


def _print_accounts(output: Output, accounts: Sequence[ServiceFacts]) -> None:
    for account in accounts:
        output.say(f"account {account.service}: {describe_facts(account)}")


def _print_where(output: Output, settings: Settings) -> None:
    addresses = read_addresses(settings.home) if is_up(settings.home) else None  # a killed supervisor leaves its file
    if addresses is not None:
        output.say(addresses.flower)
        if addresses.page_url:
            output.say(f"Page: {addresses.page_url}  ({ADVICE})")


commands = {"list": list_, "status": status}
