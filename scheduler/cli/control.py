"""Change sweeps that were submitted: `sweep pause`, `resume`, `cancel`, `retry` and `priority`."""

import click

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.settings import read_settings
from scheduler.state.people import sweep_changes as changes
from sweeps.formatting import format_count


@click.command()
@click.argument("name")
@click.pass_obj
def pause(output: Output, name: str) -> None:
    """Pause NAME: its running stages save a checkpoint and stop."""
    settings = read_settings()
    with open_store(settings) as store:
        before, after = changes.pause_sweep(store, find_actor(settings), name)
    _print_state(output, name, after)
    if before == "active":
        output.say(f"{name}: paused; running stages save a checkpoint and stop; `sweep resume {name}` continues it")
    else:
        output.say(f"{name} is {before}; you can only pause an active sweep")


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def resume(output: Output, name: str | None) -> None:
    """Continue after a pause, a refused key or an unpaid bill.

    A service that refuses the API key, or has an unpaid bill, is stopped for all sweeps. This command tests each
    stopped service again with one small training step. If that succeeds, all sweeps continue there. A paused sweep
    continues only if you give its NAME.
    """
    settings = read_settings()
    with open_store(settings) as store:
        actor = find_actor(settings)
        before, after = changes.resume_sweep(store, actor, name) if name else ("", "")
        services = changes.resume_services(store, actor, by_the_way=name is not None)
    for service in services:
        output.say(f"{service}: trying one small step; if it succeeds, work on this service continues")
    rows = [{"sweep": name, "state": after}] if name else []
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
    settings = read_settings()
    with open_store(settings) as store:
        before, after = changes.cancel_sweep(store, find_actor(settings), name)
    _print_state(output, name, after)
    if output.for_people:
        done = before != after
        output.say(f"{name}: cancelled" if done else f"{name} is already {before}: nothing to cancel")


@click.command()
@click.argument("name")
@click.option("--failed", is_flag=True, help="Only failed and skipped stages, not cancelled ones.")
@click.pass_obj
def retry(output: Output, name: str, failed: bool) -> None:
    """Try the failed, skipped and cancelled stages of NAME again."""
    settings = read_settings()
    with open_store(settings) as store:
        again, cancelled = changes.retry_sweep(store, find_actor(settings), name, failed=failed)
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
@click.argument("number", type=click.IntRange(0, changes.HIGHEST_PRIORITY))
@click.pass_obj
def priority(output: Output, name: str, number: int) -> None:
    """Set the priority of NAME. Sweeps with a higher NUMBER start first.

    Running stages are not interrupted.
    """
    settings = read_settings()
    with open_store(settings) as store:
        before = changes.set_priority(store, find_actor(settings), name, number)
    if output.for_people:
        output.say(f"{name}: priority {number} (it was {before})")
    else:
        output.print_rows("sweeps", [{"sweep": name, "priority": number, "previous_priority": before}])


def _print_state(output: Output, name: str, state: str) -> None:
    """Print the state that it has now, for programs."""
    if not output.for_people:
        output.print_rows("sweeps", [{"sweep": name, "state": state}])


commands = {"pause": pause, "resume": resume, "cancel": cancel, "retry": retry, "priority": priority}
