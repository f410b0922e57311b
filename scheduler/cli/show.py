"""`sweep list` and `sweep status`: what there is, and at a glance why anything waits."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scheduler import views
from scheduler.cli.options import the_store
from scheduler.cli.output import Output, counted, dollars, duration
from scheduler.cli.up import where
from scheduler.settings import Settings, from_environment
from scheduler.states import StageState
from scheduler.store import Store
from scheduler.supervise import find
from scheduler.tick import live_workers
from scheduler.views import StageView, SweepView

MOST = 20  # running stages, failures, and reasons to skip that are listed
GATES = {
    "day budget": "day budget: what all sweeps may spend in a day (SWEEP_DAY_BUDGET) is spent or held; "
    "`sweep costs` shows it, and it goes on at 00:00 UTC",
    "no price": "no price: under a budget nothing runs that has none; add one in a file that SWEEP_PRICES names, "
    "and submit the sweep under another name",
}
ORDER = [state.value for state in StageState]


@click.command(name="list")
@click.pass_obj
def list_(output: Output) -> None:
    """List the sweeps of this state folder, or of REDIS_URL."""
    with the_store(from_environment()) as store:
        found = views.sweeps(store)
    rows = [_sweep_row(view, output) for view in found]
    output.rows("sweeps", rows, columns=_columns(rows))


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def status(output: Output, name: str | None) -> None:
    """Show what is going on, in all sweeps or in NAME."""
    settings = from_environment()
    with the_store(settings) as store:
        found = [views.sweep(store, name)] if name else views.sweeps(store)
        document = _document(store, found, name)
    if output.form == "json":
        output.document(document)
    elif output.form == "csv":
        output.csv(document["sweeps"], columns=_columns(document["sweeps"]))
    else:
        _print(output, settings, found, document)


def _document(store: Store, found: list[SweepView], name: str | None) -> dict[str, Any]:
    workers = live_workers(store)
    skipped = Counter(stage.cause for stage in views.stages_of(store, name, StageState.SKIPPED)) if name else Counter()
    return {
        "sweeps": [_sweep_row(view) | {"waits": why_it_waits(view, workers)} for view in found],
        "workers": [{"worker": worker, **said} for worker, said in workers.items()],
        "running": [_stage_row(stage) for stage in _some(store, StageState.RUNNING, name)],
        "failed": [_stage_row(each) | {"cause": each.cause} for each in _some(store, StageState.FAILED, name)],
        "skipped": [{"stages": count, "cause": cause} for cause, count in skipped.most_common(MOST)],
    }


def _some(store: Store, state: StageState, name: str | None) -> list[StageView]:
    """The first ones of a sweep, or of all."""
    return views.stages_of(store, name, state)[:MOST] if name else views.stages_in(store, state, MOST)


def why_it_waits(view: SweepView, workers: Mapping[str, Mapping[str, str]]) -> str:
    """The one reason that a person should know first; empty if nothing waits without need."""
    if view.state != "active":
        return _held_by_hand(view)
    if not workers:
        return "no worker is up: `sweep up` starts some"
    if view.gate == "budget":
        held = view.reserved + view.doubtful
        spent = f"{dollars(view.spent)} spent and {dollars(held)} held of {dollars(view.limit)}"
        return f"budget: {spent}; `sweep budget {view.name} USD` raises it"
    if view.gate in GATES:
        return GATES[view.gate]
    ready = view.counts.get(StageState.READY, 0)
    if view.gate == "slots" and ready:
        return f"{ready:,} wait for a slot of the sweep's own limit"
    return f"{ready:,} wait for a slot or a thread" if ready else ""


def _held_by_hand(view: SweepView) -> str:
    if view.state == "opening":
        return "not wholly submitted: submit the same file again"
    if view.state == "paused":
        since = time.strftime("%H:%M", time.localtime(view.since / 1000))
        return f"paused since {since}; `sweep resume {view.name}` goes on"
    return ""


def _sweep_row(view: SweepView, output: Output | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sweep": view.name,
        "state": view.state,
        "stages": view.total,
        **{state: view.counts[state] for state in ORDER if view.counts.get(state)},
        "tokens": view.tokens,
    }
    if output is None or not output.for_people:
        return row | {"usd": view.spent / 1e6, "submitted": view.submitted / 1000, "user": view.user}
    ago = duration(time.time() - view.submitted / 1000)
    return row | {"spent": dollars(view.spent), "submitted": f"{ago} ago"}


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


def _print(output: Output, settings: Settings, found: list[SweepView], document: Mapping[str, Any]) -> None:
    rows = [_sweep_row(view, output) for view in found]
    output.table(rows, title=counted(len(rows), "sweep"), columns=_columns(rows))
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
    threads = sum(int(worker["threads"]) for worker in document["workers"])
    busy = sum(int(worker["busy"]) for worker in document["workers"])
    output.say(
        f"\n{counted(len(document['workers']), 'worker')}, {busy} of {threads} threads busy, {settings.slots} slots"
    )
    if addresses := find(settings.home):
        output.say(where(addresses))


commands = {"list": list_, "status": status}
