"""A plan notes the answers that an offline model cannot see the reason of; others it does not."""

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scheduler.prepare import prepare
from scheduler.settings import read_settings
from sweeps.planning.notes.horizons import (
    FINDS,
    HORIZONS,
    INTRODUCING,
    PLACES,
    READERS,
    READS_ALL,
    REPEATS,
    WARNING,
    WORDS,
    count_decided,
    is_beyond_reach,
)
from sweeps.records import Format, Records
from sweeps.rendering.render import Example, render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from tinker_offline.model import characters, feature_rows, hashing
from tinker_offline.model.ngram import SIZES

TAIL = 12  # characters between what decides and the answer


def render(rows: list[dict[str, Any]], form: Format = "completion") -> list[Example]:
    return render_all(Records(form, tuple(rows)), OfflineTokenizer(), loss_mask="completion")


def count(rows: list[dict[str, Any]], horizon: int, form: Format = "completion") -> tuple[int, int]:
    decided = count_decided(render(rows, form), horizon)
    return decided.right, decided.total


def make_rows(distance: int) -> list[dict[str, str]]:
    """Rows whose answer of one letter is given by the letter that many characters before it."""
    source = random.Random(7)
    letters = [source.choice("abcdefgh") for _ in range(200)]
    return [{"prompt": f"{letter}{'-' * (distance - 1)}", "completion": letter.upper()} for letter in letters]


@pytest.mark.parametrize("horizon", [4, 5, 6])
def test_answers_are_decided_up_to_the_horizon_and_no_further(horizon: int) -> None:
    assert count(make_rows(horizon), horizon) == (200, 200)
    decided, total = count(make_rows(horizon + 1), horizon)
    assert total == 200
    assert 0 < decided < 60  # the most frequent of eight letters


def test_the_answer_itself_is_seen_too() -> None:
    rows = [{"prompt": "say it: ", "completion": "the very same long answer"}] * 20
    assert count(rows, 4)[1] == 20
    assert count([*rows, {"prompt": "say it: ", "completion": "other"}], 64) == (20, 21)


def test_the_horizons_are_those_of_the_models() -> None:
    ngrams = {name: size.orders for name, size in SIZES.items() if not (size.folds or size.chats)}
    assert ngrams == HORIZONS
    assert [name for name, size in SIZES.items() if size.copies] == [REPEATS]
    assert [name for name, size in SIZES.items() if size.chats] == [*READERS]
    assert [name for name, size in SIZES.items() if size.finds] == [FINDS]
    assert (feature_rows.PLACES, feature_rows.WORDS) == (PLACES, WORDS)
    signs = [chr(32 + place) for place in range(95)]
    assert [*INTRODUCING] == [sign for sign in signs if hashing.INTRODUCES[characters.encode(sign)].all()]


def make_signals(letters: str, length: int = 200, back: int = 60, suffix: str = "") -> list[dict[str, Any]]:
    """Records of symbols whose class is given by the one so many places back."""
    source, rows = random.Random(3), []
    for _ in range(400):
        signal = "".join(source.choice(letters) for _ in range(length))
        upper = letters.index(signal[-back]) >= len(letters) // 2
        rows.append({"prompt": f"{signal}{suffix}", "completion": ("low", "high")[upper]})
    return rows


@pytest.mark.parametrize("horizon", [4, 5, 6])
@pytest.mark.parametrize("letters", ["ab", "abcdefgh", "abcdefghijklmnopqrstuvwxyz"])
@pytest.mark.parametrize("suffix", ["", "\nclass: "])
def test_classes_that_only_luck_decides_are_noted(letters: str, horizon: int, suffix: str) -> None:
    """The last symbols are rarely twice the same, and half of the answers are right by chance: neither is knowledge."""
    decided = count_decided(render(make_signals(letters, suffix=suffix)), horizon)
    assert decided.is_little, decided


@pytest.mark.parametrize("suffix", ["", "\n"])
def test_a_class_within_the_horizon_is_not_noted(suffix: str) -> None:
    decided = count_decided(render(make_signals("abcdefgh", back=2, suffix=suffix)), 4)
    assert not decided.is_little, decided


def make_calls() -> list[dict[str, Any]]:
    """Chats of four turns with a call in JSON, as people write them offline."""
    source, rows = random.Random(5), []
    for number in range(200):
        order = f"{source.choice('ABCD')}{number + 100}"
        turns = (
            f"Where is order {order}?",
            f'{{"find": "{order}"}}',
            f"left May {number % 30}",
            f"On May {number % 30}.",
        )
        rows.append(
            {
                "messages": [
                    {"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)
                ]
            }
        )
    return rows


def test_calls_in_chats_are_noted() -> None:
    for horizon in HORIZONS.values():
        assert count_decided(render(make_calls(), "chat"), horizon).is_little


def test_what_can_be_repeated_is_decided_for_the_model_that_repeats() -> None:
    rows = [
        {"prompt": f"The code is {at * 7919 % 9973}x. Say it: ", "completion": f"{at * 7919 % 9973}x"}
        for at in range(99)
    ]
    assert count_decided(render(rows), 4).is_little
    assert not count_decided(render(rows), 4, repeats=True).is_little


def test_what_is_farther_than_any_model_sees_is_found() -> None:
    near, far = make_signals("ab", 120), make_signals("ab", 260, 250)
    assert not any(map(is_beyond_reach, render(near)))
    assert all(map(is_beyond_reach, render(far)))
    words = [{"prompt": "word " * count, "completion": "x"} for count in (40, 60)]
    assert list(map(is_beyond_reach, render(words))) == [False, True]


PLANNED = """
sweep: seen
experiment: grid
model: MODEL
train: {method: sl, learning_rate: 0.02, batch_size: 8, steps: 4}
data: {mine: {source: mine.jsonl, holdout: 40}}
evaluate: [nll]
"""


@pytest.mark.parametrize(
    ("model", "rows", "facts"),
    [
        ("offline/ngram-s", make_calls, ("4 characters", "of your 160", READS_ALL)),
        ("offline/ngram-r", make_calls, ("4 characters", "of your 160", READS_ALL)),
        ("offline/ngram-l", partial(make_signals, "abcdefgh"), ("6 characters", "of your 360", READS_ALL, str(PLACES))),
        (READS_ALL, partial(make_signals, "abcdefgh", 260), (f"{PLACES} characters", f"{WORDS} words", "360 of 360")),
        (READS_ALL, partial(make_signals, "abcdefgh", 100), ("360 of 360", "`: `", INTRODUCING)),
        (READS_ALL, partial(make_signals, "abcdefgh", 100, suffix="\nclass: "), ()),
        (READS_ALL, make_calls, ()),
        ("offline/ngram-s", partial(make_signals, "abcdefgh", 30, 2), ()),
    ],
    ids=[
        "calls",
        "calls repeated",
        "200 symbols",
        "260 symbols",
        "symbols that nothing ends",
        "symbols of a class",
        "calls read whole",
        "symbols in sight",
    ],
)
def test_a_plan_names_the_family_that_can(
    tmp_path: Path, model: str, rows: Callable[[], list[dict[str, Any]]], facts: tuple[str, ...]
) -> None:
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    (tmp_path / "seen.yaml").write_text(PLANNED.replace("MODEL", model))
    prepared = prepare(tmp_path / "seen.yaml", (), read_settings({"SWEEP_HOME": str(tmp_path / "home")}))
    notes = [note for note in prepared.plan.notes if f"data.mine: {model} sees" in note]
    assert [note.startswith(WARNING) for note in notes] == [True] * len(notes)
    assert len(notes) == bool(facts)
    assert [fact for fact in facts if fact not in "".join(notes)] == []
