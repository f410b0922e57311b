"""Parts that the answers of several experiment kinds share: rows with intervals, missing runs."""

from collections import Counter
from collections.abc import Sequence

from sweeps.analysis.run_counts import Tally
from sweeps.analysis.told_items import Told
from sweeps.figures.bars import Row
from sweeps.report.document import Paragraph, Part
from sweeps.report.table_cells import format_estimate
from sweeps.stats.intervals import Estimate


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
