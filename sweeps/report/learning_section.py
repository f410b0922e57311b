"""Show the trainings that may not have learnt, with the numbers that say so."""

from collections.abc import Sequence

from sweeps.analysis.learning_signs import LearningSign
from sweeps.analysis.learning_words import list_sign_rows
from sweeps.report.document import Section, make_table
from sweeps.results import RunResult, find_shared_keys

FEW = 8  # rows that are not folded


def show_signs(signs: Sequence[LearningSign], rows: Sequence[RunResult]) -> Section:
    """Show every sign as a row of a table."""
    same = find_shared_keys([row.cell for row in rows])
    table_rows = list_sign_rows(signs, same)
    table = make_table(table_rows, folded=len(signs) > FEW)
    return Section("Trainings that may not have learnt", (table,) if signs else ())
