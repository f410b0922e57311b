"""A further test set is read beside the holdout, keeps its rows, and shares none with training."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.data import Dataset
from tests.sweeps.files import jsonl, load, refusal
from tests.wording import lacks

Row = dict[str, Any]
ROWS = [{"question": f"where is lot {at}?", "answer": f"at {at}", "subject": f"s{at % 10}"} for at in range(60)]
FAR = [{"question": f"where is hut {at}?", "answer": f"by {at}", "subject": f"f{at % 4}"} for at in range(12)]


def read(folder: Path, far: list[Row], rows: list[Row] = ROWS, **spec: Any) -> Dataset:
    (folder / "rows.jsonl").write_text(jsonl(rows))
    (folder / "far.jsonl").write_text(jsonl(far))
    return load(folder, "rows.jsonl", tests={"far": "far.jsonl"}, **{"holdout": 12, **spec})


def texts(records: Any) -> set[str]:
    return {json.dumps(row, sort_keys=True) for row in records.rows} if records else set()


def test_a_test_set_is_taken_whole_and_changes_nothing_that_it_does_not_share(tmp_path: Path) -> None:
    (test,) = (data := read(tmp_path, FAR, validation=6)).tests
    assert (test.name, len(test.records)) == ("far", len(FAR))
    alone = load(tmp_path, "rows.jsonl", holdout=12, validation=6)
    assert alone.tests == ()
    for part in ("train", "holdout", "validation"):
        assert getattr(data, part).sha256 == getattr(alone, part).sha256
    assert {part.sha256 for part in data.parts} > {part.sha256 for part in alone.parts}
    assert any("tests.far" in note and "12 rows" in note for note in data.notes)


def test_what_stands_in_a_test_set_is_not_trained_on_and_chooses_nothing(tmp_path: Path) -> None:
    alone = read(tmp_path, FAR, validation=6)
    shared = [*alone.train.rows[:5], *(alone.validation.rows[:2] if alone.validation else ())]
    data = read(tmp_path, [*FAR, *map(dict, shared)], [{**row} for row in ROWS], validation=6)
    (test,) = data.tests
    assert len(test.records) == len(FAR) + 7
    assert not texts(data.train) & texts(test.records)
    assert not texts(data.validation) & texts(test.records)
    assert data.holdout.sha256 == alone.holdout.sha256
    assert (len(data.train), len(data.validation or ())) == (len(alone.train) - 5, 4)
    assert any("tests.far" in note and "7 rows" in note and "dropped" in note for note in data.notes)


def test_nearly_the_same_questions_are_described_as_for_the_holdout(tmp_path: Path) -> None:
    near = [{"question": row["question"].upper(), "answer": "elsewhere"} for row in ROWS[:20]]
    notes = [note for note in read(tmp_path, near).notes if note.startswith("tests.far")]
    assert any("of 20 rows" in note for note in notes)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), crossing=st.integers(0, 3))
def test_no_group_is_trained_on_and_tested(tmp_path_factory: pytest.TempPathFactory, seed: int, crossing: int) -> None:
    rng = random.Random(seed)
    rows = [{**row, "subject": f"s{rng.randrange(15)}"} for row in ROWS]
    far = [*FAR, *({**row, "subject": f"s{at}", "question": f"new {at}"} for at, row in enumerate(FAR[:crossing]))]
    data = read(tmp_path_factory.mktemp("far"), far, rows, group="subject", holdout=3, validation=3)
    (test,) = data.tests
    assert not {*data.train.groups} & {*test.records.groups}
    assert not {*(data.validation.groups if data.validation else ())} & {*test.records.groups}
    assert len(test.records.groups) == len(test.records)


def test_columns_and_strata_of_the_data_set_apply(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("signal,label,site\n" + "".join(f"a{at},n,x\n" for at in range(30)))
    (tmp_path / "far.csv").write_text("signal,label,site\n" + "".join(f"b{at},n,{'yz'[at % 2]}\n" for at in range(6)))
    columns = {"question": "signal", "answer": "label"}
    data = load(tmp_path, "rows.csv", holdout=4, tests={"far": "far.csv"}, columns=columns, by="site")
    (test,) = data.tests
    assert {*test.records.strata} == {"y", "z"}
    assert {row["question"] for row in test.records.rows} == {f"b{at}" for at in range(6)}
    (tmp_path / "odd.csv").write_text("sig,label,site\nb,n,x\n")
    message = refusal(tmp_path, "rows.csv", holdout=4, tests={"far": "odd.csv"}, columns=columns, by="site")
    assert not lacks(message, "tests.far odd.csv 'signal' `sig`")


def test_questions_can_test_what_was_trained_on_text(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("\n\n".join(f"Lot {at} stands at {at}." for at in range(40)))
    asked = [{**row, "context": f"Hut {at}.", "distractors": ["none"]} for at, row in enumerate(FAR)]
    (tmp_path / "far.jsonl").write_text(jsonl(asked))
    (test,) = (data := load(tmp_path, "prose.txt", holdout=8, tests={"far": "far.jsonl"})).tests
    assert (data.train.format, test.records.format) == ("text", "questions")
    assert "distractors" not in test.records.rows[0], "as much as training would read"
    assert test.whole
    assert "distractors" in test.whole.rows[0]
    lines = load(tmp_path, "prose.txt", format="lines", holdout=8, tests={"far": "far.jsonl"})
    assert lines.tests[0].records.format == "questions"
    generated = load(tmp_path, "prose.txt", holdout=8, tests={"legal": "offline:legal"})
    assert len(generated.tests[0].records) > 100


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "tests.far far.jsonl"), ('{"question": "a"}\n', "tests.far far.jsonl"), ("{\n", "tests.far far.jsonl:1")],
)
def test_a_file_that_cannot_be_read_is_named_with_its_test_set(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "rows.jsonl").write_text(jsonl(ROWS))
    (tmp_path / "far.jsonl").write_text(content)
    assert not lacks(refusal(tmp_path, "rows.jsonl", holdout=4, tests={"far": "far.jsonl"}), words)


def test_a_test_set_may_not_take_everything(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(jsonl(ROWS))
    assert "none" in refusal(tmp_path, "rows.jsonl", holdout=4, tests={"far": "rows.jsonl"})
    (tmp_path / "some.jsonl").write_text(jsonl(ROWS[:3]))
    spec = {"holdout": 4, "validation": "some.jsonl", "tests": {"far": "some.jsonl"}}
    assert not lacks(refusal(tmp_path, "rows.jsonl", **spec), "validation tests.far")


def test_what_stands_in_a_test_set_is_accounted_to_it(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(jsonl(ROWS))
    words = refusal(tmp_path, "rows.jsonl", holdout=4, tests={"far": "rows.jsonl"})
    assert f"{len(ROWS) - 4} stand in tests.far" in words
    assert "group" not in words


@pytest.mark.parametrize("content", ["", "prompt,completion\n"])
@pytest.mark.parametrize("name", ["rows", "far"])
def test_a_table_without_rows_wants_a_header_and_rows(tmp_path: Path, content: str, name: str) -> None:
    for file in ("rows", "far"):
        rows = "".join(f"{file}{at},n\n" for at in range(9))
        (tmp_path / f"{file}.csv").write_text(content if file == name else f"prompt,completion\n{rows}")
    words = refusal(tmp_path, "rows.csv", holdout=4, tests={"far": "far.csv"})
    assert not lacks(words, f"{name}.csv header rows")
    assert "object on each line" not in words
