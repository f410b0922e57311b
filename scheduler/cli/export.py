"""`sweep export`: write the runs of a sweep as a table, or send them to an experiment tracker."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scheduler.cli.console.options import OutputPath, open_store
from scheduler.cli.console.output import Output, flatten_value, write_csv
from scheduler.cli.console.output_files import open_replacement
from scheduler.cli.console.streams import make_exact
from scheduler.cli.track import track
from scheduler.settings import read_settings
from scheduler.state import run_history, views
from scheduler.state.evaluation_items import read_told_results
from scheduler.state.store import Store
from scheduler.trackers import FORMS as TRACKERS
from sweeps.analysis.tables import INSTALL, build_frame, flatten_run, list_columns
from sweeps.errors import NotInstalled
from sweeps.report.tracker_runs import list_curve_columns, read_curve_rows

FORMS = ("csv", "parquet")
Row = Mapping[str, Any]


@click.command()
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(FORMS), help="CSV (the default), or Parquet (needs the extra `export`)."
)
@click.option(
    "-o", "--output", "target", type=OutputPath(), help="The file to write; CSV goes to stdout without it, or with -."
)
@click.option("--curves", is_flag=True, help="One row for each point of the learning curves, instead of each run.")
@click.option(
    "--to", "place", metavar="TRACKER", help=f"Send every run to {TRACKERS}; run it again to send only what is new."
)
@click.pass_obj
def export(
    output: Output, *, name: str, form: str | None, target: Path | None, curves: bool, place: str | None
) -> None:
    """Export all runs of NAME as a table, or to a tracker such as W&B.

    The columns are those of `sweep -f csv results`.
    """
    if place is not None and (form or target or curves):
        raise click.UsageError("--to sends whole runs to a tracker: leave out --format, --output and --curves")
    if form == "parquet" and str(target) == "-":
        raise click.UsageError("--output: expected a file for Parquet, got - (the terminal)")
    settings = read_settings()
    with open_store(settings) as store:
        if place is not None:
            track(store, settings.store, name, place, output)
            return
        names, rows = make_table(store, settings.store, name, curves=curves)
        if form == "parquet":
            target = target or Path(f"{name}-curves.parquet" if curves else f"{name}.parquet")
            write_parquet(names, list(rows), target)
        elif target is None or str(target) == "-":
            make_exact()
            write_csv(names, rows, sys.stdout)
            return
        else:
            with open_replacement(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
                write_csv(names, rows, file)
    output.say(f"{target} ({target.stat().st_size / 1000:,.0f} kB)")


def make_table(store: Store, url: str, name: str, *, curves: bool = False) -> tuple[list[str], Iterable[Row]]:
    """List the columns and the rows of a sweep: its runs, or their learning curves."""
    name = views.read_sweep(store, name).name
    if not curves:
        rows = read_told_results(store, url, name)
        return list_columns(rows), map(flatten_run, rows)
    rows = views.read_results(store, name)
    return list_curve_columns(rows), (
        point for run in run_history.follow_runs(store, name, rows) for point in read_curve_rows(run)
    )


def write_parquet(names: Sequence[str], rows: Sequence[Row], target: Path) -> None:
    """Write the same columns; a column with values of several types is text, as in CSV. Raises NotInstalled."""
    frame = build_frame(names, rows)
    for name in names:
        values = [row.get(name) for row in rows]
        if not _is_one_type(values):
            frame[name] = [None if value is None else str(flatten_value(value)) for value in values]
    try:
        with open_replacement(target) as draft:
            frame.to_parquet(draft, index=False)
    except ImportError:
        raise NotInstalled(f"Parquet needs pyarrow, which is not installed: {INSTALL}") from None


def _is_one_type(values: Sequence[object]) -> bool:
    """Whether a column can hold the values as they are."""
    kinds = {type(value) for value in values if value is not None}
    return kinds <= {int, float} or (len(kinds) == 1 and not kinds & {list, dict})


commands = {"export": export}
