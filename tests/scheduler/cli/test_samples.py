"""`sweep samples`: what models wrote, before and after, in terminals of any width, in a pipe and as JSON."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from scheduler.artefacts import Artefacts, locate_records
from scheduler.cli import main
from scheduler.cli import sweep as command
from scheduler.state import keys
from scheduler.state.submission import submit
from sweeps.evaluation.item_rows import ItemRow
from sweeps.records import Records
from sweeps.stage import Json, Plan, Run, Stage
from tests.scheduler.kept import lay_items
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, submission, train
from tests.support import RedisServer
from tests.terminals import run_in_terminal

LONG = "word " * 500
HOSTILE = "line one\nline two\x1b[31m red \u202e turned"
ANSWERS = [  # by item: question, right, untrained, trained, scores
    ("2+2=", "4", "5", "4", 0.0, 1.0),
    ("首都は？", "東京" * 40, "大阪" * 40, "京都" * 40, 0.0, 0.0),
    ("kept?", "yes", "yes", "no", 1.0, 0.0),
    (LONG, "short", LONG + "before", LONG + "after", 0.5, 0.5),
    ("easy", "a", "a", "a", 1.0, 1.0),
    ("odd", "b", HOSTILE, "b", 0.0, 1.0),
]
QUESTIONS = Records("questions", tuple({"question": row[0], "answers": [row[1]]} for row in ANSWERS))
EPISODES = [("Item 1: a", "Item 1: x", 0.0, 1.0), ("Item 2: b", "Item 2: y", 1.0, 1.0)]


def with_evaluator(stage: Stage, name: str, **recipe: Json) -> Stage:
    options: dict[str, Json] = {"name": name, "check": "exact", "most": 8}
    return replace(stage, recipe={**stage.recipe, "evaluator": options, **recipe})


def make_plan(seeds: int = 2) -> Plan:
    """The untrained model, and one method at some seeds; answers, episodes and losses."""
    stages, runs = list[Stage](), list[Run]()
    for method in (None, "sl"):
        for seed in range(seeds if method else 1):
            name = f"{method}{seed}"
            parents = [train(name)] if method else []
            ids = [stage.id for stage in parents]
            measured = {
                "answers": with_evaluator(evaluate(f"answers-{name}", *ids), "answers", items=QUESTIONS.sha256),
                "task_completion": with_evaluator(evaluate(f"tasks-{name}", *ids), "task_completion"),
                "nll": with_evaluator(evaluate(f"nll-{name}", *ids), "nll"),
            }
            stages += [*parents, *measured.values()]
            which = {measure: stage.id for measure, stage in measured.items()}
            runs.append(Run({"method": method}, seed, ids[0] if ids else None, which))
    return plan("s", stages, runs)


def make_rows(side: int) -> list[ItemRow]:
    """What the model says before (0) and after (1) training."""
    return [
        ItemRow(item, {"accuracy": float(row[4 + side])}, details={"said": row[2 + side]})
        for item, row in enumerate(ANSWERS)
    ]


def make_episodes(side: int) -> list[ItemRow]:
    return [
        ItemRow(item, {"solved": row[2 + side], "reward": row[2 + side], "turns": 1}, details={"text": row[side]})  # type: ignore[dict-item]
        for item, row in enumerate(EPISODES)
    ]


Ask = Callable[..., Result]


@pytest.fixture
def environment(redis: RedisServer, tmp_path: Path) -> dict[str, str]:
    return {"REDIS_URL": redis.url, "SWEEP_HOME": str(tmp_path / "home"), "SWEEP_STORE": str(tmp_path / "store")}


@pytest.fixture
def ask(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(command, words)


def lay(night: Night, tmp_path: Path, *, only_before: bool = False) -> None:
    """A sweep whose evaluations kept their items; `only_before` leaves its trainings undone."""
    question, artefacts = make_plan(), Artefacts(str(tmp_path / "store"))
    submit(night.store, submission(question))
    rows = {}
    for run in question.runs:
        side = int(run.stage is not None)
        if not (side and only_before):
            rows[run.measures["answers"]] = make_rows(side)
            rows[run.measures["task_completion"]] = make_episodes(side)
    lay_items(night.store, artefacts, question, rows)
    for number, run in enumerate(question.runs):
        side = int(run.stage is not None)
        if not (side and only_before):
            night.store.client.hset(keys.sweep_values("s"), f"{number}|task_completion", repr(0.5 + 0.5 * side))
        elif run.stage is not None:
            for stage in (run.stage, *run.measures.values()):
                night.store.client.hset(keys.stage(stage), "state", "waiting")
    artefacts.write(locate_records(QUESTIONS.sha256), QUESTIONS.to_jsonl())


@pytest.fixture
def laid(night: Night, ask: Ask, tmp_path: Path) -> None:
    del ask
    lay(night, tmp_path)


def read(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_worst_and_the_best_are_chosen_by_score_and_then_by_change(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path)
    document = read(ask("-f", "json", "samples", "s", "--worst", "3", "--best", "2"))
    answers, episodes = document["evaluations"]
    assert [
        (evaluation["measure"], evaluation["metric"], evaluation["items"]) for evaluation in document["evaluations"]
    ] == [
        ("answers", "accuracy", 6),
        ("task_completion", "task_completion", 2),
    ]
    assert [sample["item"] for sample in answers["worst"]] == [2, 1, 3], "what training spoilt stands first"
    assert [sample["item"] for sample in answers["best"]] == [0, 5], "what training mended stands first"
    (prompt,) = answers["best"][0]["prompts"]
    assert prompt == {"under": "", "question": "2+2=", "right": ["4"], "before": ["5"], "after": ["4"]}
    assert (answers["best"][0]["before"], answers["best"][0]["after"]) == (0.0, 1.0)
    assert answers["after"]["cell"] == {"method": "sl"}
    assert (answers["against"], answers["before"]["cell"]) == ("untrained", {"method": None})
    assert episodes["worst"][0]["prompts"][0]["after"] == ["Item 2: y"]
    assert [entry["measure"] for entry in document["unsampled"]] == ["nll"]


def test_a_metric_a_run_and_numbers_can_be_chosen(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path)
    document = read(ask("-f", "json", "samples", "s", "seed=1", "--metric", "reward", "--worst", "0", "--best", "1"))
    (only,) = document["evaluations"]
    assert (only["metric"], only["after"]["seed"], only["worst"], len(only["best"])) == ("reward", 1, [], 1)
    assert document["unsampled"] == []


@pytest.mark.parametrize(
    ("words", "status", "value"),
    [
        ("t", 1, "known sweeps are s"),
        ("s --metric acuracy", 1, "`accuracy`"),
        ("s seed", 2, "'seed'"),
        ("s seed=7", 1, "0, 1"),
        ("s methods=sl", 1, "`method`"),
        ("s --worst -1", 2, "-1"),
    ],
)
def test_wrong_words_are_refused_with_the_right_ones(
    laid: None, capsys: pytest.CaptureFixture[str], words: str, status: int, value: str
) -> None:
    del laid
    with pytest.raises(SystemExit) as done:
        main(["samples", *words.split()])
    assert done.value.code == status
    assert value in capsys.readouterr().err


def test_a_sweep_that_is_half_finished_says_what_is_missing(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path, only_before=True)
    document = read(ask("-f", "json", "samples", "s"))
    assert document["evaluations"] == []
    reasons = {entry["measure"]: entry["reason"] for entry in document["unsampled"]}
    assert "2 waiting" in reasons["answers"]
    assert reasons.keys() == {"answers", "task_completion", "nll"}
    assert ask("samples", "s").exit_code == 0


def test_lost_files_cost_a_note(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path)
    (tmp_path / "store" / locate_records(QUESTIONS.sha256)).unlink()
    words = ("-f", "json", "samples", "s", "--worst", "0", "--best", "6", "--metric", "accuracy")
    (answers,) = read(ask(*words))["evaluations"]
    assert answers["best"][0]["prompts"][0] == {
        "under": "",
        "question": "",
        "right": [],
        "before": ["5"],
        "after": ["4"],
    }
    assert any(QUESTIONS.sha256 in note for note in answers["notes"])
    for file in (tmp_path / "store").glob("stages/*/*/evaluate-answers-None0.*.items.jsonl.gz"):
        file.unlink()
    for sample in read(ask(*words))["evaluations"][0]["best"]:
        assert (sample["before"], sample["prompts"][0]["before"]) == (None, [])
        assert sample["prompts"][0]["after"] == [ANSWERS[sample["item"]][3]]


def test_a_table_has_a_row_for_each_prompt(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path)
    done = ask("-f", "csv", "samples", "s", "--worst", "1", "--best", "1")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["measure"], row["kind"], row["item"]) for row in rows] == [
        *(("answers", "worst", "2"), ("answers", "best", "0")),
        *(("task_completion", "worst", "1"), ("task_completion", "best", "0")),
    ]


def test_in_a_pipe_each_text_is_one_line_without_control_characters(night: Night, ask: Ask, tmp_path: Path) -> None:
    lay(night, tmp_path)
    lines = ask("samples", "s", "--worst", "6").stdout.splitlines()
    assert not any(ord(character) < 32 or character in "\x1b\u202e" for line in lines for character in line)
    (odd,) = (line for line in lines if "line one" in line)
    assert "line one line two" in odd
    assert any("大阪" * 40 in line for line in lines), "nothing is folded"


@pytest.mark.parametrize("columns", [60, 140])
def test_a_terminal_shows_answers_below_or_beside_each_other(
    night: Night, ask: Ask, environment: dict[str, str], tmp_path: Path, columns: int
) -> None:
    del ask
    lay(night, tmp_path)
    seen = run_in_terminal(
        ["samples", "s", "--worst", "6", "--best", "0", "--metric", "accuracy"],
        columns=columns,
        environment=environment,
        folder=tmp_path,
    )
    assert seen.status == 0
    assert max(map(cell_len, seen.lines)) <= columns
    beside = [line.split() for line in seen.lines if {"yes", "no"} <= {*line.split()}]
    assert beside == ([["yes", "no"]] if columns == 140 else [])
    assert "".join(seen.text.split()).count("東京") == 40
    assert "\x1b" not in seen.text
    assert "\u202e" not in seen.text
    assert "characters left out" in " ".join(seen.text.split())
