"""What sizes count has its name everywhere: rows, or the groups by their column."""

from dataclasses import replace
from typing import Any

import pytest

from sweeps.report.compose import compose
from sweeps.report.document import Report
from sweeps.report.html import render_html
from sweeps.report.markdown import render_markdown
from sweeps.spec.size_units import EXAMPLES, find_unit, name_group
from tests.sweeps.reports import material, scaling_rows, transfer_rows


@pytest.mark.parametrize(
    ("column", "several"),
    [
        ("subject", "subjects"),
        ("patient_id", "patients"),
        ("patientId", "patients"),
        ("country", "countries"),
        ("day", "days"),
        ("box", "boxes"),
        ("person", "people"),
        ("repository name", "repository names"),
        ("id", "groups by 'id'"),
        ("x1", "groups by 'x1'"),
        ("患者", "groups by '患者'"),
    ],
)
def test_a_unit_is_the_word_of_its_column(column: str, several: str) -> None:
    unit = name_group(column)
    assert unit.many == several
    assert unit.write(1234) == f"1,234 {several}"
    assert unit.write(1) == f"1 {unit.one}"
    assert unit.one != unit.many


def test_data_sets_that_count_otherwise_are_both_named() -> None:
    spec: dict[str, Any] = {"data": {"ecg": {"source": "e.csv", "group": "subject"}, "notes": {"source": "n.csv"}}}
    assert find_unit(spec, ["ecg"]).many == "subjects"
    assert find_unit({"data": {"ecg": {"group": "subject", "sizes_in": "rows"}}}, ["ecg"]) == EXAMPLES
    assert find_unit(spec, ["notes"]) == find_unit({}, ["notes"]) == EXAMPLES
    assert find_unit(spec, ["ecg", "notes"]).write(2) == "2 subjects or rows"


def list_faces(report: Report) -> list[str]:
    """The report as a page, as Markdown and in sentences, without the file that was asked."""
    own = replace(report, evidence=())
    return [render_html(own, ""), render_markdown(own), "\n".join(report.lines)]


@pytest.mark.parametrize("experiment", ["data_scaling", "transfer"])
def test_no_face_of_a_report_calls_groups_examples(experiment: str) -> None:
    rows = scaling_rows() if experiment == "data_scaling" else transfer_rows(sizes=(0, 64, 128))
    asked = material(experiment, rows)
    grouped: dict[str, Any] = {name: {"source": "s.csv", "group": "user_id"} for name in ("code", "law")}
    plain, by_user = compose(asked), compose(replace(asked, spec={**asked.spec, "data": grouped}))
    for before, after in zip(list_faces(plain), list_faces(by_user), strict=True):
        assert ("rows" in before, "users" in before) == (True, False)
        assert ("rows" in after, "users" in after) == (False, True)
