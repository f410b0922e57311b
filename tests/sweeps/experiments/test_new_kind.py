"""A new kind of experiment is one file and one line of registration: it plans, runs, and is shown on every face."""

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

KIND = '''"""Longer: does training twice as long help?"""

from dataclasses import replace

from sweeps.analysis.item_analysis import ItemsBy
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.kind import Experiment
from sweeps.planning.runs import DatasetRun
from sweeps.report.document import Answer, Section, make_table
from sweeps.results import keep_measured


def plan_lengths(builder, variant):
    for name, spec in variant.data.items():
        dataset = builder.data.dataset(name, spec)
        for times in (1, 2):
            train = variant.train.model_copy(update={"steps": variant.train.steps * times})
            for seed in builder.sweep.seed_values:
                cell = {"times": times, **variant.cell}
                yield DatasetRun(builder, replace(variant, train=train), cell, seed, dataset, len(dataset.train))


def list_means(spec, rows, items):
    losses = {}
    for row in keep_measured(rows):
        losses.setdefault(row.cell["times"], []).append(row.metrics["nll"])
    return [{"times": times, "nll": sum(each) / len(each)} for times, each in losses.items()]


def conclude(spec, rows, items):
    long, short = ([row["nll"] for row in list_means(spec, rows, items) if row["times"] == times] for times in (2, 1))
    return Conclusion("better", "nll", "2 times as long", "1 time as long", short[0] - long[0])


def answer(spec, rows, items, conclusion):
    means = list_means(spec, rows, items)
    best = min(means, key=lambda row: row["nll"])
    table = make_table(means, caption="Mean loss of each length")
    sentence = f"{best['times']} times as long has the least loss: {best['nll']:.4f}."
    return Answer((sentence,), (Section("Longer", (table,)),))


EXPERIMENT = Experiment(
    name="longer",
    title="longer training",
    question="Does training longer help?",
    needs=("train",),
    takes=("train",),
    plan_runs=plan_lengths,
    conclude=conclude,
    answer=answer,
    facts_key="longer",
    list_facts=list_means,
    list_cell_values=lambda sweep: {"times": (1, 2)},
    count_axes=lambda sweep: {"lengths": 2},
)
'''
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
