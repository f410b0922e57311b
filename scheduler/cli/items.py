"""What the items say, for the terminal and for programs: differences item by item, and what training changed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scheduler.cli.console.output import Output, plain
from sweeps.analysis.comparison import METHOD, compare
from sweeps.analysis.grid import best_cell
from sweeps.analysis.item_analysis import (
    CellChanges,
    ItemsBy,
    change_row,
    describe_comparison,
    describe_context,
    difference_rows,
    list_changes,
    over_as_many,
    select_items,
    select_largest,
)
from sweeps.analysis.targets import Spec, choose_best, find_metric, fit_runs, list_compared
from sweeps.analysis.transfer import AXES, transfer_matrix
from sweeps.formatting import format_count
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stats.paired_items import ItemDifference

TABLES = 6  # cells of which the terminal shows what their training changed


def show_by_item(output: Output, metric: str, what: str, pairs: Sequence[tuple[str, ItemDifference | None]]) -> None:
    """A table of the differences that were asked item by item."""
    found = {name: each for name, each in pairs if each}
    if not found:
        return
    output.table(difference_rows(found, what), title=f"differences in {metric}, {over_as_many(found)}")
    output.say("± checkpoints: on other items of the kind; ± recipe: with other seeds, too;")
    output.say("* clear of all pairs (Holm); McNemar: its p; needed: items that would settle it")


def show_changes(output: Output, told: Sequence[CellChanges]) -> None:
    """Of the largest size, or of every method, what its training changed beside the loss."""
    shown = select_largest(told)
    if not shown:
        return
    output.say("\nWhat did training change?")
    for each in shown[:TABLES]:
        output.table([change_row(one) for one in each.changes], title=describe_comparison(each))
    for said in describe_context(shown):
        output.say(said)
    if left := len(told) - len(shown[:TABLES]):
        output.say(f"{format_count(left, 'more cell')}: in the report, and in `sweep -f json results`")
    output.say("the same items before and after; clear of all: of all cells, by one metric (Holm)")


def item_facts(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> dict[str, Any]:
    """What the terminal says of differences, of the best cell and of changes, for programs."""
    name, facts = FACTS.get(str(spec.get("experiment")), ("", None))
    found = {name: facts(spec, rows, items)} if facts and keep_measured(rows) else {}
    changes = [
        {"cell": dict(each.cell), "against": each.against, **plain(one)}
        for each in list_changes(rows, items)
        for one in each.changes
    ]
    return {**found, "changes": changes}


def _differences(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[dict[str, Any]]:
    return [
        {"variant": dict(variant), "metric": metric, **plain(each)}
        for metric in (best.metric for best in list_compared(spec, rows))
        for variant, group in group_by_cell(rows, without={METHOD})
        for each in compare(group, metric=metric, items=select_items(items, metric)).differences
    ]


def _fits(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[dict[str, Any]]:
    """The law of each data set, and each that cannot be told apart from it, with the data that the target takes."""
    metric, shown = find_metric(spec), ("law", "params", "r2", "holdout_error", "minimum_data", "warnings", "refused")
    return [
        {**on, "metric": metric, **{name: plain(getattr(each, name)) for name in shown}}
        for on, group in group_by_cell(rows, without={"size"})
        for fit in [fit_runs(spec, keep_measured(group), select_items(items, metric))]
        for each in (fit, *fit.alternatives)
    ]


def _transfer(_spec: Spec, rows: Sequence[RunResult], _items: ItemsBy) -> list[dict[str, Any]]:
    return [{"variant": dict(on), **plain(transfer_matrix(group))} for on, group in group_by_cell(rows, without=AXES)]


def _best(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[dict[str, Any]]:
    """The best cell of each data set, and the cells beside it that may be as good."""
    best = choose_best(spec)
    metric = best.metric.removeprefix("validation.")
    found = []
    for on, group in group_by_cell(rows, without={key for row in rows for key in row.cell} - {"data"}):
        each = best_cell(group, metric=metric, mode=best.mode, items=select_items(items, metric))
        told = {"best": plain(each.best), "alike": plain(each.alike), "needed_seeds": each.needed_seeds}
        found.append({**on, "metric": metric, "by": each.by, **told})
    return found


FACTS: Mapping[str, tuple[str, Callable[[Spec, Sequence[RunResult], ItemsBy], list[dict[str, Any]]]]] = {
    "data_scaling": ("fits", _fits),
    "transfer": ("transfer", _transfer),
    "grid": ("best", _best),
    "compare": ("differences", _differences),
}
