"""A plan says where a model must tell that no line answers, and cannot; of other answers it says nothing."""

import json
from pathlib import Path

import pytest

from scheduler.prepare import prepare
from scheduler.settings import read_settings
from sweeps.planning.notes.horizons import FINDS, READS_ALL
from sweeps.planning.notes.refusing_answers import Refusals, count_refusals
from sweeps.records import Records
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.scaling.coded_text import read_code
from tests.tinker_offline.model.chat_tasks import TASKS, Item, make_items
from tests.tinker_offline.model.handbook_task import REFUSAL, make_handbook

ROWS = 100


def write_rows(items: list[Item]) -> tuple[dict[str, str], ...]:
    return tuple({"prompt": prompt, "completion": answer} for prompt, answer in items)


def count(items: list[Item]) -> Refusals:
    return count_refusals(
        render_all(Records("completion", write_rows(items)), OfflineTokenizer(), loss_mask="completion")
    )


def test_refusals_among_copied_answers_are_counted() -> None:
    items = make_handbook(ROWS, 1)
    assert count(items) == (sum(answer == REFUSAL for _, answer in items), ROWS, REFUSAL)


@pytest.mark.parametrize("task", TASKS)
def test_answers_of_other_tasks_refuse_nothing(task: str) -> None:
    assert count(make_items(task, ROWS, 1)) == Refusals()


def test_answers_that_all_stand_there_and_questions_without_passages_refuse_nothing() -> None:
    assert count(make_handbook(ROWS, 1, there=True)) == Refusals()
    assert count([(prompt.rpartition("\n")[2], answer) for prompt, answer in make_handbook(ROWS, 1)]) == Refusals()


def test_few_refusals_are_not_noted() -> None:
    assert count([*make_handbook(ROWS, 1, there=True), *make_handbook(4, 2, there=False)]) == Refusals()


SPEC = """
sweep: refuses
experiment: grid
model: MODEL
train: {method: sl, learning_rate: 0.02, batch_size: 8, steps: 4}
data: {mine: {source: mine.jsonl, holdout: 20}}
evaluate: [nll]
"""


@pytest.mark.parametrize(("model", "codes"), [(READS_ALL, ["refuses"]), (FINDS, []), ("offline/ngram-s", [])])
def test_a_plan_names_the_model_that_finds(tmp_path: Path, model: str, codes: list[str]) -> None:
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in write_rows(make_handbook(ROWS, 1))))
    (tmp_path / "refuses.yaml").write_text(SPEC.replace("MODEL", model))
    prepared = prepare(tmp_path / "refuses.yaml", (), read_settings({"SWEEP_HOME": str(tmp_path / "home")}))
    notes = [note for note in prepared.plan.notes if model in note]
    assert [read_code(note) for note in notes if read_code(note)] == codes
    assert [FINDS in note for note in notes] == [True] * (model != FINDS)
