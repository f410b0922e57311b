"""`sweep export`: every run of a sweep as a row, for whatever reads tables."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from scheduler import views
from scheduler.cli.options import the_store
from scheduler.cli.output import Output, flat_value
from scheduler.settings import from_environment
from sweeps.errors import NotInstalled
from sweeps.frames import INSTALL, columns, flat, frame
from sweeps.results import RunResult

FORMS = ("csv", "parquet")


@click.command()
@click.argument("name")
@click.option("--format", "form", type=click.Choice(FORMS), default="csv", help="CSV needs nothing; Parquet an extra.")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), help="Where to; CSV goes to stdout without.")
@click.pass_obj
def export(output: Output, name: str, form: str, target: Path | None) -> None:
    """Write every run of NAME as a row: the columns of `sweep -f csv results`."""
    with the_store(from_environment()) as store:
        rows = views.results(store, views.sweep(store, name).name)
    if form == "parquet":
        target = target or Path(f"{name}.parquet")
        write_parquet(rows, target)
    elif target is None:
        sys.stdout.write(as_csv(rows))
        return
    else:
        target.write_text(as_csv(rows), encoding="utf-8")
    output.say(f"{target} ({target.stat().st_size / 1000:,.0f} kB)")


def as_csv(rows: Sequence[RunResult]) -> str:
    """With a header; nested values as JSON."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(rows), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: flat_value(value) for key, value in flat(row).items()} for row in rows)
    return text.getvalue()


def write_parquet(rows: Sequence[RunResult], target: Path) -> None:
    """The same columns; a column whose values are of several kinds is text, as in CSV. Raises NotInstalled."""
    found = frame(rows)
    for name in found.columns:
        values = [row.get(name) for row in map(flat, rows)]
        if not _of_one_kind(values):
            found[name] = [None if value is None else str(flat_value(value)) for value in values]
    try:
        found.to_parquet(target, index=False)
    except ImportError:
        raise NotInstalled(f"Parquet needs pyarrow, which is not installed: {INSTALL}") from None


def _of_one_kind(values: Sequence[object]) -> bool:
    """Can a column hold them as they are?"""
    kinds = {type(value) for value in values if value is not None}
    return kinds <= {int, float} or (len(kinds) == 1 and not kinds & {list, dict})


commands = {"export": export}
