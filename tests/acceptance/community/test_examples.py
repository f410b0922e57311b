"""Every example of `examples/community/` can be listed, copied, planned, priced, and fed with data of the user's."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_SHORT
from tests.acceptance.community.example_runs import (
    COST,
    EXAMPLES,
    NAMES,
    VOCABULARY,
    copy_new,
    plan_live,
    write_cost,
)

HEADINGS = [
    "Who asks",
    "The question",
    "The design, and why",
    "What the answer looks like",
    "Bring your own data",
    "What it costs on Tinker",
    "What it cannot tell",
]


def test_examples_are_listed_with_their_questions(desk: Desk) -> None:
    listed = desk.call("-f", "json", "examples").json["examples"]
    assert [example["name"] for example in listed] == NAMES
    assert all(example["question"].endswith("?") for example in listed)
    assert desk.call("-f", "json", "new").json == {"examples": listed}


def test_a_folder_that_has_something_in_it_is_left_alone(desk: Desk) -> None:
    mine = desk.folder / "first_run"
    mine.mkdir()
    (mine / "sweep.yaml").write_text("mine")
    refused = desk.call("new", "first_run")
    assert refused.status == 1
    assert "first_run" in refused.err
    assert (mine / "sweep.yaml").read_text() == "mine"
    assert sorted(path.name for path in mine.iterdir()) == ["sweep.yaml"]


def test_a_name_that_is_nearly_right_is_told_the_right_one(desk: Desk) -> None:
    refused = desk.call("new", "frist_run")
    assert refused.status == 1
    assert "'first_run'" in refused.err
    assert not (desk.folder / "frist_run").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_says_what_a_reader_of_an_example_asks(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (EXAMPLES / name / picture).is_file()
    assert "![" in text


@pytest.mark.parametrize("name", NAMES)
def test_its_data_are_what_its_maker_writes(desk: Desk, name: str) -> None:
    folder = copy_new(desk, name)
    if not (folder / "make_data.py").is_file():
        pytest.skip("its data come from the product")
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True, timeout=60)
    for made in sorted(path for path in folder.rglob("*") if path.suffix in {".jsonl", ".csv", ".json"}):
        assert made.read_bytes() == (EXAMPLES / name / made.relative_to(folder)).read_bytes(), made.name


@pytest.mark.parametrize("name", NAMES)
def test_it_plans_from_an_empty_folder_without_a_refusal(desk: Desk, name: str) -> None:
    folder = copy_new(desk, name)
    planned = Desk(folder).call("-f", "json", "plan", "sweep.yaml")
    assert planned.status == 0, planned.err
    assert planned.json["refusals"] == []
    sizes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert sizes < 2_000_000


# What is planned with the live model's vocabulary in a second; the others with `make community-short`.
QUICK = {"first_run", "minimum_data", "overnight", "regulatory_assistant"}


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=IN_SHORT) for name in NAMES])
def test_its_readme_says_what_it_costs_on_a_live_model(desk: Desk, name: str) -> None:
    if not VOCABULARY.is_dir():
        pytest.skip("`make tokenizers` gets the vocabulary of the live model")
    line = COST.search((EXAMPLES / name / "README.md").read_text())
    assert line, "the README has no line about costs"
    assert line.group() == write_cost(plan_live(name, desk)), (
        "run: python -m tests.acceptance.community.example_runs --costs"
    )


def read_own(name: str) -> list[dict[str, object]]:
    """Read the records that a README shows under "Bring your own data"."""
    text = (EXAMPLES / name / "README.md").read_text().partition("## Bring your own data")[2].partition("\n## ")[0]
    return [
        json.loads(line) for block in re.findall(r"```jsonl\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]


def find_first(name: str) -> dict[str, Any]:
    """Return the first data set of an example that has a file."""
    data = YAML(typ="safe").load((EXAMPLES / name / "sweep.yaml").read_text())["data"]
    return next(options for options in data.values() if (EXAMPLES / name / options["source"]).is_file())


def vary_record(row: dict[str, object], number: int, group: str | None) -> object:
    """Make a record another one, and every few of them another group's."""
    named = {} if group is None else {group: f"{row[group]} ({number // 4})"}
    return vary_text(row | named, number)


def vary_text(value: object, number: int) -> object:
    """Make a record another one: the first text that it asks with gets a number."""
    if isinstance(value, dict):
        key = next((key for key in ("question", "prompt", "text", "messages", "content") if key in value), None)
        return value if key is None else value | {key: vary_text(value[key], number)}
    if isinstance(value, list):
        return [vary_text(value[0], number), *value[1:]]
    return f"({number}) {value}"


@pytest.mark.parametrize("name", [name for name in NAMES if read_own(name)])
def test_data_of_the_users_own_take_the_place_of_its_data(desk: Desk, name: str) -> None:
    """Records of the form that the README shows, in the first data set's file: the plan reads them as its own."""
    folder = copy_new(desk, name)
    shown, first = read_own(name), find_first(name)
    rows = [vary_record(row, number, first.get("group")) for number in range(400) for row in shown]
    (folder / first["source"]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    planned = Desk(folder).call("-f", "json", "plan", "sweep.yaml")
    assert planned.status == 0, planned.err
    assert any(f"{len(rows)} rows" in note.replace(",", "") for note in planned.json["notes"]), planned.json["notes"]


def test_copies_hold_no_traces_of_a_run(desk: Desk) -> None:
    (EXAMPLES / NAMES[0] / "__pycache__").mkdir(exist_ok=True)
    copied = copy_new(desk, NAMES[0])
    assert not (copied / "__pycache__").exists()
