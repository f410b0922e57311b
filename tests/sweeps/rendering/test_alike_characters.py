"""What the offline models read as the same is counted: answers, and inputs whose answers differ."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from sweeps import parse
from sweeps.data import load_dataset
from sweeps.planning.notes.horizons import WARNING
from sweeps.planning.plan import plan
from sweeps.records import Format, Records
from sweeps.rendering.alike_characters import AlikeTexts, count_alike
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.scaling.coded_text import read_code
from tests.sweeps.files import jsonl
from tests.sweeps.questions import environments, prices
from tinker_offline.model import characters

SWEEP = """
sweep: alike
experiment: grid
model: MODEL
train: {learning_rate: 0.01, steps: 4}
seeds: 1
data: {x: {source: x.jsonl, holdout: 0.2}}
"""


def count(rows: list[dict[str, Any]], form: Format = "completion") -> AlikeTexts:
    return count_alike([Records(form, tuple(rows))], renderer="plain", loss_mask="completion")


def pair(prompt: str, completion: str) -> dict[str, str]:
    return {"prompt": prompt, "completion": completion}


def test_labels_of_another_script_are_one_label_and_ascii_never_is() -> None:
    assert count([pair(f"{place}: ", ("да", "не")[place % 2]) for place in range(30)])[:3] == (30, 0, 30)
    assert count([pair(f"{place}: ", ("да", "нет")[place % 2]) for place in range(30)])[:3] == (0, 0, 30), "longer"
    assert count([pair(f"{place}: ", ("yes", "no!")[place % 2]) for place in range(30)])[:3] == (0, 0, 30)
    assert count([pair("é: ", "a"), pair("e: ", "b")])[:2] == (0, 0), "one of them is known"


def test_inputs_count_only_where_their_answers_differ() -> None:
    assert count([pair("ж: ", "a"), pair("я: ", "b"), pair("x: ", "b")])[:3] == (0, 2, 3)
    assert count([pair("ж: ", "a"), pair("я: ", "a")])[:2] == (0, 0)
    assert set(count([pair("ж: ", "a"), pair("я: ", "b")]).examples) == {"ж: ", "я: "}


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("questions", {"question": "1 or 2? ", "answers": ["①"], "candidates": ["①", "②"]}),
        ("preference", {"prompt": "1 or 2? ", "chosen": "①", "rejected": "②"}),
        ("transcript", {"parts": [{"text": "1 or 2? ", "loss": False}, {"text": "①", "loss": True}]}),
        ("chat", {"messages": [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "①"}]}),
    ],
)
def test_every_format_with_answers_is_read(form: Format, row: dict[str, Any]) -> None:
    others: dict[str, dict[str, Any]] = {
        "transcript": {"parts": [{"text": "2? ", "loss": False}, {"text": "②", "loss": True}]},
        "chat": {"messages": [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "②"}]},
    }
    assert count([row, others.get(form, row)], form).answers == 2


def test_the_counts_are_those_of_the_models_own_characters() -> None:
    source = random.Random(4)
    rows = [pair("".join(source.choices("aйч\t", k=3)), "".join(source.choices("bщю", k=2))) for _ in range(300)]
    texts, inputs = defaultdict[tuple[int, ...], set[str]](set), defaultdict[tuple[int, ...], set[tuple[str, str]]](set)
    for row in rows:
        texts[tuple(characters.encode(row["completion"]))].add(row["completion"])
        inputs[tuple(characters.encode(row["prompt"]))].add((row["prompt"], row["completion"]))

    def is_split(row: dict[str, str]) -> bool:
        there = inputs[tuple(characters.encode(row["prompt"]))]
        return len({prompt for prompt, _ in there}) > 1 and len({answer for _, answer in there}) > 1

    answers = sum(len(texts[tuple(characters.encode(row["completion"]))]) > 1 for row in rows)
    assert 0 < answers < 300
    assert count(rows)[:3] == (answers, sum(map(is_split, rows)), 300)


@pytest.mark.parametrize(("model", "many"), [("offline/chat-s", True), ("offline/ngram-s", False)])
def test_the_plan_notes_it_once_and_warns_where_it_is_much(tmp_path: Path, model: str, many: bool) -> None:
    labels = ("да", "не") if many else ("yes", "no")
    rows = [pair(f"q{place} is ", labels[place % 2]) for place in range(100)]
    (tmp_path / "x.jsonl").write_text(jsonl([*rows, pair("ж is ", "yes"), pair("я is ", "no")]))
    made = plan(
        parse(SWEEP.replace("MODEL", model)),
        load=lambda name, spec: load_dataset(name, spec, folder=tmp_path, cache=tmp_path),
        tokenizers=lambda *_: OfflineTokenizer(),
        prices=prices(),
        environments=environments,
    )
    (note,) = (note for note in made.notes if read_code(note) == "read_alike")
    assert note.startswith(WARNING) == many
