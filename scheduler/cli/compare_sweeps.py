"""`sweep results --sweeps a,b`: compare sweeps where their conditions are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.cli.console.output import Output
from scheduler.state import views
from scheduler.state.store import Store
from scheduler.state.submission import find_differences
from sweeps.analysis.across_sweeps import SharedCondition, join_sweeps
from sweeps.analysis.tables import sort_metrics
from sweeps.errors import DataError
from sweeps.formatting import format_cell, format_count, format_interval
from sweeps.metrics.ranges import find_difference_range
from sweeps.records import canonicalize_row
from sweeps.stats.intervals import Estimate

NOT_ASKED = {"sweep", "question", "tags"}  # what two files may differ in and still ask the same


def show_across(store: Store, names: Sequence[str], output: Output) -> None:
    """Print the conditions that the sweeps share, and the differences to the first of them."""
    if len(set(names)) < 2:
        raise DataError(f"--sweeps: expected two names or more, such as one,other, got {', '.join(names) or 'none'}")
    specs = {name: views.read_sweep(store, name).spec for name in names}
    found = join_sweeps({name: views.read_results(store, name) for name in names})
    shared = [each for each in found if len(each.found) == len(specs)]
    rows = [row for each in shared for row in _rows(each, list(specs))]
    if output.form != "table":
        output.rows("conditions", rows)
        return
    output.table(
        [_format_row(row) for row in rows],
        title=f"{format_count(len(shared), 'condition')} in all of {', '.join(names)}",
    )
    if len(shared) < len(found):
        output.say(f"{format_count(len(found) - len(shared), 'condition')} not shown: not every sweep has them")
    output.say(f"Differences are from {names[0]}, paired by seed, ± half of the 95 % interval (Student's t).")
    asked = {name: _read_measured_items(store, name) for name in names}
    for name in names[1:]:
        others = sum(asked[name].get(place, items) != items for place, items in asked[names[0]].items())
        if others:
            count = format_count(others, "measurement")
            output.say(f"{name} made {count} on other items than {names[0]}: differences there include the items'")
        for path, there, here in find_differences(specs[names[0]], specs[name]):
            if path not in NOT_ASKED:
                output.say(f"{path}: {_quote_value(there)} in {names[0]}, {_quote_value(here)} in {name}")


def _read_measured_items(store: Store, name: str) -> dict[tuple[bytes, str], str]:
    """Map what is measured of each cell to the content address of the items it is measured on."""
    places = {
        (canonicalize_row(row["cell"]), str(measure)): str(stage)
        for row in views.read_planned_rows(store, name)
        for measure, stage in row["measures"].items()
    }
    recipes = views.read_recipes(store, list(dict.fromkeys(places.values())))
    return {place: items for place, stage in places.items() if isinstance(items := recipes[stage].get("items"), str)}


def _quote_value(value: str) -> str:
    return "the default" if value == "null" else value


def _rows(condition: SharedCondition, sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """Make one row for each metric of a condition."""
    metrics = sort_metrics({metric for each in condition.found.values() for metric in each.metrics})
    return [{**condition.cell, "metric": metric, **_describe_metric(condition, metric, sweeps)} for metric in metrics]


def _describe_metric(condition: SharedCondition, metric: str, sweeps: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in sweeps:
        moments = condition.found[name].metrics.get(metric)
        row |= {name: moments.mean if moments else None, f"{name} seeds": moments.count if moments else 0}
    for name in sweeps[1:]:
        estimate = condition.differences.get(metric, {}).get(name)
        row[f"{name} - {sweeps[0]}"] = estimate.mean if estimate else None
        row[f"{name} - {sweeps[0]} ±"] = estimate.half_width if estimate else None
    return row


def _format_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Put seeds and half-widths beside the values they belong to."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith(" ±"):
            continue
        if f"{name} ±" in row:
            told = Estimate(value or 0.0, row[f"{name} ±"], 0, find_difference_range(row["metric"]))
            shown[name] = "-" if value is None else format_interval(told, 4, signed=True)
        elif f"{name} seeds" in row:
            shown[name] = "-" if value is None else f"{value:.4f} ({row[f'{name} seeds']})"
        elif not (name.endswith(" seeds") and name.removesuffix(" seeds") in row):
            shown[name] = value if isinstance(value, int) else format_cell(name, value)
    return shown


def names_of(text: str) -> list[str]:
    """Split `one,other` into a list of names."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
