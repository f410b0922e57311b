"""`sweep pause`, `sweep resume`, `sweep cancel` and `sweep retry`."""

import click

from scheduler.cli.options import the_store
from scheduler.cli.output import Output
from scheduler.errors import UnknownSweep
from scheduler.settings import from_environment
from scheduler.views import sweep


@click.command()
@click.argument("name")
@click.pass_obj
def pause(output: Output, name: str) -> None:
    """Let NAME pay for nothing until it is resumed. What runs for it saves where it is, and stops."""
    with the_store(from_environment()) as store:
        before = store.scripts.run("pause_sweep", name)
    _known(name, before)
    _tell(output, name, "paused" if before == "active" else before)
    if before == "active":
        output.say(f"{name}: paused; what runs for it stops at its next step, `sweep resume {name}` goes on from there")
    else:
        output.say(f"{name} is {before}; only an active sweep can be paused")


@click.command()
@click.argument("name")
@click.pass_obj
def resume(output: Output, name: str) -> None:
    """Let NAME, which is paused, go on."""
    with the_store(from_environment()) as store:
        before = store.scripts.run("resume_sweep", name)
    _known(name, before)
    _tell(output, name, "active" if before == "paused" else before)
    if before == "paused":
        output.say(f"{name}: goes on")
    else:
        output.say(f"{name} is {before}, not paused; nothing to resume")


@click.command()
@click.argument("name")
@click.pass_obj
def cancel(output: Output, name: str) -> None:
    """Stop wanting what NAME asked for. Stages that other sweeps want go on."""
    with the_store(from_environment()) as store:
        before = store.scripts.run("cancel_sweep", name)
    _known(name, before)
    done = before in ("active", "paused", "opening")
    if not output.for_people:
        output.rows("sweeps", [{"sweep": name, "state": "cancelled" if done else before}])
    else:
        output.say(f"{name}: cancelled" if done else f"{name} was {before} already; nothing to cancel")


@click.command()
@click.argument("name")
@click.pass_obj
def retry(output: Output, name: str) -> None:
    """Try what failed in NAME, or was cancelled, once more."""
    with the_store(from_environment()) as store:
        counts = sweep(store, name).counts
        store.scripts.run("retry_sweep", name)
    again = sum(counts.get(state, 0) for state in ("failed", "cancelled", "skipped"))
    if output.for_people:
        output.say(f"{name}: {again:,} stages are opened again")
    else:
        output.rows("sweeps", [{"sweep": name, "reopened": again}])


def _tell(output: Output, name: str, state: str) -> None:
    """The state it has now, for programs."""
    if not output.for_people:
        output.rows("sweeps", [{"sweep": name, "state": state}])


def _known(name: str, state: str) -> None:
    if not state:
        raise UnknownSweep(f"no sweep is named {name!r}; `sweep list` shows those there are")


commands = {"pause": pause, "resume": resume, "cancel": cancel, "retry": retry}
