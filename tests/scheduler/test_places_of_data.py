"""An error about data names the line of the sweep file that names the data set, beside the file and the row."""

import json
from pathlib import Path

import pytest

from scheduler.prepare import plan_sweep, prepare
from scheduler.settings import Settings, read_settings
from sweeps.errors import SweepsError
from sweeps.spec.parse import Sweep, parse
from sweeps.spec.yaml import read
from tests.tinker_offline.process import CACHE
from tests.wording import lacks

SPEC = """sweep: placed
experiment: data_scaling
model: offline/chat-s
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 2}
data:
  good: {source: good.jsonl, holdout: 4}
  mine:
    source: SOURCE
    holdout: 4
MORE
sizes: [4, 8]
seeds: 1
evaluate: [nll]
"""
CHAT = {"messages": [{"role": "user", "content": "{0}?"}, {"role": "assistant", "content": "{0}"}]}
AT, AT_SOURCE, AT_HOLDOUT, AT_MORE = (f"sweep.yaml:{line}: data.mine" for line in (7, 8, 9, 10))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [json.dumps(CHAT).replace("{0}", str(number)) for number in range(20)]
    (tmp_path / "good.jsonl").write_text("\n".join(rows))
    (tmp_path / "few.jsonl").write_text("\n".join(rows[:9]).replace("?", "!"))
    (tmp_path / "broken.jsonl").write_text("\n".join([*rows[:4], '{"messages": [', *rows[5:]]))
    robot = rows[4].replace('"user"', '"robot"')
    (tmp_path / "role.jsonl").write_text("\n".join([*rows[:4], robot, *rows[5:]]))
    (tmp_path / "table.csv").write_text("signal,label\n" + "".join(f"s{n},l{n}\n" for n in range(20)))
    long = rows[4].replace('4?"', "4?" + "x" * 20_000 + '"')
    (tmp_path / "long.jsonl").write_text("\n".join([*rows[:4], long, *rows[5:]]))
    return tmp_path


def settings(folder: Path) -> Settings:
    return read_settings({"SWEEP_HOME": str(folder / "home"), "SWEEP_CACHE": str(CACHE)})


def refusal(folder: Path, source: str, more: str = "", *overrides: str) -> str:
    file = folder / "sweep.yaml"
    file.write_text(SPEC.replace("SOURCE", source).replace("MORE", more))
    with pytest.raises(SweepsError) as refused:
        prepare(file, overrides, settings(folder))
    return str(refused.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("source", "more", "place", "facts"),
    [
        ("missing.jsonl", "", AT, "missing.jsonl"),
        ("broken.jsonl", "", AT, "broken.jsonl:5"),
        ("role.jsonl", "", AT, "role.jsonl:5 robot"),
        ("few.jsonl", "    validation: 5", AT_MORE, "validation 5 4 9"),
        ("long.jsonl", "", AT, "long.jsonl offline/chat-s"),
        ("table.csv", "    columns: {question: signal, answer: lable}", AT_MORE, "lable label"),
        ("good.jsonl", "    group: subject", AT_MORE, "subject"),
        ("offline:facts", "    format: chat", AT, "chat questions"),
    ],
)
def test_every_error_about_data_names_the_line_of_its_data_set(
    folder: Path, source: str, more: str, place: str, facts: str
) -> None:
    message = refusal(folder, source, more)
    assert message.startswith(place)
    assert not lacks(message, facts)


def test_a_holdout_that_is_too_large_names_the_line_of_the_holdout(folder: Path) -> None:
    (folder / "mine.jsonl").write_text((folder / "few.jsonl").read_text().splitlines()[0])
    assert refusal(folder, "mine.jsonl").startswith(AT_HOLDOUT)


def test_a_size_that_is_too_large_names_the_line_of_the_sizes_and_the_data(folder: Path) -> None:
    (line,) = refusal(folder, "few.jsonl").splitlines()
    assert line.startswith("sweep.yaml:11: sizes: too large: 8; use at most 5: mine ")
    assert not lacks(line, "5 9 4")
    (line,) = refusal(folder, "few.jsonl", "", "sizes=[4, 18]").splitlines()
    assert line.startswith("command line: ")
    assert not lacks(line, "sizes: good mine 18")


def test_what_the_command_line_gives_is_placed_there(folder: Path) -> None:
    message = refusal(folder, "good.jsonl", "", "data.mine.source=gone.jsonl", "data.mine.holdout=900")
    assert message.startswith(AT), "the data set itself is named in the file"
    assert not lacks(message, "gone.jsonl")
    message = refusal(folder, "good.jsonl", "", "data.mine.holdout=900")
    assert not lacks(message, "command line: data.mine.holdout=900 20")
    message = refusal(folder, "good.jsonl", "", "data.other={source: gone.jsonl, holdout: 4}")
    assert message.startswith("command line: ")
    assert not lacks(message, "data.other gone.jsonl")


def test_a_sweep_made_in_python_has_no_file_to_name(folder: Path) -> None:
    text = SPEC.replace("SOURCE", "gone.jsonl").replace("MORE", "")
    made = Sweep.model_validate(read(text, "").value)
    with pytest.raises(SweepsError) as refused:
        plan_sweep(made, folder, settings(folder))
    assert str(refused.value).startswith("data.mine: ")


def test_where_a_sweep_was_written_is_not_what_it_says() -> None:
    text = SPEC.replace("SOURCE", "good.jsonl").replace("MORE", "")
    assert parse(text) == parse("\n" + text, name="other.yaml") == Sweep.model_validate(read(text, "").value)
