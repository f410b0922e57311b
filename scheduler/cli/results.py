"""`sweep results`: the runs, the cells, and what they answer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from scheduler.cli.compare_sweeps import show_across, split_names
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_conclusion, show_findings
from scheduler.settings import Settings, read_settings
from scheduler.state import views
from scheduler.state.answer_inputs import read_answer_inputs
from scheduler.state.evaluation_items import read_told_results
from scheduler.state.keeping.kept_answers import read_kept_answer
from scheduler.state.runs.incidents import read_incidents
from scheduler.state.store import Store
from scheduler.state.views import SweepView
from sweeps.analysis.tables import flatten_run, list_columns, sort_metrics
from sweeps.analysis.told_items import Told, list_conditional
from sweeps.evaluation.metric_prefixes import SOURCE, VALIDATION
from sweeps.evaluation.metric_words import explain_metrics
from sweeps.formatting import format_cell, format_count, format_usd
from sweeps.records import canonicalize_row
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import TableCell
from sweeps.results import RunResult, group_by_cell, summarize_cells
from sweeps.spec.metric_wishes import choose_shown
from sweeps.spec.size_units import find_unit
from sweeps.stage import Json, to_dollars
from sweeps.stats.paired_items import Items

FEW = 6  # metrics that are named of those that a table leaves out


@click.command()
@click.argument("name", required=False)
@click.option("--sweeps", metavar="A,B,…", help="Show these sweeps side by side where they share a condition.")
@click.pass_obj
def results(output: Output, name: str | None, sweeps: str | None) -> None:
    """Show what NAME has found so far, or several sweeps together.

    Give either NAME or --sweeps.
    """
    if (name is None) == (sweeps is None):
        raise click.UsageError("give either NAME or --sweeps A,B")
    settings = read_settings()
    with open_store(settings) as store:
        if sweeps is not None:
            show_across(store, settings.store, split_names(sweeps), output)
        elif name is not None:
            show_results(store, settings, name, output)


def show_results(store: Store, settings: Settings, name: str, output: Output) -> None:
    """Print the results of a sweep, finished or not."""
    view = views.read_sweep(store, name)
    if output.form == "csv":
        results = read_told_results(store, settings.store, name)
        output.warn(results.unread)
        output.print_csv([flatten_run(row) for row in results.rows], columns=list_columns(results.rows))
        return
    if output.form == "json":
        output.print_document(read_results_document(store, settings, name))
        return
    rows = views.read_results(store, name)
    if kept := read_kept_answer(store, name):
        output.say(kept.text)
        output.say(f"This is the answer as it was kept. The whole report: {kept.page} in the artefact store.")
        return
    known = read_answer_inputs(store, view, rows, settings.store)
    summaries = _summarize_rows(rows, known.items)
    report = compose_answer(known)
    show_conclusion(output, report)
    title = f"{name}: {format_count(len(rows), 'run')}, mean (and standard deviation) over the seeds"
    trained = {canonicalize_row(row.cell) for row in rows if row.stage is not None}
    shown = _show_cells(output, title, summaries, trained, view.spec)
    if view.spec.get("experiment") == "transfer":
        output.say(_describe_sizes(view.spec, rows))
    for metric, meaning in explain_metrics(shown, view.spec).items():
        output.say(f"{metric}: {meaning}")
    if hidden := sort_metrics({metric for row in rows for metric in row.metrics} - {*shown}):
        output.say(_describe_hidden(name, view.spec, shown, hidden))
    show_findings(output, report)
    output.say(f"\n{_describe_use(view, any(row.tokens for row in rows))}")
    if incidents := read_incidents(store, view).sentence:
        output.say(incidents)


def read_results_document(store: Store, settings: Settings, name: str) -> dict[str, Any]:
    """Return what `sweep -f json results NAME` prints; from what is kept, if the rest may be gone."""
    view, rows = views.read_sweep(store, name), views.read_results(store, name)
    runs = [make_run_row(row) for row in rows]
    if kept := read_kept_answer(store, name):
        return {"runs": runs, "cells": _summarize_rows(rows, {}), **kept.facts}
    known = read_answer_inputs(store, view, rows, settings.store)
    facts = {**list_facts(known), "unread": list(known.unread)}
    return {"runs": runs, "cells": _summarize_rows(rows, known.items), **facts}


def _describe_sizes(spec: Mapping[str, Any], rows: Sequence[RunResult]) -> str:
    """Say what the sizes of a transfer count."""
    target, source = (find_unit(spec, _list_named(rows, key)).many for key in ("target", "source"))
    size = f"size: {target} of the target that a run trains on, after `source_size` {source} of the source"
    return f"{size}; source.…: measured on the holdout of the source"


def _list_named(rows: Sequence[RunResult], key: str) -> list[str]:
    return list(dict.fromkeys(str(row.cell[key]) for row in rows if row.cell.get(key) is not None))


def _describe_hidden(name: str, spec: Mapping[str, Json], shown: Sequence[str], hidden: Sequence[str]) -> str:
    """Name the metrics that the table leaves out, and how to see them: what a sweep was submitted with stays."""
    more = f" and {len(hidden) - FEW} more" if len(hidden) > FEW else ""
    them, any_of_them = ("it", "it") if len(hidden) == 1 else ("them", "one of them")
    left_out = f"Not in the table: {', '.join(hidden[:FEW])}{more}. `sweep report {name}` shows {them}"
    names = list(dict.fromkeys(name.removeprefix(SOURCE).removeprefix(VALIDATION) for name in (*shown, hidden[0])))
    command = f"run `sweep run FILE sweep=NEW_NAME 'metrics=[{','.join(names)}]'`"
    if spec.get("metrics") or any("." in name for name in names):  # the first may be a mapping, as in the file
        command = "name it in `metrics`, beside the others, and run the file with `sweep=NEW_NAME`"
    again = "finished stages are reused" if spec.get("reuse", "all") == "all" else "all stages run again"
    return f"{left_out}. To see {any_of_them} here, too, {command}; {again}"


def _describe_use(view: SweepView, has_used: bool) -> str:
    """Say how many tokens a sweep used and what they cost, or would cost; `has_used` if its results took some."""
    if has_used and not view.tokens:
        return f"{view.name} used no tokens: an earlier sweep had all of these results."
    tokens = f"{view.name} used {view.tokens:,} tokens"
    if view.services == ["offline"]:
        return f"{tokens}. Offline models cost nothing; at a pretend price this would be {format_usd(view.spent)}."
    return f"{tokens}, {format_usd(view.spent)}."


def _summarize_rows(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[dict[str, Any]]:
    """Summarize the rows that the answer is drawn from, cell by cell: a later reading of the cells could say more.

    A metric that not all items of a cell tell says how many do.
    """
    summaries = []
    for (cell, runs), summary in zip(group_by_cell(rows), summarize_cells(rows), strict=True):
        metrics: dict[str, dict[str, Any]] = {
            name: {"count": moments.count, "mean": moments.mean, "variance": moments.variance}
            for name, moments in sorted(summary.metrics.items())
        }
        for metric, count in list_conditional(runs, items).items():
            if metric in metrics:
                metrics[metric]["told"] = count._asdict()
        summaries.append({"cell": dict(cell), "runs": len(runs), "metrics": metrics})
    return summaries


def _show_cells(
    output: Output, title: str, summaries: list[dict[str, Any]], trained: Collection[bytes], spec: Mapping[str, Json]
) -> list[str]:
    """Print the metrics of each cell that the file names, or else the main ones, and return which these are."""
    keys = dict.fromkeys(key for cell in summaries for key in cell["cell"])
    shown = choose_shown(spec, sort_metrics({name for cell in summaries for name in cell["metrics"]}))
    columns = list(dict.fromkeys([*keys, "seeds done", *shown]))
    output.say("")
    output.print_table(
        [_make_summary_row(cell, canonicalize_row(cell["cell"]) in trained, shown) for cell in summaries],
        title=title,
        columns=columns,
    )
    return shown


def make_run_row(row: RunResult) -> dict[str, Any]:
    """Return a run as programs get it."""
    return {
        "cell": dict(row.cell),
        "seed": row.seed,
        "state": row.state,
        "metrics": dict(row.metrics),
        "steps": row.steps,
        "tokens": row.tokens,
        "usd": to_dollars(row.micro_usd),
        "stage": row.stage,
    }


def _make_summary_row(cell: Mapping[str, Any], trained: bool, metrics: Sequence[str]) -> dict[str, Any]:
    """Show a cell as the store aggregates it; its seeds are counted where most of them are measured."""
    measured = max((metric["count"] for metric in cell["metrics"].values()), default=0)
    shown = {name: _show_mean(metric) for name, metric in cell["metrics"].items() if name in metrics}
    named = {key: _show_coordinate(key, value, trained) for key, value in cell["cell"].items()}
    return {**named, "seeds done": f"{measured}/{cell['runs']}", **shown}


def _show_coordinate(key: str, value: Any, trained: bool) -> Any:
    """Show where a cell is. At size 0 a model may still have been trained: on a source."""
    if key == "size" and value == 0 and not trained:
        return TableCell("0 (untrained)", 0)
    return value if isinstance(value, int) else format_cell(key, value)


def _show_mean(metric: Mapping[str, Any]) -> TableCell:
    mean, variance, told_count = metric["mean"], metric["variance"], metric.get("told")
    spread = "" if variance is None else f" (sd {variance**0.5:.4f})"
    return TableCell(f"{mean:.4f}{spread}{mark_told(Told(**told_count)) if told_count else ''}", mean)


commands = {"results": results}
