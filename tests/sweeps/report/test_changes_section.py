"""What the report says about how its changes are computed."""

import pytest

from sweeps.analysis.change_estimate import Change
from sweeps.analysis.item_analysis import CellChanges
from sweeps.report.changes_section import show_change, show_changes
from sweeps.report.document import Paragraph, Table
from sweeps.report.table_cells import MINUS, TableCell
from tests.wording import lacks


def count_notes_of_bias(*metrics: str) -> int:
    """Count the paragraphs that say that a change is not exactly the difference beside it."""
    changes = tuple(
        Change(name, 0.135, 0.097, 0.015, -0.01, 0.04, 0.3, items=200, clusters=200, seeds=3, left_out=0, clear=False)
        for name in metrics
    )
    cell = CellChanges({}, "sl", "untrained", changes, largest=True, known=dict.fromkeys(metrics))
    (section,) = show_changes([cell]).sections
    notes = [part.text for part in section.parts if isinstance(part, Paragraph)]
    return sum(lacks(note, "bias measured calibration") == [] for note in notes)


@pytest.mark.parametrize("metric", ["ece", "adaptive_ece", "rhythm.ece"])
def test_a_change_that_is_less_its_bias_says_so_below_its_table(metric: str) -> None:
    assert count_notes_of_bias("accuracy", metric) == 1
    assert count_notes_of_bias("accuracy", "brier") == 0


def test_a_change_less_its_bias_has_the_measured_one_beside_it() -> None:
    change = Change("ece", 0.135, 0.097, 0.015, -0.01, 0.04, 0.3, 200, 200, seeds=3, left_out=0, clear=False)
    assert show_change(change)["change"] == TableCell(f"+0.015 ({MINUS}0.038)", 0.015)


def make_change(metric: str, before: float, after: float, items: int = 200) -> Change:
    mean = after - before
    return Change(
        metric, before, after, mean, mean - 0.1, mean + 0.1, 0.3, items, items, seeds=3, left_out=0, clear=False
    )


def test_rows_that_tell_nothing_are_counted_and_named_metrics_stand_first_whatever_they_say() -> None:
    changes = (
        make_change("unchecked_answers", 0.0, 0.0),
        make_change("f1.rare", 0.2, 0.7, items=3),
        make_change("brier", 0.2, 0.1),
        make_change("closed_book", 0.0, 0.0),
        make_change("accuracy", 0.4, 0.8),
    )
    cell = CellChanges({}, "sl", "untrained", changes, largest=True, known={})
    named = ("accuracy", "closed_book")
    (section,) = show_changes([cell], named, named).sections
    shown, others = (part for part in section.parts if isinstance(part, Table))
    assert [row[0].text for row in shown.rows] == ["accuracy", "closed_book"]
    assert ([row[0].text for row in others.rows], shown.folded, others.folded) == (["brier"], False, True)
    assert sum(part.text.startswith("2 changes") for part in section.parts if isinstance(part, Paragraph)) == 1
