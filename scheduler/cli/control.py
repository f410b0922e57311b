"""Change sweeps that were submitted: `sweep pause`, `resume`, `cancel`, `retry` and `priority`."""

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import SchedulerError
from scheduler.services import SERVICES
from scheduler.settings import read_settings
from scheduler.state.states import FAILURES, StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.views import name_unknown_sweep, read_sweep
from sweeps.formatting import format_count


@click.command()
@click.argument("name")
@click.pass_obj
def pause(output: Output, name: str) -> None:
    """Pause NAME: its running stages save a checkpoint and stop."""
    with open_store(read_settings()) as store:
        before = store.scripts.run("pause_sweep", name)
        _require_sweep(store, name, before)
    _print_state(output, name, "paused" if before == "active" else before)
    if before == "active":
        output.say(f"{name}: paused; running stages save a checkpoint and stop; `sweep resume {name}` continues it")
    else:
        output.say(f"{name} is {before}; you can only pause an active sweep")


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def resume(output: Output, name: str | None) -> None:
    """Continue NAME after a pause, a refused key or an unpaid bill.

    A service is stopped when it refuses the API key or when a bill is unpaid. Without NAME, only services are tried.
    """
    with open_store(read_settings()) as store:
        before = store.scripts.run("resume_sweep", name) if name else ""
        if name:
            _require_sweep(store, name, before)
        services = [service for service in SERVICES if store.scripts.run("resume_service", service)]
    for service in services:
        output.say(f"{service}: trying one small step; if it succeeds, work on this service continues")
    rows = [{"sweep": name, "state": "active" if before == "paused" else before}] if name else []
    if output.form == "json":
        output.print_document({"sweeps": rows, "services": services})
    elif not output.for_people:
        output.print_csv(rows, columns=["sweep", "state"])
    elif name and before == "paused":
        output.say(f"{name}: resumed")
    elif name and not services:
        output.say(f"{name} is {before}, not paused: nothing to resume")
    elif not name and not services:
        output.say("no service is stopped; `sweep resume NAME` continues a paused sweep")


@click.command()
@click.argument("name")
@click.pass_obj
def cancel(output: Output, name: str) -> None:
    """Cancel NAME. Stages that other sweeps share continue."""
    with open_store(read_settings()) as store:
        before = store.scripts.run("cancel_sweep", name)
        _require_sweep(store, name, before)
    done = before in ("active", "paused", "opening")
    if not output.for_people:
        output.print_rows("sweeps", [{"sweep": name, "state": "cancelled" if done else before}])
    else:
        output.say(f"{name}: cancelled" if done else f"{name} is already {before}: nothing to cancel")


@click.command()
@click.argument("name")
@click.option("--failed", is_flag=True, help="Only failed and skipped stages, not cancelled ones.")
@click.pass_obj
def retry(output: Output, name: str, failed: bool) -> None:
    """Try the failed, skipped and cancelled stages of NAME again."""
    how, states = ("reopen_failed", FAILURES) if failed else ("reopen", (*FAILURES, StageState.CANCELLED))
    with open_store(read_settings()) as store:
        view = read_sweep(store, name)
        again = sum(view.counts.get(state, 0) for state in states)
        cancelled = view.state == SweepState.CANCELLED and not failed  # perhaps before its stages were
        opens = again or (not failed and view.state != SweepState.FINISHED)  # else it would be active, and end at once
        if opens and store.scripts.run("retry_sweep", name, how) == "archived":
            raise SchedulerError(f"{name} is archived: its stages are gone; submit its file under another name")
    if not output.for_people:
        output.print_rows("sweeps", [{"sweep": name, "reopened_stages": again}])
    elif again:
        output.say(f"{name}: trying {format_count(again, 'stage')} again")
    elif cancelled:
        output.say(f"{name}: no longer cancelled; it continues")
    else:
        output.say(f"{name}: no stage {'has failed' if failed else 'failed or was cancelled'}: nothing to try again")


@click.command()
@click.argument("name")
@click.argument("number", type=click.IntRange(0, 1_000_000))
@click.pass_obj
def priority(output: Output, name: str, number: int) -> None:
    """Set the priority of NAME. Sweeps with a higher NUMBER start first.

    Running stages are not interrupted.
    """
    with open_store(read_settings()) as store:
        before = store.scripts.run("set_priority", name, number)
        _require_sweep(store, name, before)
    if output.for_people:
        output.say(f"{name}: priority {number} (it was {before})")
    else:
        output.print_rows("sweeps", [{"sweep": name, "priority": number, "previous_priority": int(before)}])


def _print_state(output: Output, name: str, state: str) -> None:
    """Print the state that it has now, for programs."""
    if not output.for_people:
        output.print_rows("sweeps", [{"sweep": name, "state": state}])


def _require_sweep(store: Store, name: str, state: str) -> None:
    if not state:
        raise name_unknown_sweep(store, name)


commands = {"pause": pause, "resume": resume, "cancel": cancel, "retry": retry, "priority": priority}
