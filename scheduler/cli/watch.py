"""Show the progress of sweeps until they end (`sweep watch`), or only wait for that (`sweep wait`)."""

import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.status import make_sweep_row, read_fleet
from scheduler.engine.admission import MONEY
from scheduler.engine.work_left import read_progress, read_work, share_work
from scheduler.settings import Settings, read_settings
from scheduler.state import views
from scheduler.state.missing_rights import raise_for_refusal
from scheduler.state.states import ENDED_SWEEPS, FAILURES, StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.training_facts import find_learning_signs
from scheduler.state.views import StageView, SweepView
from scheduler.waiting_reasons import explain_waiting
from sweeps.analysis.learning_words import describe_running
from sweeps.formatting import escape, escape_lines, format_duration, format_usd, name_loss

LOOK_EVERY = 0.5  # seconds
LINE_EVERY = 5.0  # seconds between two lines if there is no terminal
ENOUGH = 3  # stages' worth of work that must be done before there is a pace to speak of
SHOWN = 8  # running stages that are listed
STATE_WORDS: dict[str, str] = {
    StageState.WAITING: "waiting for an earlier stage",
    StageState.DISPATCHED: "dispatched to a worker",
}


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def watch(output: Output, names: tuple[str, ...]) -> None:
    """Show the progress of NAMES until they end."""
    with open_store(read_settings()) as store:
        if output.for_people and any(views.read_sweep(store, name).services == ["offline"] for name in names):
            output.say("Offline models cost nothing: their dollars are at a pretend price")
        seen = follow(store, names, output)
        for name in names if output.for_people else ():
            for line in find_learning_signs(store, name).sentences:
                output.say(f"{name}: {line}")
    if not output.for_people:
        output.print_rows("sweeps", [make_sweep_row(view) for view in seen])


def follow(
    store: Store, names: Sequence[str], output: Output, check: Callable[[], None] = lambda: None
) -> list[SweepView]:
    """Show sweeps until all have ended, and return their last views. Calls `check` at every look."""
    draws = _Drawing if sys.stdout.isatty() and output.for_people else _Lines
    settings = read_settings()
    pace = SweepPace(store, names)
    with draws(store, settings, output) as picture:
        while True:
            check()
            seen = [views.read_sweep(store, name) for name in names]
            picture.show(seen, pace.describe_time_left(seen), ended=have_ended(seen))
            if have_ended(seen):
                return seen
            raise_for_refusal(store.client)
            time.sleep(LOOK_EVERY)


def have_ended(seen: Sequence[SweepView]) -> bool:
    """Has every sweep ended?"""
    return all(view.state in ENDED_SWEEPS for view in seen)


class SweepPace:
    """Estimates the time left from the pace since the watch began, by the expected cost of what ended and is left."""

    def __init__(self, store: Store, names: Sequence[str]) -> None:
        self._store = store
        self._work = {stage: known for name in names for stage, known in read_work(store, name).items()}
        self._typical = sum(known.weight for known in self._work.values()) / max(1, len(self._work))
        self._before = self._read_progress(names)
        self._began = self._looked = time.monotonic()
        self._shares = (0.0, 0.0)

    def describe_time_left(self, seen: Sequence[SweepView]) -> str:
        """Say how long it takes yet; "" at the end, and where there is no pace."""
        if all(view.ended == view.total for view in seen):
            return ""
        if time.monotonic() - self._looked >= LINE_EVERY:
            progress = self._read_progress([view.name for view in seen])
            self._looked, self._shares = time.monotonic(), share_work(self._work, progress, self._before)
        done, left = self._shares
        if done < ENOUGH * self._typical or not left or any(view.gate in MONEY for view in seen):
            return ""  # a sweep that a budget stops has no pace
        seconds = (self._looked - self._began) / done * left
        return f"about {'1 min' if 60 <= seconds < 90 else format_duration(seconds)} left"

    def _read_progress(self, names: Sequence[str]) -> dict[str, float]:
        return {stage: share for name in names for stage, share in read_progress(self._store, name).items()}


class _Drawing:
    """Draws live on a terminal, and removes the drawing at the end."""

    def __init__(self, store: Store, settings: Settings, output: Output) -> None:
        self._store, self._settings = store, settings
        self._live = Live(console=output.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, seen: Sequence[SweepView], left: str, *, ended: bool) -> None:  # noqa: ARG002 - as in _Lines
        self._live.update(_draw(self._store, self._settings, seen, left))


class _Lines:
    """Prints a line every few seconds if there is no terminal."""

    def __init__(self, store: Store, settings: Settings, output: Output) -> None:
        self._store, self._settings, self._output = store, settings, output
        self._next, self._last = 0.0, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to restore."""

    def show(self, seen: Sequence[SweepView], left: str, *, ended: bool) -> None:
        if not ended and time.monotonic() < self._next:
            return
        fleet = read_fleet(self._store, self._settings)
        reasons = ((view, explain_waiting(view, fleet).text) for view in seen)
        lines = [_summarize(view) + (f"\n  {reason}" if reason else "") for view, reason in reasons]
        text = "\n".join([*lines, left] if left else lines)
        if text != self._last:
            self._output.say(text)
        self._next, self._last = time.monotonic() + LINE_EVERY, text


def _draw(store: Store, settings: Settings, seen: Sequence[SweepView], left: str) -> RenderableType:
    fleet = read_fleet(store, settings)
    parts: list[RenderableType] = []
    for view in seen:
        parts += [ProgressBar(total=max(view.total, 1), completed=view.ended, width=60), Text(escape(_summarize(view)))]
        if waits := explain_waiting(view, fleet).text:
            parts.append(Text(escape(waits), style="yellow"))
    return Group(
        *parts,
        Text(escape_lines(left)),
        _make_running_table(views.read_stages_in_state(store, StageState.RUNNING, 200)),
    )


def _summarize(view: SweepView) -> str:
    order = [state.value for state in StageState]
    counts = ", ".join(
        f"{view.counts[state]:,} {STATE_WORDS.get(state, state)}" for state in order if view.counts.get(state)
    )
    used = f"{view.tokens:,} tokens, {format_usd(view.spent)}"
    return f"{view.name}: {view.ended:,} of {view.total:,} stages  ({counts or 'not started yet'})  {used}"


def _make_running_table(running: list[StageView]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for stage in running[:SHOWN]:
        step, steps = stage.progress.get("step"), stage.progress.get("steps")
        where = f"step {step}/{steps}" if step else "starting"
        table.add_row(escape(stage.label), where, name_loss(stage.progress), _describe_learning(stage))
    if len(running) > SHOWN:
        table.add_row(f"… and {len(running) - SHOWN} more", "", "", "")
    return table


def _describe_learning(stage: StageView) -> str:
    """Say what shows that a running training may not learn."""
    facts = stage.progress.get("learning")
    return describe_running(facts) if isinstance(facts, dict) else ""


FINISHED, WITH_FAILURES, TIMED_OUT = 0, 3, 4  # statuses of `sweep wait`
LONGEST_LOOK = 5.0  # seconds between two looks


class Duration(click.ParamType[float]):
    """Seconds, written as 90, 90s, 30m, 8h or 2d."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,7}(?:\.\d+)?)([smhd]?)", str(value))
        if match is None:
            self.fail(f"expected a time such as 90s, 30m, 8h or 2d, got {value!r}", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--timeout", type=Duration(), help="Give up after this time: 90s, 30m, 8h. [default: never]")
@click.pass_obj
def wait(output: Output, names: tuple[str, ...], timeout: float | None) -> int:
    """Wait until NAMES have ended, for scripts and agents.

    The status is 0 if all finished, 3 if a stage failed or a sweep was cancelled, and 4 after the timeout.
    """
    with open_store(read_settings()) as store:
        seen = _wait_for_end(store, names, math.inf if timeout is None else timeout)
    output.print_rows("sweeps", [make_sweep_row(view, output) for view in seen])
    if not have_ended(seen):
        return TIMED_OUT
    return FINISHED if all(map(_has_succeeded, seen)) else WITH_FAILURES


def _wait_for_end(store: Store, names: Sequence[str], timeout: float) -> list[SweepView]:
    """Look ever less often. What keeps everything from going on raises, as in a watch."""
    gives_up, gap = time.monotonic() + timeout, LOOK_EVERY
    while True:
        seen = [views.read_sweep(store, name) for name in names]
        left = gives_up - time.monotonic()
        if have_ended(seen) or left <= 0:
            return seen
        raise_for_refusal(store.client)
        time.sleep(min(gap, left))
        gap = min(1.2 * gap, LONGEST_LOOK)


def _has_succeeded(view: SweepView) -> bool:
    return view.state == SweepState.FINISHED and not any(view.counts.get(state) for state in FAILURES)


commands = {"watch": watch, "wait": wait}
