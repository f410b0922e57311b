"""`sweep watch`: the night as it goes, until it has an end."""

import sys
import time
from collections.abc import Callable

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scheduler import views
from scheduler.cli.options import the_store
from scheduler.cli.output import Output, dollars, duration
from scheduler.cli.show import why_it_waits
from scheduler.settings import from_environment
from scheduler.states import StageState
from scheduler.store import Store
from scheduler.tick import live_workers
from scheduler.views import StageView, SweepView

LOOK_EVERY = 0.5  # seconds
LINE_EVERY = 5.0  # seconds between two lines where there is no terminal to draw on
SHOWN = 8  # running stages in view


@click.command()
@click.argument("name")
@click.pass_obj
def watch(output: Output, name: str) -> None:
    """Watch NAME until it has finished."""
    with the_store(from_environment()) as store:
        follow(store, name, output)


def follow(store: Store, name: str, output: Output, each: Callable[[], None] = lambda: None) -> SweepView:
    """Show a sweep until it has ended; `each` is called with every look. The last view is the answer."""
    began, before = time.monotonic(), views.sweep(store, name).ended
    draw = _live if sys.stdout.isatty() and output.for_people else _lines
    return draw(store, name, output, lambda view: _left(view, before, time.monotonic() - began), each)


def _left(view: SweepView, before: int, seconds: float) -> str:
    """How long the rest takes at the pace so far: a guess, and said to be one."""
    done = view.ended - before
    if done < 3 or view.ended == view.total:
        return ""
    return f"about {duration(seconds / done * (view.total - view.ended))} left"


def _live(
    store: Store, name: str, output: Output, left: Callable[[SweepView], str], each: Callable[[], None]
) -> SweepView:
    with Live(console=output.console, refresh_per_second=4, transient=True) as live:
        while True:
            each()
            view = views.sweep(store, name)
            live.update(_picture(store, view, left(view)))
            if view.state not in ("active", "opening"):
                return view
            time.sleep(LOOK_EVERY)


def _lines(
    store: Store, name: str, output: Output, left: Callable[[SweepView], str], each: Callable[[], None]
) -> SweepView:
    next_line, last = 0.0, ""
    while True:
        each()
        view = views.sweep(store, name)
        text = f"{_summary(view)}  {left(view)}".rstrip()
        ended = view.state not in ("active", "opening")
        if text != last and (ended or time.monotonic() >= next_line):
            output.say(text)
            next_line, last = time.monotonic() + LINE_EVERY, text
        if ended:
            return view
        time.sleep(LOOK_EVERY)


def _picture(store: Store, view: SweepView, left: str) -> RenderableType:
    running = views.stages_in(store, StageState.RUNNING, 200)
    parts: list[RenderableType] = [
        ProgressBar(total=max(view.total, 1), completed=view.ended, width=60),
        Text(f"{_summary(view)}  {left}".rstrip()),
    ]
    if waits := why_it_waits(view, live_workers(store)):
        parts.append(Text(waits, style="yellow"))
    return Group(*parts, _running_table(running))


def _summary(view: SweepView) -> str:
    order = [state.value for state in StageState]
    counts = ", ".join(f"{view.counts[state]:,} {state}" for state in order if view.counts.get(state))
    used = f"{view.tokens:,} tokens, {dollars(view.spent)}"
    return f"{view.name}: {view.ended:,} of {view.total:,} stages  ({counts})  {used}"


def _running_table(running: list[StageView]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for stage in running[:SHOWN]:
        step, steps, nll = (stage.progress.get(key) for key in ("step", "steps", "nll"))
        where = f"step {step}/{steps}" if step else "starting"
        table.add_row(stage.label, where, f"nll {nll:.3f}" if isinstance(nll, float) else "")
    if len(running) > SHOWN:
        table.add_row(f"… and {len(running) - SHOWN} more", "", "")
    return table


commands = {"watch": watch}
