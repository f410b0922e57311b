"""The pairs of methods as JSON has them: each difference, and what is known of its two sides."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.analysis.comparison import METHOD, Difference, compare
from sweeps.analysis.deflated_sharpe import deflate_methods
from sweeps.analysis.guessing import find_unbeaten
from sweeps.report.plain_values import simplify
from sweeps.results import RunResult
from sweeps.stats.paired_items import Items


def list_pairs(
    rows: Sequence[RunResult], metric: str, items: Items | None, against: str | None
) -> list[dict[str, Any]]:
    """List every pair of methods of one variant by a metric; those with the method `against` are what is asked."""
    comparison = compare(rows, metric=metric, items=items, against=against)
    told_counts = {method.name: simplify(method.told) for method in comparison.contestants}
    guess = {name: simplify(find_unbeaten(select_runs(rows, name), metric, items)) for name in told_counts}
    deflated = simplify(deflate_methods(comparison, rows, items))
    return [
        {
            "metric": metric,
            **simplify(difference),
            "told": _look_up(told_counts, difference),
            "no_better_than": _look_up(guess, difference),
            "deflated_sharpe": _look_up(deflated, difference),
        }
        for difference in comparison.differences
    ]


def select_runs(rows: Sequence[RunResult], method: str | None) -> list[RunResult]:
    """Select the runs of a method."""
    return [row for row in rows if row.cell.get(METHOD) == method]


def _look_up(facts: Mapping[str | None, Any], difference: Difference) -> dict[str, Any]:
    return {"one": facts.get(difference.one), "other": facts.get(difference.other)}
