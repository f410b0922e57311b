"""What the report says about how its changes are computed."""

import pytest

from sweeps.analysis.change_estimate import Change
from sweeps.analysis.item_analysis import CellChanges
from sweeps.report.changes_section import show_changes
from sweeps.report.document import Paragraph
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
    return sum(lacks(note, "bias `before` `after` calibration") == [] for note in notes)


@pytest.mark.parametrize("metric", ["ece", "adaptive_ece", "rhythm.ece"])
def test_a_change_that_is_less_its_bias_says_so_below_its_table(metric: str) -> None:
    assert count_notes_of_bias("accuracy", metric) == 1
    assert count_notes_of_bias("accuracy", "brier") == 0
