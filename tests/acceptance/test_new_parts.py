"""A new evaluator, or a new kind of experiment, is one file and one line: added to a copy of the packages, planned,
run, and in every answer."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.command import ROOT, Desk, Said
from tests.toy_kind import KIND

PACKAGES = ("sweeps", "scheduler", "worker", "tinker_offline")
# The line before which a name is added: the only line of the project that changes.
EVALUATOR_LINE = '    "task_completion",\n'
KIND_LINE = '    "compare": "sweeps.experiments.compare",\n'

FORWARD = '''
"""The evaluator `surprise`: how far each record's mean loss is on the way from 0 to infinity, with 1/2 at `above`."""

from sweeps.evaluation.evaluator import Measured, Metric, Option, average
from sweeps.evaluation.forward_evaluator import ForwardEvaluator
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.evaluator_options import check_count


class Surprise(ForwardEvaluator):
    name = "surprise"
    metrics = (Metric("surprised", "lower"),)
    options = {"above": Option(check_count, 3)}
    formats = ("questions",)
    data = "questions"

    def identify(self, options):
        return {"above": self.complete(options)["above"]}

    def measure(self, passes, options):
        tokens = [float(example.weights.sum()) for example in passes.examples]
        losses = [-each / count for each, count in zip(passes.log_likelihoods, tokens, strict=True)]
        rows = [ItemRow(item, {"surprised": loss / (loss + options["above"])}) for item, loss in enumerate(losses)]
        return Measured(average(rows, self.metrics), rows)


EVALUATOR = Surprise()
'''
WRITTEN = '''
"""The evaluator `brevity`: how much of what it may write the model needs."""

from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ItemScore, audit_metrics
from sweeps.evaluation.evaluator import Metric, Option
from sweeps.evaluation.evaluator_options import check_answer_check, check_count
from sweeps.rendering.prompts import PromptItem, build_prompt


class Brevity(AnswerEvaluator):
    name = "brevity"
    metrics = (Metric("short", "higher", law=True), *audit_metrics("brevity"))
    options = {"check": Option(check_answer_check(), "exact"), "most": Option(check_count, 8)}

    def ask(self, rows, options):
        return (PromptItem(item, "", build_prompt(row), tuple(row["answers"])) for item, row in enumerate(rows))

    def score_item(self, prompts, options):
        (only,) = prompts
        return ItemScore({"short": 1 / (1 + len(only.answers[0].text) / options["most"])}, {"said": only.texts[0]})


EVALUATOR = Brevity()
'''
# Several commands in one process, which imports the copy: `sweep`, and what each says.
COMMANDS = """
import contextlib, io, json, sys
from scheduler.cli import main
said = []
for words in json.loads(sys.argv[1]):
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            status = ended.code
    said.append((status or 0, out.getvalue(), err.getvalue()))
print(json.dumps(said))
"""
SPEC = """
sweep: toys
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.05, batch_size: 8, steps: 12}
data: {facts: {source: "offline:facts", holdout: 24}}
sizes: [8, 32]
seeds: 2
evaluate: [{surprise: {above: 2}}, brevity]
target: {metric: short, above: 0.5}
"""
LONGER = """
sweep: longer
experiment: longer
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.05, batch_size: 8, steps: 6}
data: {facts: {source: "offline:facts", holdout: 24}}
seeds: 2
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk whose `sweep` is of a copy of this project with two evaluators and a kind of experiment more."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    copy = desk.folder / "copy"
    for package in PACKAGES:  # with what is compiled already
        shutil.copytree(ROOT / package, copy / package)
    evaluation, experiments = copy / "sweeps" / "evaluation", copy / "sweeps" / "experiments"
    for name, text in (("surprise", FORWARD), ("brevity", WRITTEN)):
        (evaluation / f"{name}.py").write_text(text.lstrip())
        _register(evaluation / "registry.py", EVALUATOR_LINE, f'    "{name}",\n')
    (experiments / "longer.py").write_text(KIND)
    _register(experiments / "experiment_registry.py", KIND_LINE, '    "longer": "sweeps.experiments.longer",\n')
    desk.write("longer.yaml", LONGER)
    desk.write("toys.yaml", SPEC)
    desk.environment["PYTHONPATH"] = str(copy)
    return desk


def _register(registry: Path, before: str, line: str) -> None:
    text = registry.read_text()
    assert text.count(before) == 1
    registry.write_text(text.replace(before, line + before))


class Answer(NamedTuple):
    """What is said of a sweep: for programs, and the table, the page and the Markdown."""

    results: dict[str, Any]
    faces: tuple[str, str, str]


def _ask(desk: Desk, *commands: tuple[str, ...]) -> list[Said]:
    """Run commands one after the other in one process of the copy: each process imports for a second."""
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        env=desk.variables({}),
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Said(*answer) for answer in json.loads(ended.stdout)]


@pytest.fixture(scope="module")
def answers(extended: Desk) -> dict[str, Answer]:
    """What is said of both sweeps after they ran."""
    output = extended.sweep("run", "toys.yaml", "longer.yaml")
    assert output.status == 0, output.err
    return {name: _read_answer(extended, name) for name in ("toys", "longer")}


def _read_answer(desk: Desk, name: str) -> Answer:
    page, text = desk.folder / f"{name}.html", desk.folder / f"{name}.md"
    results, table, *reports = _ask(
        desk,
        ("-f", "json", "results", name),
        ("results", name),
        ("report", name, "-o", str(page)),
        ("report", name, "--format", "md", "-o", str(text)),
    )
    assert [answer.err for answer in (results, table, *reports) if answer.status] == []
    return Answer(results.json, (table.out, page.read_text(), text.read_text()))


def test_two_new_evaluators_are_planned_and_a_wrong_option_is_named(extended: Desk) -> None:
    planned, refused = _ask(
        extended,
        ("-f", "json", "plan", "toys.yaml"),
        ("plan", "toys.yaml", "evaluate=[{surprise: {above: none}}]"),
    )
    assert planned.status == 0, planned.err
    labels = [stage["label"].partition(" on ")[0] for stage in planned.json["stages"] if stage["kind"] == "evaluate"]
    assert (labels.count("surprise"), labels.count("brevity")) == (5, 5), "the base, and two sizes with two seeds"
    assert planned.json["defaults"]["evaluate.brevity.most"] == 8
    assert refused.status != 0
    assert "surprise.above" in refused.err


def test_two_new_evaluators_run_and_are_in_every_answer(answers: dict[str, Answer]) -> None:
    results, (table, page, text) = answers["toys"]
    largest = next(cell for cell in results["cells"] if cell["cell"]["size"] == 32)
    means = {metric: largest["metrics"][metric]["mean"] for metric in ("surprised", "short")}
    assert all(0 < mean < 1 for mean in means.values()), f"a constant would match by chance: {means}"
    assert 0 <= largest["metrics"]["cut_brevity"]["mean"] <= 1
    changed = {change["metric"]: change for change in results["changes"] if change["cell"]["size"] == 32}
    assert changed["short"]["items"] == changed["surprised"]["items"] == 24, "item by item, from the rows it kept"

    for metric in ("surprised", "short"):
        assert metric in table
        for face, row in ((page, f"(?s)<tr>(?:(?!</tr>).)*{metric}.*?</tr>"), (text, rf"(?m)^\|.*{metric}.*$")):
            rows = re.findall(row, face)
            assert any(f"{means[metric]:.3f}" in line for line in rows), (metric, rows)


def test_a_new_kind_of_experiment_runs_and_is_in_every_answer(answers: dict[str, Answer]) -> None:
    results, faces = answers["longer"]
    losses = {cell["cell"]["times"]: cell["metrics"]["nll"]["mean"] for cell in results["cells"]}
    assert losses[2] < losses[1], "trained for twice as many steps, really"
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["against"]) == ("better", "1 time as long")
    assert conclusion["effect"] == pytest.approx(losses[1] - losses[2], abs=1e-6)
    for face in faces:
        assert f"2 times as long has the least loss: {losses[2]:.4f}." in " ".join(face.split())
