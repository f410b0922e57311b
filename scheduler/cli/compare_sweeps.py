"""`sweep results --sweeps a,b`: compare sweeps where their conditions are the same."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.cli.console.output import Output
from scheduler.state import views
from scheduler.state.evaluation_items import KeptItems, read_items
from scheduler.state.store import Store
from scheduler.state.submission import find_differences, read_defaults, spell_setting
from sweeps.analysis.across_sweeps import SharedCondition, join_sweeps
from sweeps.analysis.item_analysis import WantedItems
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.told_items import may_be_conditional
from sweeps.errors import DataError
from sweeps.evaluation.registry import find_measure
from sweeps.formatting import format_cell, format_count, format_interval
from sweeps.records import canonicalize_row
from sweeps.report.shared_parts import mark_told
from sweeps.results import RunResult

NOT_ASKED = {"sweep", "question", "tags"}  # what two files may differ in and still ask the same


def show_across(store: Store, url: str, names: Sequence[str], output: Output) -> None:
    """Print the conditions that the sweeps share, and the differences to the first of them; items lie at `url`."""
    if len(set(names)) < 2:
        raise DataError(f"--sweeps: expected two names or more, such as one,other, got {', '.join(names) or 'none'}")
    specs = {name: views.read_sweep(store, name).spec for name in names}
    joined = join_conditions(store, url, names)
    output.warn(joined.unread)
    shared, conditions, entries = joined.shared, joined.conditions, joined.entries
    if output.form == "json":
        output.print_document({"conditions": entries})
        return
    if output.form == "csv":
        output.print_csv([row for entry in entries for row in _flatten_entry(entry)])
        return
    if shared:
        title = f"{format_count(len(shared), 'condition')} that each of {', '.join(names)} has"
        output.print_table([format_entry(entry) for entry in entries], title=title)
        output.say(f"Differences are from {names[0]}, paired by seed, ± half of the 95 % interval (Student's t).")
    else:
        output.say(f"{', '.join(names)} share no condition: a condition is shared if all of its axes and values agree")
    if len(shared) < len(conditions):
        output.say(f"{format_count(len(conditions) - len(shared), 'condition')} not shown: not every sweep has them")
    asked = {name: _read_measured_items(store, name) for name in names}
    for name in names[1:]:
        others = sum(asked[name].get(place, items) != items for place, items in asked[names[0]].items())
        if others:
            count = format_count(others, "measurement")
            output.say(f"{name} made {count} on other items than {names[0]}: differences there include the items'")
        for line in _list_settings(store, names[0], name, find_differences(specs[names[0]], specs[name])):
            output.say(line)


class JoinedSweeps(NamedTuple):
    """The conditions of several sweeps, and what each measured in those that all of them have."""

    shared: list[SharedCondition]
    conditions: list[SharedCondition]
    entries: list[dict[str, Any]]
    unread: list[str]  # sentences on items that were not read


def join_conditions(store: Store, url: str, names: Sequence[str]) -> JoinedSweeps:
    """Join the conditions of sweeps; their items lie at `url`. Raises UnknownSweep."""
    results = {name: views.read_results(store, name) for name in names}
    kept = {name: _read_telling(store, url, name, rows) for name, rows in results.items()}
    conditions = join_sweeps(results, {name: items.items for name, items in kept.items()})
    shared = [condition for condition in conditions if len(condition.found) == len(results)]
    entries = [entry for condition in shared for entry in _list_entries(condition, list(results))]
    unread = [f"{name}: {reason}" for name, items in kept.items() for reason in items.unread]
    return JoinedSweeps(shared, list(conditions), entries, unread)


def _read_telling(store: Store, url: str, name: str, rows: Sequence[RunResult]) -> KeptItems:
    """Read the items that metrics are of that not all items may tell."""
    metrics = dict.fromkeys(metric for row in rows for metric in row.metrics if may_be_conditional(metric))
    wanted: dict[str, list[str]] = {}
    for metric in metrics:
        wanted.setdefault(str(find_measure(metric)), []).append(metric)
    return read_items(store, url, name, {measure: WantedItems(metrics) for measure, metrics in wanted.items()})


def _read_measured_items(store: Store, name: str) -> dict[tuple[bytes, str], str]:
    """Map what is measured of each cell to the content address of the items it is measured on."""
    places = {
        (canonicalize_row(row["cell"]), str(measure)): str(stage)
        for row in views.read_planned_rows(store, name)
        for measure, stage in row["measures"].items()
    }
    recipes = views.read_recipes(store, list(dict.fromkeys(places.values())))
    return {place: items for place, stage in places.items() if isinstance(items := recipes[stage].get("items"), str)}


def _list_settings(store: Store, first: str, other: str, changes: Iterable[tuple[str, str, str]]) -> list[str]:
    """List the settings in which two sweeps differ, each with its value in both."""
    there, here = read_defaults(store, first), read_defaults(store, other)
    return [
        f"{path}: {spell_setting(old, there.get(path))} in {first}, {spell_setting(new, here.get(path))} in {other}"
        for path, old, new in changes
        if path not in NOT_ASKED
    ]


def _list_entries(condition: SharedCondition, names: Sequence[str]) -> list[dict[str, Any]]:
    """List one entry for each metric of a condition: what each sweep measured, and how it differs from the first."""
    metrics = sort_metrics({metric for summary in condition.found.values() for metric in summary.metrics})
    return [
        {
            "cell": dict(condition.cell),
            "metric": metric,
            "sweeps": [_describe_sweep(condition, metric, name) for name in names],
        }
        for metric in metrics
    ]


def _describe_sweep(condition: SharedCondition, metric: str, name: str) -> dict[str, Any]:
    moments = condition.found[name].metrics.get(metric)
    return {
        "sweep": name,
        "mean": moments.mean if moments else None,
        "seeds": moments.count if moments else 0,
        "told": condition.told.get(metric, {}).get(name),
        "difference": condition.differences.get(metric, {}).get(name),
    }


def _flatten_entry(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make one row of a table for each sweep."""
    return [
        {
            **entry["cell"],
            "metric": entry["metric"],
            **{key: value for key, value in measured.items() if key != "told"},
            "difference": estimate.mean if (estimate := measured["difference"]) else None,
            "half_width": estimate.half_width if estimate else None,
            "told": measured["told"].describe() if measured["told"] else None,
        }
        for measured in entry["sweeps"]
    ]


def format_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Make one row for people: a column for each sweep, and one for each difference."""
    first, *others = entry["sweeps"]
    shown = {key: value if isinstance(value, int) else format_cell(key, value) for key, value in entry["cell"].items()}
    shown["metric"] = entry["metric"]
    for measured in (first, *others):
        mean, seeds = measured["mean"], measured["seeds"]
        shown[measured["sweep"]] = (
            "-" if mean is None else f"{mean:.4f} ({format_count(seeds, 'seed')}){mark_told(measured['told'])}"
        )
    for measured in others:
        estimate = measured["difference"]
        column = f"{measured['sweep']} - {first['sweep']}"
        shown[column] = "-" if estimate is None else format_interval(estimate, 4, signed=True)
    return shown


def split_names(text: str) -> list[str]:
    """Split `one,other` into a list of names."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
