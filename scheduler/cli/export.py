"""`sweep export`: write the runs of a sweep as a table, or send them to an experiment tracker."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import click

from scheduler.cli.console.options import OutputPath, open_store
from scheduler.cli.console.output import Output, flatten_value, write_csv
from scheduler.cli.console.output_files import open_replacement
from scheduler.cli.console.streams import make_exact
from scheduler.cli.track import track
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.answer_inputs import read_conclusion
from scheduler.state.evaluation_items import read_told_results
from scheduler.state.runs import run_history
from scheduler.state.store import Store
from scheduler.trackers import FORMS as TRACKERS
from sweeps.analysis.tables import INSTALL, build_frame, flatten_run, list_columns
from sweeps.errors import NotInstalled
from sweeps.experiments.conclusion import Conclusion
from sweeps.report.plain_values import simplify
from sweeps.report.tracker_runs import list_curve_columns, read_curve_rows

FORMS = ("csv", "json", "parquet")
Row = Mapping[str, Any]


class ExportTable(NamedTuple):
    """One table of a sweep, under the plural name of its rows."""

    name: str
    columns: list[str]
    rows: Iterable[Row]
    unread: tuple[str, ...] = ()  # sentences on items that could not be read


@click.command()
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(FORMS), help="CSV (the default), JSON, or Parquet (needs the extra `export`)."
)
@click.option(
    "-o", "--output", "target", type=OutputPath(), help="The file to write; CSV and JSON go to stdout without it."
)
@click.option("--curves", is_flag=True, help="One row for each point of the learning curves, instead of each run.")
@click.option("--conclusion", is_flag=True, help="One row for each conclusion, instead of each run.")
@click.option(
    "--to", "place", metavar="TRACKER", help=f"Send every run to {TRACKERS}; run it again to send only what is new."
)
@click.pass_obj
def export(
    output: Output,
    *,
    name: str,
    form: str | None,
    target: Path | None,
    curves: bool,
    conclusion: bool,
    place: str | None,
) -> None:
    """Export all runs of NAME to a table, or a tracker such as W&B.

    The columns are those of `sweep -f csv results`. JSON and trackers get the conclusion, too.
    """
    if place is not None and (form or target or curves or conclusion):
        only = "leave out --format, --output, --curves and --conclusion"
        raise click.UsageError(f"--to sends whole runs and the conclusion to a tracker: {only}")
    if curves and conclusion:
        raise click.UsageError("give either --curves or --conclusion")
    to_stdout = target is None or str(target) == "-"
    form = form or ("json" if output.form == "json" and to_stdout else "csv")
    if form == "parquet" and str(target) == "-":
        raise click.UsageError("--output: expected a file for Parquet, got - (the terminal)")
    settings = read_settings()
    with open_store(settings) as store:
        if place is not None:
            track(store, settings.store, name, place, output)
            return
        known = read_conclusion(store, name, settings.store) if conclusion or form == "json" else None
        concluded = [{"sweep": name, **row} for row in known.rows()] if conclusion and known else []
        table = ExportTable("conclusion", [*concluded[0]], concluded) if concluded else None
        table = table or make_table(store, settings.store, name, curves=curves)
        output.warn(table.unread)
        written = _write_table(table, known, form, None if to_stdout else target, name)
    if written is not None:
        output.say(f"{written} ({written.stat().st_size / 1000:,.0f} kB)")


def make_table(store: Store, url: str, name: str, *, curves: bool = False) -> ExportTable:
    """Make the table of a sweep's runs, or of their learning curves."""
    name = views.read_sweep(store, name).name
    if not curves:
        rows, unread = read_told_results(store, url, name)
        return ExportTable("runs", list_columns(rows), map(flatten_run, rows), unread)
    rows = views.read_results(store, name)
    points = (point for run in run_history.follow_runs(store, name, rows) for point in read_curve_rows(run))
    return ExportTable("curves", list_curve_columns(rows), points)


def _write_table(
    table: ExportTable, conclusion: Conclusion | None, form: str, target: Path | None, sweep: str
) -> Path | None:
    """Write a table to a file, or to stdout. Return the file."""
    if form == "parquet":
        target = target or Path(f"{sweep}.parquet" if table.name == "runs" else f"{sweep}-{table.name}.parquet")
        write_parquet(table.columns, list(table.rows), target)
    elif target is None:
        make_exact()
        _write_text(table, conclusion, form, sys.stdout)
    else:
        with open_replacement(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            _write_text(table, conclusion, form, file)
    return target


def _write_text(table: ExportTable, conclusion: Conclusion | None, form: str, file: TextIO) -> None:
    """Write a table as CSV, or as JSON with the conclusion of the sweep before its rows."""
    if form == "csv":
        write_csv(table.columns, table.rows, file)
        return
    rows = {} if table.name == "conclusion" else {table.name: list(table.rows)}
    json.dump(simplify({"conclusion": conclusion and conclusion.document(), **rows}), file, indent=2, default=str)
    file.write("\n")


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
