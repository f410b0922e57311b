"""Rows that ask the same lie on one side of a split; what two sides share all the same is said."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeps.data import Dataset
from sweeps.data.near_duplicates import find_shared_runs, fold_text
from sweeps.data.split import choose
from tests.sweeps.files import jsonl, load, read, refusal, turn

Make = Callable[[str, str], dict[str, Any]]
FORMS: dict[str, Make] = {
    "completion": lambda asked, answer: {"prompt": asked, "completion": answer},
    "preference": lambda asked, answer: {"prompt": asked, "chosen": answer, "rejected": f"no {answer}"},
    "pairs of messages": lambda asked, answer: {
        "prompt": [turn("user", asked)],
        "chosen": [turn("assistant", answer)],
        "rejected": [turn("assistant", f"no {answer}")],
    },
    "questions": lambda asked, answer: {"question": asked, "answer": answer},
    "chat": lambda asked, answer: {
        "messages": [turn("user", asked), turn("assistant", answer), turn("user", "more"), turn("assistant", answer)]
    },
    "chat with shots": lambda asked, answer: {
        "messages": [
            turn("user", "x"),
            turn("assistant", "y", weight=0),
            turn("user", asked),
            turn("assistant", answer),
        ]
    },
    "chat that begins with a greeting": lambda asked, answer: {
        "messages": [turn("assistant", "Hi!"), turn("user", asked), turn("assistant", answer)]
    },
    "transcript": lambda asked, answer: {"parts": [{"text": asked, "loss": False}, {"text": answer, "loss": True}]},
    "alpaca": lambda asked, answer: {"instruction": "Find it", "input": asked, "output": answer},
}


def parts(data: Dataset) -> list[set[int]]:
    """The numbers of the lots that each part asks about."""
    numbers = []
    for part in (data.train, data.holdout, data.validation):
        texts = [str(row) for row in part.rows] if part else []
        numbers.append({int(text.partition("lot ")[2].partition("?")[0]) for text in texts})
    return numbers


@pytest.mark.parametrize("form", FORMS)
def test_what_asks_the_same_is_on_one_side(tmp_path: Path, form: str) -> None:
    """Up to case, white space and punctuation; by content, so that no order moves it."""
    ways = ("Where is lot {}?", "where is  lot {}? ", "Where, is lot {}?", "Where is lot {}?")
    rows = [FORMS[form](ways[way].format(lot), f"said {way} of {lot}") for lot in range(40) for way in range(4)]
    data = read(tmp_path, *rows, holdout=0.2, validation=16)
    train, held, validation = parts(data)
    assert not train & held
    assert not train & validation
    assert not held & validation
    assert [len(part or ()) for part in (data.train, data.holdout, data.validation)] == [112, 32, 16]
    assert any("8 of 40 prompts" in note for note in data.notes)
    shuffled = read(tmp_path, *random.Random(3).sample(rows, len(rows)), holdout=32, validation=0.1)
    assert parts(shuffled) == [train, held, validation]


def test_a_further_answer_moves_no_question(tmp_path: Path) -> None:
    rows = [FORMS["completion"](f"Where is lot {lot}?", f"said {way}") for lot in range(40) for way in range(2)]
    more = [FORMS["completion"](f"Where is lot {lot}?", "said again") for lot in range(40)]
    before, after = (read(tmp_path, *some, holdout=0.25) for some in (rows, rows + more))
    assert parts(before) == parts(after)


def test_what_asks_nothing_stands_alone(tmp_path: Path) -> None:
    rows = [{"prompt": "", "completion": f"text {at}"} for at in range(50)]
    assert len(read(tmp_path, *rows, holdout=7).holdout) == 7


def test_one_instruction_for_all_is_no_question_and_that_it_is_shared_is_said(tmp_path: Path) -> None:
    rows = [{"prompt": "Write a poem", "completion": f"poem {at}"} for at in range(50)]
    data = read(tmp_path, *rows, holdout=7)
    assert len(data.holdout) == 7
    assert any(note.startswith("holdout: 7 of 7 rows have a prompt that train has") for note in data.notes)


@pytest.mark.parametrize(
    ("sizes", "wanted", "spare", "got"),
    [
        ([1] * 20, 5, True, 5),
        ([8] * 10, 20, True, 16),
        ([8] * 10, 21, True, 24),
        ([8] * 10, 1, True, 8),
        ([90, *[1] * 10], 10, True, 10),
        ([50, 50], 10, True, 50),
        ([3, 3, 3], 8, True, 6),
        ([3, 3, 3], 9, False, 9),
        ([7], 3, False, 7),
    ],
)
def test_whole_groups_come_as_close_as_they_can(sizes: Sequence[int], wanted: int, spare: bool, got: int) -> None:
    groups = {b"%d.%d" % (group, row): b"%d" % group for group, size in enumerate(sizes) for row in range(size)}
    chosen = choose(groups, wanted, spare=spare)
    assert len(chosen) == got
    assert not {groups[key] for key in chosen} & {groups[key] for key in groups.keys() - chosen}


def test_a_held_out_file_whose_prompts_are_trained_on_is_said(tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text(
        jsonl([FORMS["completion"](f"Where is lot {lot}?", "other") for lot in range(6)])
        + jsonl([FORMS["completion"]("‘Where’ is lot ７", "other"), FORMS["completion"]("Where is lot 99?", "other")])
    )
    rows = [FORMS["completion"](f"where is lot {lot}?", f"said {way}") for lot in range(3, 20) for way in range(2)]
    notes = [note for note in read(tmp_path, *rows, holdout="h.jsonl").notes if note.startswith("holdout: ")]
    assert "3 of 8 rows have a prompt that train has" in notes[0]
    assert "1 rows have nearly a prompt" in notes[1]
    assert "h.jsonl:7" in notes[1]
    assert "d.jsonl:9" in notes[1]


def test_what_a_held_out_file_asks_is_not_asked_in_the_validation(tmp_path: Path) -> None:
    rows = [{"prompt": f"Where is lot {lot}?", "completion": f"said {way}"} for lot in range(12) for way in range(4)]
    (tmp_path / "held.jsonl").write_text(jsonl(rows[:32:4]))
    _, held, validation = parts(read(tmp_path, *rows, holdout="held.jsonl", validation=8))
    assert held == set(range(8))
    assert len(validation) == 2
    assert not held & validation


def test_long_texts_that_share_most_of_their_words_are_said(tmp_path: Path) -> None:
    dice = random.Random(2)
    words = ["".join(dice.choices("abcdefgh", k=5)) for _ in range(400)]
    texts = [" ".join(dice.choices(words, k=60)) for _ in range(60)]
    copy = texts[7].split()
    copy[30] = "another"
    (tmp_path / "h.jsonl").write_text(jsonl([{"text": " ".join(copy)}, {"text": " ".join(dice.choices(words, k=60))}]))
    data = read(tmp_path, *[{"text": text} for text in texts], holdout="h.jsonl")
    (note,) = [note for note in data.notes if "half of their words" in note]
    assert "1 of 2 texts" in note
    assert "h.jsonl:1" in note
    assert "d.jsonl:8" in note


def test_a_form_letter_is_no_near_duplicate() -> None:
    letter = fold_text(
        "Dear madam or sir, thank you for your letter of the first of May about the goods that you did not receive."
    )
    texts = [f"{letter} number {at} {'x' * at} and {'y' * at} with {'z' * at}" for at in range(20)]
    assert find_shared_runs(texts[:10], texts[10:]) == {}


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        ("What is 3 + 4?", "what is 3 + 4", True),
        ("It’s “here”…", 'It\'s "here"', True),
        ("ｆｕｌｌ ﬁne", "FULL fine", True),
        ("Straße", "STRASSE", True),
        ("1,000 apples", "1000 apples", True),
        ("What is 3 + 4?", "What is 3 - 4?", False),
        ("What is 3 + 4?", "What is 3 + 5?", False),
        ("12 3", "1 23", False),
    ],
)
def test_alike_is_what_reads_the_same(text: str, other: str, same: bool) -> None:
    assert (fold_text(text) == fold_text(other)) is same


def test_a_count_that_is_too_high_says_what_became_of_the_rows(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{at % 24}", "completion": "a"} for at in range(64)]
    (tmp_path / "d.jsonl").write_text(jsonl(rows))
    message = refusal(tmp_path, "d.jsonl", holdout=64)
    assert "23 of 24 different rows (64 rows read, 40 of which repeat another)" in message
    data = load(tmp_path, "d.jsonl", holdout=4, validation=2)
    assert data.account == "64 rows read, of which 40 repeat another, 4 are held out, 2 are for validation"
