"""`sweep pause`, `sweep resume`, `sweep cancel`, `sweep retry` and `sweep priority`."""

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import UnknownSweep
from scheduler.services import SERVICES
from scheduler.settings import from_environment
from scheduler.state.states import StageState
from scheduler.state.views import read_sweep
from sweeps.formatting import format_count

FAILED = (StageState.FAILED, StageState.SKIPPED)


@click.command()
@click.argument("name")
@click.pass_obj
def pause(output: Output, name: str) -> None:
    """Let NAME pay for nothing until it is resumed. What runs for it saves where it is, and stops."""
    with open_store(from_environment()) as store:
        before = store.scripts.run("pause_sweep", name)
    _require_sweep(name, before)
    _print_state(output, name, "paused" if before == "active" else before)
    if before == "active":
        output.say(f"{name}: paused; what runs for it stops at its next step, `sweep resume {name}` goes on from there")
    else:
        output.say(f"{name} is {before}; only an active sweep can be paused")


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def resume(output: Output, name: str | None) -> None:
    """Let NAME, which is paused, go on. So does every service that was stopped for its key or its bill."""
    with open_store(from_environment()) as store:
        before = store.scripts.run("resume_sweep", name) if name else ""
        if name:
            _require_sweep(name, before)
        services = [service for service in SERVICES if store.scripts.run("resume_service", service)]
    for service in services:
        output.say(f"{service}: is tried again with one small step; if that is done, everything goes on")
    rows = [{"sweep": name, "state": "active" if before == "paused" else before}] if name else []
    if output.form == "json":
        output.document({"sweeps": rows, "services": services})
    elif not output.for_people:
        output.csv(rows, columns=["sweep", "state"])
    elif name and before == "paused":
        output.say(f"{name}: goes on")
    elif name and not services:
        output.say(f"{name} is {before}, not paused; nothing to resume")
    elif not name and not services:
        output.say("no service is stopped; `sweep resume NAME` lets a sweep that is paused go on")


@click.command()
@click.argument("name")
@click.pass_obj
def cancel(output: Output, name: str) -> None:
    """Stop wanting what NAME asked for. Stages that other sweeps want go on."""
    with open_store(from_environment()) as store:
        before = store.scripts.run("cancel_sweep", name)
    _require_sweep(name, before)
    done = before in ("active", "paused", "opening")
    if not output.for_people:
        output.rows("sweeps", [{"sweep": name, "state": "cancelled" if done else before}])
    else:
        output.say(f"{name}: cancelled" if done else f"{name} was {before} already; nothing to cancel")


@click.command()
@click.argument("name")
@click.option("--failed", is_flag=True, help="Only what failed, and what was skipped for that; not what was cancelled.")
@click.pass_obj
def retry(output: Output, name: str, failed: bool) -> None:
    """Try what failed in NAME, or was cancelled, once more."""
    how, states = ("reopen_failed", FAILED) if failed else ("reopen", (*FAILED, StageState.CANCELLED))
    with open_store(from_environment()) as store:
        counts = read_sweep(store, name).counts
        again = sum(counts.get(state, 0) for state in states)
        if again or not failed:  # else what was cancelled would be active again, and at once finished
            store.scripts.run("retry_sweep", name, how)
    if not output.for_people:
        output.rows("sweeps", [{"sweep": name, "reopened": again}])
    elif again:
        output.say(f"{name}: {format_count(again, 'stage')} {'is' if again == 1 else 'are'} opened again")
    else:
        output.say(f"{name}: nothing {'has failed' if failed else 'failed or was cancelled'}; nothing to try again")


@click.command()
@click.argument("name")
@click.argument("number", type=click.IntRange(0, 1_000_000))
@click.pass_obj
def priority(output: Output, name: str, number: int) -> None:
    """Let NAME go before those with a lower NUMBER, from now on. What runs is not interrupted."""
    with open_store(from_environment()) as store:
        before = store.scripts.run("set_priority", name, number)
    _require_sweep(name, before)
    if output.for_people:
        output.say(f"{name}: priority {number}, {before} before")
    else:
        output.rows("sweeps", [{"sweep": name, "priority": number, "before": int(before)}])


def _print_state(output: Output, name: str, state: str) -> None:
    """The state it has now, for programs."""
    if not output.for_people:
        output.rows("sweeps", [{"sweep": name, "state": state}])


def _require_sweep(name: str, state: str) -> None:
    if not state:
        raise UnknownSweep(f"no sweep is named {name!r}; `sweep list` shows those there are")


commands = {"pause": pause, "resume": resume, "cancel": cancel, "retry": retry, "priority": priority}
