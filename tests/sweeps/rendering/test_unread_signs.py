"""An answer that only signs decide is counted, unless the model sees them: copied, first, or already written."""

import json
import random
from pathlib import Path

import pytest

from scheduler.prepare import prepare
from scheduler.settings import read_settings
from sweeps.records import Records
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.rendering.unread_signs import SignsAlike, count_sign_decisions
from sweeps.scaling.coded_text import read_code

Rule = tuple[str, str]  # an old line and its new one
ROWS = 120
UNLIKE = ("if A <> B: return N", "if A != B: return N")
EQUAL = ("if A == B: return N", "if A == B: return N")
OTHER_WORD = ("while A == B: return N", "while A == B: return N")
DIVIDED = ("return A / B", "return A // B")
TIMES = ("return A * B", "return A * B")
TURNED = ("if A > B: return N", "if B < A: return N")
SWAPPED = ("call(A, B)", "call(B, A)")
BEGINS, BEGINS_TOO = ("A > B", "yes, it is"), ("A < B", "no, it is not")
LUCK = ("if A == B: return N", "if A != B: return N")


def make_rows(*rules: Rule, names: int = 26) -> list[dict[str, str]]:
    """Rows that each follow one of some rules, in turn, with random names."""
    source = random.Random(7)
    rows = []
    for place in range(ROWS):
        first, other = (f"{source.choice('abcdefghijklmnopqrstuvwxyz'[:names])}_name" for _ in range(2))
        words = str.maketrans({"A": first, "B": other, "N": str(source.randrange(100))})
        old, new = (line.translate(words) for line in rules[place % len(rules)])
        rows.append({"prompt": f"Rewrite: {old}\nNew: ", "completion": new})
    return rows


def count(rows: list[dict[str, str]]) -> SignsAlike:
    return count_sign_decisions(
        render_all(Records("completion", tuple(rows)), OfflineTokenizer(), loss_mask="completion")
    )


@pytest.mark.parametrize("names", [3, 26])
def test_signs_that_decide_between_copying_and_writing_are_counted(names: int) -> None:
    """One of the two rules can be followed; the rows of the other are lost, whatever their names are."""
    alike = count(make_rows(UNLIKE, EQUAL, EQUAL, names=names))
    assert alike.total == ROWS
    assert alike.answers == pytest.approx(ROWS // 3, abs=8)
    first, second = alike.examples
    assert {sign for example in (first, second) for sign in ("<>", "==") if sign in example} == {"<>", "=="}
    assert first.replace("<>", "==").count("==") == second.replace("<>", "==").count("==") == 1


def test_words_that_signs_turn_round_are_counted() -> None:
    assert count(make_rows(TURNED, EQUAL)).answers == pytest.approx(ROWS // 2, abs=8)


@pytest.mark.parametrize(
    "rules",
    [(UNLIKE,), (UNLIKE, OTHER_WORD), (DIVIDED, TIMES), (SWAPPED,), (BEGINS, BEGINS_TOO), (EQUAL, LUCK)],
    ids=["alone", "another word", "copied first", "swapped words", "where it begins", "luck"],
)
def test_what_words_decide_or_nothing_does_is_not_counted(rules: tuple[Rule, ...]) -> None:
    assert count(make_rows(*rules)).answers == 0


SPEC = """
sweep: signs
experiment: grid
model: MODEL
train: {method: sl, learning_rate: 0.02, batch_size: 8, steps: 4}
data: {mine: {source: mine.jsonl, holdout: 20}}
evaluate: [nll]
"""


@pytest.mark.parametrize(
    ("model", "rules", "noted"),
    [
        ("offline/chat-s", (UNLIKE, EQUAL), True),
        ("offline/chat-s", (UNLIKE, *[EQUAL] * 29), False),
        ("offline/ngram-s", (UNLIKE, EQUAL), False),
    ],
)
def test_a_plan_warns_where_signs_decide_much(tmp_path: Path, model: str, rules: tuple[Rule, ...], noted: bool) -> None:
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in make_rows(*rules)))
    (tmp_path / "signs.yaml").write_text(SPEC.replace("MODEL", model))
    prepared = prepare(tmp_path / "signs.yaml", (), read_settings({"SWEEP_HOME": str(tmp_path / "home")}))
    assert [read_code(note) for note in prepared.plan.notes].count("signs_alike") == noted
