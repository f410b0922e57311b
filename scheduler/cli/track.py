"""Send every run of a sweep to an experiment tracker (`sweep export --to`)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import track as progress

from scheduler.cli.console.output import Output
from scheduler.errors import TrackerUnusable
from scheduler.state.answer_inputs import read_conclusion
from scheduler.state.evaluation_items import read_told_results
from scheduler.state.runs import run_history
from scheduler.state.store import Store
from scheduler.trackers import Tracker, open_tracker
from sweeps.formatting import format_count
from sweeps.report.tracker_runs import TrackedRun, track_conclusion, track_run

TrackedRow = Mapping[str, Any]


def track(store: Store, url: str, name: str, place: str, output: Output) -> None:
    """Send every run to a tracker, as it is now. Raises UnknownSweep, TrackerUnusable and NotInstalled."""
    sweep, (runs, unread) = run_history.read_shared_facts(store, name), read_told_results(store, url, name)
    output.warn(unread)
    conclusion = read_conclusion(store, name, url)
    there, screen, rows, tracked = (
        open_tracker(place, name),
        Console(stderr=True),
        list[TrackedRow](),
        list[TrackedRun](),
    )
    for history in progress(
        run_history.follow_runs(store, name, runs),
        description=f"{name} to {place.partition(':')[0]}",
        total=len(runs),
        console=screen,
        transient=True,
        disable=not (output.for_people and screen.is_terminal),
    ):
        run = track_run(sweep, history)
        rows.append(_put_run(there, run, place))
        tracked.append(replace(run, points=()))
    last = _put_run(there, track_conclusion(sweep, conclusion, tracked), place)
    if output.for_people:
        output.say(f"{name}: {_summarize(rows)}\n{conclusion.sentence}\n{there.where}")
    elif output.form == "json":
        output.print_document({"runs": rows, "conclusion": {**conclusion.document(), **last}})
    else:
        output.print_csv([*rows, last])


def _put_run(there: Tracker, run: TrackedRun, place: str) -> TrackedRow:
    try:
        return {"run": run.id, "name": run.name, "state": run.state, "new": there.put(run)}
    except OSError as error:
        raise TrackerUnusable(f"--to {place}: {error.strerror or error}; choose another place") from None


def _summarize(rows: Sequence[TrackedRow]) -> str:
    new = sum(row["new"] for row in rows)
    states = Counter(row["state"] for row in rows)
    parts = f"{', '.join(f'{count:,} {state}' for state, count in states.items())}"
    return f"{format_count(len(rows), 'run')} ({parts}); {new:,} new or changed, {len(rows) - new:,} unchanged"
