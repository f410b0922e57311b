"""A plan notes the answers that an offline model cannot see the reason of; others it does not."""

import random

import pytest

from sweeps.planning.horizons import HORIZONS, READS_ALL, count_decided
from sweeps.records import Records
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from tinker_offline.model.ngram import SIZES

TAIL = 12  # characters between what decides and the answer


def count(rows: list[dict[str, str]], horizon: int) -> tuple[int, int]:
    examples = render_all(Records("completion", tuple(rows)), OfflineTokenizer(), loss_mask="completion")
    return count_decided(examples, horizon)


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
    plain = {name: size.orders for name, size in SIZES.items() if not (size.copies or size.folds or size.chats)}
    assert plain == HORIZONS
    assert SIZES[READS_ALL].chats
