"""Which classes a model takes for which: a table for each cell, all seeds together."""

from collections.abc import Sequence
from typing import Any

from sweeps.analysis.confusion_cells import ConfusionCell
from sweeps.formatting import format_count
from sweeps.report.document import Paragraph, Part, Section, make_table

TITLE = "Which class is taken for which?"
FEW = 4  # tables that are shown at once
NOTE = "A row is a true class, a column the class that was chosen; all seeds together. The diagonal is right."


def show_confusions(cells: Sequence[ConfusionCell]) -> Section:
    """Show the confusion matrix of each cell, with precision and recall of each class."""
    tables: list[Part] = [_show_cell(cell, folded=len(cells) > FEW) for cell in cells]
    return Section(TITLE, (Paragraph(NOTE), *tables) if tables else ())


def list_confusion_facts(cells: Sequence[ConfusionCell]) -> list[dict[str, Any]]:
    """List the same for programs."""
    return [
        {
            "measure": cell.measure,
            "cell": dict(cell.cell),
            "seeds": cell.seeds,
            "classes": list(cell.classes),
            "counts": [list(row) for row in cell.counts],
            "precision": list(cell.precision),
            "recall": list(cell.recall),
        }
        for cell in cells
    ]


def _show_cell(cell: ConfusionCell, *, folded: bool) -> Part:
    rows = [
        {
            "true class": name,
            **{f"→ {given}": count for given, count in zip(cell.classes, counts, strict=True)},
            "precision": None if precision is None else round(precision, 4),
            "recall": None if recall is None else round(recall, 4),
        }
        for name, counts, precision, recall in zip(cell.classes, cell.counts, cell.precision, cell.recall, strict=True)
    ]
    caption = ", ".join(filter(None, (cell.measure, cell.name, format_count(cell.seeds, "seed"))))
    return make_table(rows, caption=caption, folded=folded)
