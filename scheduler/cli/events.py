"""`sweep events`: what happened, move by move: why an attempt ended, and from where the next one went on."""

import time
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import SchedulerError
from scheduler.settings import from_environment
from scheduler.state import views
from scheduler.state.events import Event
from scheduler.state.events import read_events as read
from sweeps.formatting import format_count


@click.command()
@click.argument("name")
@click.option("--stage", help="Of this stage alone: its id, or what it is.")
@click.option("--last", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, at most.")
@click.pass_obj
def events(output: Output, name: str, stage: str | None, last: int) -> None:
    """Show what happened to the stages of NAME, the newest last."""
    with open_store(from_environment()) as store:
        views.read_sweep(store, name)  # says so if there is none
        found = read(store, name, stage=stage, last=last)
        if stage and not found:
            raise SchedulerError(f"the log has no stage {stage!r} of {name}; `sweep events {name}` shows those it has")
    output.rows("events", [_row(event, output) for event in found], title=format_count(len(found), "event"))


def _row(event: Event, output: Output) -> dict[str, Any]:
    if not output.for_people:
        return {
            "at": event.at / 1000,
            "stage": event.stage,
            "what": event.what,
            "from": event.came_from,
            "to": event.to,
            "attempt": event.attempt,
            "worker": event.worker,
            "detail": event.detail,
        }
    when = time.strftime("%m-%d %H:%M:%S", time.localtime(event.at / 1000))
    moved = f"{event.came_from} → {event.to}" if event.to else ""
    return {"when": when, "what": event.what, "move": moved, "attempt": event.attempt, "detail": event.detail}


commands = {"events": events}
