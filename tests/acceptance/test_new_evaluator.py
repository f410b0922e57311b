"""A new evaluator is one file and one line: added to a copy of the packages, planned, run, and in every answer."""

import re
import shutil

import pytest

from tests.acceptance.command import ROOT, Desk

PACKAGES = ("sweeps", "scheduler", "worker", "tinker_offline")
# The line before which each name is added: the only line of the project that changes.
REGISTERED = '    "task_completion",\n'

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
SPEC = """
sweep: toys
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.05, batch_size: 8, steps: 12}
data: {facts: {source: "offline:facts", holdout: 24}}
sizes: [8, 16, 32]
seeds: 2
evaluate: [{surprise: {above: 2}}, brevity]
target: {metric: short, above: 0.5}
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk whose `sweep` is of a copy of this project with two evaluators more."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    copy = desk.folder / "copy"
    for package in PACKAGES:  # with what is compiled already
        shutil.copytree(ROOT / package, copy / package)
    folder = copy / "sweeps" / "evaluation"
    for name, text in (("surprise", FORWARD), ("brevity", WRITTEN)):
        (folder / f"{name}.py").write_text(text.lstrip())
        registry = (folder / "registry.py").read_text()
        assert registry.count(REGISTERED) == 1
        (folder / "registry.py").write_text(registry.replace(REGISTERED, f'    "{name}",\n{REGISTERED}'))
    desk.write("toys.yaml", SPEC)
    desk.environment["PYTHONPATH"] = str(copy)
    return desk


def test_two_new_evaluators_are_planned_run_and_in_every_answer(extended: Desk) -> None:
    planned = extended.sweep("-f", "json", "plan", "toys.yaml")
    assert planned.status == 0, planned.err
    labels = [stage["label"].partition(" on ")[0] for stage in planned.json["stages"] if stage["kind"] == "evaluate"]
    assert (labels.count("surprise"), labels.count("brevity")) == (7, 7), "the base, and three sizes with two seeds"
    assert planned.json["defaults"]["evaluate.brevity.most"] == 8

    ran = extended.sweep("run", "toys.yaml")
    assert ran.status == 0, ran.err
    results = extended.sweep("-f", "json", "results", "toys").json
    largest = next(cell for cell in results["cells"] if cell["cell"]["size"] == 32)
    means = {metric: largest["metrics"][metric]["mean"] for metric in ("surprised", "short")}
    assert all(0 < mean < 1 for mean in means.values()), f"a constant would match by chance: {means}"
    assert 0 <= largest["metrics"]["cut_brevity"]["mean"] <= 1
    changed = {change["metric"]: change for change in results["changes"] if change["cell"]["size"] == 32}
    assert changed["short"]["items"] == changed["surprised"]["items"] == 24, "item by item, from the rows it kept"

    table = extended.sweep("results", "toys").out
    page, text = extended.folder / "page.html", extended.folder / "page.md"
    assert extended.sweep("report", "toys", "-o", str(page)).status == 0
    assert extended.sweep("report", "toys", "--format", "md", "-o", str(text)).status == 0
    for metric in ("surprised", "short"):
        assert metric in table
        for file, row in ((page, f"<tr>(?:(?!</tr>).)*{metric}.*?</tr>"), (text, rf"(?m)^\|.*{metric}.*$")):
            rows = re.findall(row, file.read_text(), re.DOTALL if file is page else 0)
            assert any(f"{means[metric]:.3f}" in line for line in rows), (metric, file.name, rows)


def test_a_wrong_option_of_it_is_named(extended: Desk) -> None:
    output = extended.sweep("plan", "toys.yaml", "evaluate=[{surprise: {above: none}}]")
    assert output.status != 0
    assert "surprise.above" in output.err
