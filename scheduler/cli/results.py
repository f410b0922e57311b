"""`sweep results`: the rows, the cells, and what they answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scheduler.cli.answers import answer
from scheduler.cli.compare_sweeps import names_of, show_across
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.items import item_facts
from scheduler.settings import Settings, from_environment
from scheduler.state import views
from scheduler.state.evaluation_items import read_items
from scheduler.state.store import Store
from sweeps.analysis.item_analysis import choose_items
from sweeps.analysis.run_counts import describe_cuts
from sweeps.analysis.tables import flatten_run, list_columns, sort_metrics
from sweeps.formatting import format_cell, format_count, format_usd
from sweeps.results import RunResult
from sweeps.spec.metric_names import CUT


@click.command()
@click.argument("name", required=False)
@click.option("--sweeps", metavar="A,B,…", help="Compare these sweeps, condition by condition.")
@click.pass_obj
def results(output: Output, name: str | None, sweeps: str | None) -> None:
    """Show what NAME has found so far, or several sweeps together.

    What several found is put together where the conditions are the same.
    """
    if (name is None) == (sweeps is None):
        raise click.UsageError("one of NAME and --sweeps A,B is right")
    settings = from_environment()
    with open_store(settings) as store:
        if sweeps is not None:
            show_across(store, names_of(sweeps), output)
        elif name is not None:
            show_results(store, settings, name, output)


def show_results(store: Store, settings: Settings, name: str, output: Output) -> None:
    """Print the results of a sweep, finished or not."""
    view, rows = views.read_sweep(store, name), views.read_results(store, name)
    if output.form == "csv":
        output.csv([flatten_run(row) for row in rows], columns=list_columns(rows))
        return
    kept, summaries = (
        read_items(store, settings.store, name, choose_items(view.spec, rows)),
        views.read_cells(store, name),
    )
    if output.form == "json":
        found = {**item_facts(view.spec, rows, kept.items), "unread": list(kept.unread)}
        output.document({"runs": [_run_row(row) for row in rows], "cells": summaries, **found})
        return
    keys = dict.fromkeys(key for cell in summaries for key in cell["cell"])
    # That nothing was cut is not worth a column.
    told = {name for cell in summaries for name, each in cell["metrics"].items() if each["mean"] or CUT not in name}
    measured = sort_metrics(told)
    shown = list(dict.fromkeys([*keys, "seeds", *measured]))
    output.say("")
    title = f"{name}: {format_count(len(rows), 'run')}, mean ± sd over seeds"
    output.table([_summary_row(cell) for cell in summaries], title=title, columns=shown)
    if said := _unfinished(name, rows):
        output.say(said)
    for said in describe_cuts(rows):
        output.say(said)
    answer(output, view.spec, rows, kept.items)
    for said in kept.unread:
        output.say(said)
    output.say(f"\n{view.tokens:,} tokens, {format_usd(view.spent)} spent by {name} (at the price book's prices)")


def _unfinished(name: str, rows: Sequence[RunResult]) -> str:
    """What is missing, and that what is said of the rest is said of the rest alone."""
    states = Counter(row.state for row in rows)
    done = states.pop("succeeded", 0)
    if not states:
        return ""
    others = ", ".join(f"{count:,} {state}" for state, count in states.items())
    return f"INCOMPLETE: {done:,} of {len(rows):,} runs have their result ({others}); `sweep status {name}` says why"


def _run_row(row: RunResult) -> dict[str, Any]:
    return {
        "cell": dict(row.cell),
        "seed": row.seed,
        "state": row.state,
        "metrics": dict(row.metrics),
        "steps": row.steps,
        "tokens": row.tokens,
        "spent_usd": None if row.micro_usd is None else row.micro_usd / 1_000_000,
        "stage": row.stage,
    }


def _summary_row(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell as the store aggregates it. Its seeds are counted where the most of them are measured."""
    metrics = {name: cell["metrics"][name] for name in sort_metrics(cell["metrics"])}
    measured = max((each["count"] for each in metrics.values()), default=0)
    shown = {name: _mean(each["mean"], each["variance"]) for name, each in metrics.items()}
    named = {key: value if isinstance(value, int) else format_cell(key, value) for key, value in cell["cell"].items()}
    return {**named, "seeds": f"{measured}/{cell['runs']}", **shown}


def _mean(mean: float, variance: float | None) -> str:
    return f"{mean:.4f}" if variance is None else f"{mean:.4f} ± {variance**0.5:.4f}"


commands = {"results": results}
