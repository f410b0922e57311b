"""`sweep results`: the rows, the cells, and what they answer."""

from collections.abc import Mapping
from typing import Any

import click

from scheduler import views
from scheduler.cli.answers import answer
from scheduler.cli.options import the_store
from scheduler.cli.output import Output, dollars
from scheduler.settings import from_environment
from scheduler.store import Store
from sweeps.results import RunResult


@click.command()
@click.argument("name")
@click.pass_obj
def results(output: Output, name: str) -> None:
    """Show what NAME has found so far."""
    with the_store(from_environment()) as store:
        show_results(store, name, output)


def show_results(store: Store, name: str, output: Output) -> None:
    """Print the results of a sweep, finished or not."""
    view, rows = views.sweep(store, name), views.results(store, name)
    if output.form == "json":
        output.document({"runs": [_run_row(row) for row in rows], "cells": views.cells(store, name)})
        return
    if output.form == "csv":
        output.csv([_flat_row(row) for row in rows])
        return
    summaries = views.cells(store, name)
    unfinished = [row for row in rows if row.state != "succeeded"]
    output.say("")
    output.table([_summary_row(cell) for cell in summaries], title=f"{name}: {len(rows)} runs, mean ± sd over seeds")
    if unfinished:
        output.say(
            f"{len(unfinished)} of {len(rows)} runs have no result yet or failed; `sweep status {name}` says why"
        )
    answer(output, view.spec, rows)
    output.say(f"\n{view.tokens:,} tokens, {dollars(view.spent)} spent by {name} (at the price book's prices)")


def _run_row(row: RunResult) -> dict[str, Any]:
    return {
        "cell": dict(row.cell),
        "seed": row.seed,
        "state": row.state,
        "metrics": dict(row.metrics),
        "steps": row.steps,
        "tokens": row.tokens,
        "usd": None if row.micro_usd is None else row.micro_usd / 1_000_000,
        "stage": row.stage,
    }


def _flat_row(row: RunResult) -> dict[str, Any]:
    document = _run_row(row)
    return {
        **document.pop("cell"),
        **{key: document[key] for key in ("seed", "state")},
        **document.pop("metrics"),
        **document,
    }


def _summary_row(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell as the store aggregates it. Its seeds are counted where the most of them are measured."""
    metrics = {name: each for name, each in cell["metrics"].items() if name != "train_nll"}
    measured = max((each["count"] for each in metrics.values()), default=0)
    order = sorted(metrics, key=lambda name: (name.count("."), not name.endswith("nll"), name))
    shown = {name: _mean(metrics[name]["mean"], metrics[name]["variance"]) for name in order}
    return {**cell["cell"], "seeds": f"{measured}/{cell['runs']}", **shown}


def _mean(mean: float, variance: float | None) -> str:
    return f"{mean:.4f}" if variance is None else f"{mean:.4f} ± {variance**0.5:.4f}"


commands = {"results": results}
