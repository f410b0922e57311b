"""Print what happened to the stages of a sweep, one move at a time (`sweep events`)."""

import time
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import SchedulerError
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.events import Event
from scheduler.state.events import read_events as read
from sweeps.formatting import format_count


@click.command()
@click.argument("name")
@click.option("--stage", help="Only this stage: its id or its label.")
@click.option(
    "--last", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many events."
)
@click.pass_obj
def events(output: Output, name: str, stage: str | None, last: int) -> None:
    """Show what happened to the stages of NAME, newest last."""
    with open_store(read_settings()) as store:
        views.read_sweep(store, name)  # raises UnknownSweep
        events = read(store, name, stage=stage, last=last)
        if stage and not events:
            raise SchedulerError(f"no events of stage {stage!r} in {name}; `sweep events {name}` lists its stages")
    output.print_rows(
        "events", [_make_row(event, output) for event in events], title=format_count(len(events), "event")
    )


def _make_row(event: Event, output: Output) -> dict[str, Any]:
    if not output.for_people:
        return make_event_row(event)
    when = time.strftime("%m-%d %H:%M:%S", time.localtime(event.at / 1000))
    moved = f"{event.from_state} → {event.to}" if event.to else ""
    attempt = event.attempt or None  # none before the first
    return {"time": when, "stage": event.what, "state change": moved, "attempt": attempt, "detail": event.detail}


def make_event_row(event: Event) -> dict[str, Any]:
    """Return an event as programs get it."""
    return {
        "at": event.at / 1000,
        "stage": event.stage,
        "label": event.what,
        "from": event.from_state,
        "to": event.to,
        "attempt": event.attempt,
        "worker": event.worker,
        "detail": event.detail,
    }


commands = {"events": events}
