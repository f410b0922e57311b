"""`sweep export --to`: every run of a sweep, shown to an experiment tracker."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track as progress

from scheduler.cli.console.output import Output
from scheduler.errors import TrackerUnusable
from scheduler.state import run_history, views
from scheduler.state.store import Store
from scheduler.trackers import Tracker, tracker
from sweeps.formatting import counted
from sweeps.report.tracker_runs import TrackedRun, track_run

Told = Mapping[str, Any]


def track(store: Store, name: str, place: str, output: Output) -> None:
    """Tell a tracker of every run, as it stands. Raises UnknownSweep, TrackerUnusable and NotInstalled."""
    sweep, rows = run_history.swept(store, name), views.results(store, name)
    there, screen, told = tracker(place, name), Console(stderr=True), list[Told]()
    for each in progress(
        run_history.followed(store, name, rows),
        description=f"{name} to {place.partition(':')[0]}",
        total=len(rows),
        console=screen,
        transient=True,
        disable=not (output.for_people and screen.is_terminal),
    ):
        run = track_run(sweep, each)
        told.append({"run": run.id, "name": run.name, "state": run.state, "new": _put(there, run, place)})
    if output.for_people:
        output.say(f"{name}: {_said(told)}\n{there.where}")
    else:
        output.rows("runs", told)


def _put(there: Tracker, run: TrackedRun, place: str) -> bool:
    try:
        return there.put(run)
    except OSError as error:
        raise TrackerUnusable(f"--to {place}: {error.strerror or error}; name another place") from None


def _said(told: Sequence[Told]) -> str:
    new = sum(each["new"] for each in told)
    states = Counter(each["state"] for each in told)
    parts = f"{', '.join(f'{count:,} {state}' for state, count in states.items())}"
    return f"{counted(len(told), 'run')} ({parts}); {new:,} new or changed, {len(told) - new:,} there already"
