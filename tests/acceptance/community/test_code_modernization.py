"""The example `code_modernization`: more projects help, and shuffled answers teach nothing."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps.training.data_order import count_group_rows, order_subset
from tests.acceptance.command import ROOT, Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import EXAMPLES, copy_new, run_example
from tests.sweeps.files import load

NAME = "code_modernization"
FOLDER = EXAMPLES / NAME
BEHAVIOUR = 'evaluate=[{behaviour: {answers: {check: "line_checks:behaves", most: 48}}}]'


def load_checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("line_checks", FOLDER / "line_checks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def read_means(results: dict[str, Any], metric: str) -> dict[tuple[str, int], float]:
    """Return the mean of a metric for each data set and size; the untrained model has size 0."""
    return {
        (cell["cell"]["data"], cell["cell"]["size"]): cell["metrics"][metric]["mean"]
        for cell in results["cells"]
        if metric in cell["metrics"]
    }


@IN_SHORT
def test_more_projects_make_more_lines_behave(desk: Desk) -> None:
    results = run_example(desk, NAME, "target=null", BEHAVIOUR, "sizes=[3, 24]", "metrics=[behaviour.accuracy]")
    conclusion = results["conclusion"]
    assert conclusion["claim"] == "more_data_helps"
    assert conclusion["metric"] == "behaviour.accuracy"
    behaves = read_means(results, "behaviour.accuracy")
    assert behaves["pairs", 24] > behaves["pairs", 3] + 0.2


@IN_SHORT
def test_answers_of_other_lines_teach_a_style_and_no_line_behaves(desk: Desk) -> None:
    results = run_example(desk, NAME, "data.shuffled.holdout=5", "sizes=[3, 24]", "seeds=2", file="null.yaml")
    assert results["conclusion"]["claim"] in {"nothing_learnt", "no_clear_difference", "no_answer"}
    behaves = read_means(results, "behaviour.accuracy")
    assert behaves["shuffled", 24] <= 0.05


@IN_FULL
@pytest.mark.timeout(900)
def test_the_whole_example_says_how_many_projects_are_needed(desk: Desk) -> None:
    results = run_example(desk, NAME)
    assert results["conclusion"]["claim"] in {"minimum_data", "met_from", "beyond_sizes"}
    behaves, compiles = (read_means(results, f"{name}.accuracy") for name in ("behaviour", "compile"))
    assert behaves["pairs", 48] > 0.6
    assert compiles["pairs", 48] > behaves["pairs", 48]


def test_no_project_is_on_two_sides_at_any_size_and_seed(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_bytes((FOLDER / "pairs.jsonl").read_bytes())
    data = load(tmp_path, "pairs.jsonl", group="project", holdout=8)
    assert data.holdout
    assert not {*data.train.groups} & {*data.holdout.groups}
    for seed in range(3):
        order = order_subset(len(data.train), seed, data.train.groups)
        for size in (3, 6, 12, 24, 48):
            count = count_group_rows(order, data.train.groups, size)
            inside, outside = ({data.train.groups[row] for row in part} for part in (order[:count], order[count:]))
            assert len(inside) == size
            assert not inside & outside


def test_every_new_line_is_right_and_every_old_line_fails_one_of_the_checks() -> None:
    checks = load_checks()
    for row in read_rows("pairs.jsonl"):
        new, answers = row["answers"][0], row["answers"]
        assert checks.compiles(new, answers)
        assert checks.behaves(new, answers)
        assert checks.is_new(new, answers)
        old = row["question"].removeprefix("User: Rewrite: ").partition("\n")[0]
        assert not (checks.behaves(old, answers) and checks.is_new(old, answers)), old


def test_a_division_that_compiles_does_not_behave() -> None:
    checks = load_checks()
    row = next(row for row in read_rows("pairs.jsonl") if " // " in row["answers"][0])
    kept = row["answers"][0].replace("//", "/")
    assert checks.compiles(kept, row["answers"])
    assert checks.is_new(kept, row["answers"])
    assert not checks.behaves(kept, row["answers"])


def test_recorded_cases_agree_with_a_converter_from_outside() -> None:
    """`fissix`, the continuation of lib2to3, converts all but divisions; the cases hold for its lines."""
    main = pytest.importorskip("fissix.refactor")
    names = ["print", "has_key", "except"]
    tool = main.RefactoringTool([f"fissix.fixes.fix_{name}" for name in names])
    checks, converted = load_checks(), 0
    for row in read_rows("pairs.jsonl")[:200]:
        case = json.loads(row["answers"][1])
        old = row["question"].removeprefix("User: Rewrite: ").partition("\n")[0]
        if " / " in old:
            continue
        code = str(tool.refactor_string(case["frame"].replace("@", old) + "\n", "old"))
        ast.parse(code)
        assert checks.run_case(code, case["inputs"]) == case["saw"], code
        converted += 1
    assert converted > 100


def test_the_review_environment_is_sound_and_its_transcripts_are_what_its_maker_writes(desk: Desk) -> None:
    folder = copy_new(desk, NAME)
    inside = Desk(folder)
    checked = inside.call("-f", "json", "play", "review:Desk", "--check").json
    assert {check["check"]: check["verdict"] for check in checked["checks"]} == {
        **dict.fromkeys(["returns", "shape", "deterministic", "splits"], "ok"),
        "reward": "note",
    }
    before = {name: (folder / name).read_bytes() for name in ("alone.jsonl", "reviewed.jsonl")}
    subprocess.run(
        [sys.executable, "review.py"], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60
    )
    assert before == {name: (folder / name).read_bytes() for name in before}


@pytest.mark.parametrize("file", ["review.yaml", "transfer.yaml", "null.yaml"])
def test_further_questions_plan_without_a_refusal(desk: Desk, file: str) -> None:
    planned = Desk(copy_new(desk, NAME)).call("-f", "json", "plan", file)
    assert planned.status == 0, planned.err
    assert planned.json["refusals"] == []
