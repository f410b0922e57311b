"""Parts that the answers of several experiment kinds share: rows with intervals, differences by item, missing runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.analysis.run_counts import Tally
from sweeps.analysis.told_items import Told
from sweeps.figures.bars import Row
from sweeps.formatting import format_count
from sweeps.metrics.ranges import clip_interval
from sweeps.report.document import Paragraph, Part, make_table
from sweeps.report.table_cells import MINUS, MISSING, TableCell, format_estimate, show_number
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import Claim, ItemDifference

BY_ITEM = (
    "Columns: checkpoints, ± for other items of the same kind; recipe, ± for other seeds as well; * clear when all "
    "pairs are judged together (Holm); McNemar, p of right against wrong; needed, how many items would make a "
    "difference of this size clear for these checkpoints."
)


def draw_row(
    name: str, estimate: Estimate | None, kind: int, *, clear: bool = True, signed: bool = False, mark: str = ""
) -> Row:
    """Make the row of a chart from a mean with its interval."""
    if estimate is None:
        return Row(name, None, said="no result")
    low, high = estimate.ends[:2] if estimate.ends else (None, None)
    return Row(name, estimate.mean, low, high, f"{format_estimate(estimate, signed=signed)}{mark}", clear, kind)


def mark_told(count: Told | None) -> str:
    """Write behind a value how many items tell it, where not all do: " (1 of 200)"."""
    return f" ({count.describe()})" if count and count.is_conditional else ""


def describe_rows(rows: list[Row]) -> str:
    """Describe a chart of rows to people who do not see it."""
    return "; ".join(f"{row.name}: {row.said}" for row in rows)


def warn_of_missing(runs: Tally) -> list[Part]:
    """Say which runs are in no mean, if any."""
    words = runs.describe()
    return [Paragraph(f"{words}.", warning=True)] if words else []


def count_more_pairs(verdicts: Sequence[str]) -> str:
    """Say how many pairs are clear besides those that an answer names, and which way: `helps` or `hurts`."""
    if not verdicts:
        return ""
    pairs = "1 more pair is clear" if len(verdicts) == 1 else f"{len(verdicts)} more pairs are clear"
    counts = Counter(verdicts).items()
    ways = [f"{count} {verdict if count == 1 else verdict.removesuffix('s')}" for verdict, count in counts]
    return f"; {pairs} ({', '.join(ways)})"


def compare_by_item(metric: str, differences: Mapping[str, ItemDifference | None]) -> list[Part]:
    """Tabulate the differences that items were compared for, each under its name."""
    known = {name: difference for name, difference in differences.items() if difference}
    if not known:
        return []
    # How many items and seeds each is over is a column only where they differ.
    over = {_describe_extent(difference) for difference in known.values()}
    rows = [
        {
            "difference in": name,
            **_show_difference(difference),
            **({} if len(over) == 1 else {"over": _describe_extent(difference)}),
        }
        for name, difference in known.items()
    ]
    extent = f" ({over.pop()})" if len(over) == 1 else ""
    return [make_table(rows, caption=f"Differences in {metric}, item by item{extent}"), Paragraph(BY_ITEM)]


def _describe_extent(difference: ItemDifference) -> str:
    left = f" of {difference.items + difference.left_out:,}" if difference.left_out else ""
    clusters = f" in {format_count(difference.clusters, 'cluster')}" if difference.clusters < difference.items else ""
    items = f"{difference.items:,}{left} items" if left else format_count(difference.items, "item")
    return f"{items}{clusters}, {format_count(difference.seeds, 'seed')}"


def _show_difference(difference: ItemDifference) -> dict[str, Any]:
    clear = difference.checkpoints is not None and abs(difference.mean) > difference.checkpoints.half_width
    return {
        "difference": show_number(difference.mean, signed=True),
        "checkpoints": _show_claim(difference, difference.checkpoints),
        "recipe": _show_claim(difference, difference.recipe),
        "McNemar": _show_p(difference.mcnemar, clear=difference.mcnemar_after_holm),
        "needed": None if clear else difference.needed_items,
    }


def _show_claim(difference: ItemDifference, claim: Claim | None) -> TableCell:
    """Show half of the interval, or both of its ends where the metric's range cuts it."""
    if claim is None:
        return TableCell(MISSING)
    low, high, cut = clip_interval(difference.mean, claim.half_width, difference.span)
    reach = f"{low:+.4f} to {high:+.4f}".replace("-", MINUS) if cut else f"±{claim.half_width:.4f}"
    return TableCell(f"{reach}{'*' * claim.after_holm}", claim.half_width)


def _show_p(p: float | None, *, clear: bool) -> TableCell:
    if p is None or math.isnan(p):
        return TableCell(MISSING)
    return TableCell(f"{'<.001' if p < 0.001 else f'{p:.3f}'.removeprefix('0')}{'*' * clear}", p)
