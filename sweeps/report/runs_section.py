"""Every run of a sweep, and what failed or is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.told_items import list_conditional
from sweeps.formatting import format_cell, format_count, format_value
from sweeps.report.document import Paragraph, Part, Section, Table, make_table
from sweeps.report.inputs import LostStages, Material
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import TableCell, show_dollars
from sweeps.results import RunResult
from sweeps.spec.metric_wishes import order_metrics
from sweeps.stage import Json
from sweeps.stats.paired_items import Items

FEW = 12  # labels that are listed of stages that share a cause
CAUSES = 100
LONG = 24  # rows of a table that is shown at once
CHAINED = "In a chain, steps are those of the last training; tokens and $ count all trainings and evaluations."
SOURCED = "A run of size above 0 does not count the training of its source; the run of size 0 does."


def show_failures(material: Material) -> Section:
    """Show what has no result, with the cause; nothing is left out of the count."""
    lost = [row for row in material.rows if row.state != "succeeded"]
    if not lost and not material.troubles:
        return Section("What failed", ())
    parts: list[Part] = []
    if material.troubles:
        causes = sorted(material.troubles, key=lambda cause: (cause.state, -len(cause.labels)))
        parts.append(make_table([_show_cause(cause) for cause in causes[:CAUSES]]))
        if len(causes) > CAUSES:
            parts.append(Paragraph(f"… and {len(causes) - CAUSES:,} more causes.", warning=True))
    if lost:
        parts.append(_list_lost(lost))
    return Section("What failed, and what is missing", tuple(parts))


def _show_cause(cause: LostStages) -> dict[str, Any]:
    more = len(cause.labels) - FEW
    labels = ", ".join(cause.labels[:FEW]) + (f" and {more:,} more" if more > 0 else "")
    return {"state": cause.state, "stages": len(cause.labels), "cause": cause.cause, "which": labels}


def _list_lost(rows: Sequence[RunResult]) -> Table:
    caption = f"{format_count(len(rows), 'run')} without a result"
    return make_table([_show_run(row) for row in rows], caption=caption, folded=len(rows) > LONG)


def _show_run(row: RunResult) -> dict[str, Any]:
    cell = {key: TableCell(format_cell(key, value), value) for key, value in row.cell.items()}
    return {**cell, "seed": row.seed, "state": row.state}


def list_runs(spec: Mapping[str, Json], rows: Sequence[RunResult], items: Mapping[str, Items]) -> Section:
    """List every run; what not all of its items tell, with how many do. The metric of the answer comes first."""
    runs = [_show_run(row) for row in rows]
    metrics = order_metrics(spec, sort_metrics({name for row in rows for name in row.metrics}))
    for run, row in zip(runs, rows, strict=True):
        run |= {metric: row.metrics.get(metric) for metric in metrics}
        run |= {
            metric: TableCell(f"{format_value(row.metrics[metric])}{mark_told(count)}", row.metrics[metric])
            for metric, count in list_conditional([row], items).items()
        }
        run |= {"steps": row.steps, "tokens": row.tokens, "$": show_dollars(row.micro_usd)}
    notes = [Paragraph(CHAINED)] if any(row.before for row in rows) else []
    notes += [Paragraph(SOURCED)] if any(row.cell.get("source") and row.cell.get("size") for row in rows) else []
    table = make_table(runs, folded=True, caption=format_count(len(rows), "run"))
    return Section("Every run", (*notes, table) if rows else ())
