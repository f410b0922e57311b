"""A new kind of experiment is one file and one line of registration: it plans, and is shown on every face.

tests/acceptance/test_new_parts.py runs it."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_report
from sweeps import PlanError, SpecError
from sweeps.experiments.experiment_registry import EXPERIMENTS
from sweeps.report.compose import compose, list_facts
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import render_markdown
from sweeps.results import RunResult
from tests.sweeps.questions import Load, planned
from tests.toy_kind import KIND

SPEC = """
sweep: longer
experiment: longer
model: offline/ngram-s
train: {learning_rate: 0.01, steps: 10}
data: {a: {source: a.jsonl, holdout: 10}}
seeds: 2
"""


@pytest.fixture
def longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file, and the line that registers it."""
    (tmp_path / "longer_kind.py").write_text(KIND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXPERIMENTS, "longer", "longer_kind")
    monkeypatch.delitem(sys.modules, "longer_kind", raising=False)


@pytest.mark.usefixtures("longer")
def test_it_plans_and_every_face_shows_its_answer() -> None:
    plan = planned(SPEC, load=Load(100))
    assert [(run.cell, run.seed) for run in plan.runs] == [
        ({"times": times}, seed) for times in (1, 2) for seed in (0, 1)
    ]
    assert sorted(stage.steps for stage in plan.stages if stage.kind == "train") == [10, 10, 20, 20]
    rows = [
        RunResult(run.cell, run.seed, "succeeded", {"nll": 3.0 - 0.25 * int(str(run.cell["times"]))}, stage=run.stage)
        for run in plan.runs
    ]
    known = Material("longer", "finished", {"experiment": "longer"}, rows)
    report, text = compose(known), io.StringIO()
    show_report(Output("table", Console(file=text, width=80)), report)
    for face in (text.getvalue(), render_html(report, ""), render_markdown(report)):
        assert "2 times as long has the least loss: 2.5000." in face
        assert "2.7500" in face
        assert report.conclusion is not None
        assert report.conclusion.sentence in face
        assert "Mean loss of each length" in face
    assert report.question == "Does training longer help?"
    assert ("experiment", "longer training") in report.facts
    assert list_facts(known)["longer"] == [{"times": 1, "nll": 2.75}, {"times": 2, "nll": 2.5}]


@pytest.mark.usefixtures("longer")
def test_its_spec_is_checked_by_what_it_says_of_itself() -> None:
    with pytest.raises(SpecError, match="train"):
        planned(SPEC.replace("train: {learning_rate: 0.01, steps: 10}\n", ""))
    with pytest.raises(SpecError, match="sizes"):
        planned(SPEC + "sizes: [10, 20]\n")
    with pytest.raises((SpecError, PlanError), match="times"):
        planned(SPEC + "exclude: [{times: 3}]\n")
    plan = planned(SPEC + "exclude: [{times: 1}]\n", load=Load(100))
    assert {run.cell["times"] for run in plan.runs} == {2}


def test_without_its_line_it_is_unknown() -> None:
    with pytest.raises(SpecError, match="longer"):
        planned(SPEC)
