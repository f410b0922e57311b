"""The line that answers has most of the question's words; a model that knows what it lacks refuses where none does."""

import random
from collections.abc import Sequence

import pytest

from tests.tinker_offline.model.chat_tasks import Item
from tests.tinker_offline.model.chat_training import BATCH, FINDER, SIZE, load_chat_base, measure_items, teach_items
from tests.tinker_offline.model.handbook_task import make_handbook
from tests.worker.long_runs import LONG
from tinker_offline.model.answering_line import MOST, NO_QUESTION, Evidence, find_evidence
from tinker_offline.model.ngram import Size

STEPS = 50


def find(*texts: Sequence[int]) -> Evidence:
    """Find the evidence behind the last of some lines of words."""
    words = [(word, line) for line, text in enumerate(texts, 1) for word in text]
    return find_evidence([word for word, _ in words], [line for _, line in words], len(texts))


def test_the_line_with_most_words_of_the_question_answers() -> None:
    assert find((1, 2, 3, 8), (1, 2, 9), (1, 5), (7, 1, 2, 3)) == (1, (1, 7))


def test_of_equal_lines_the_latest_answers() -> None:
    assert find((1, 2), (1, 3), (1, 2, 3, 4)) == (2, (1, 2, 2, 4))


def test_a_label_is_no_question() -> None:
    assert find((1, 2), (3, 4), (1, 2), (5,)) == find((1, 2), (3, 4), (1, 2)) == (1, ())


def test_a_repeated_word_counts_once() -> None:
    assert find((1, 1, 1, 1), (2, 3), (1, 1, 2, 3)).line == 2


def test_without_an_earlier_word_of_the_question_there_is_no_line() -> None:
    assert find((1, 2), (3, 4)) == (0, (1, 2))
    assert find(range(5, 99)) == (0, tuple(range(1, MOST + 1)))
    assert find() == NO_QUESTION


def test_what_is_not_there_is_refused_and_what_is_there_answered_with_its_mark() -> None:
    base = load_chat_base(FINDER)
    learner = teach_items(base, make_handbook(BATCH * STEPS, 0), 0)
    right = [measure_items(base, learner, make_handbook(15, 1, there=there)) for there in (True, False)]
    assert min(right) > 0.5
    assert sum(right) > 1.4, "1 is what refusing by chance gets"


def measure_both(size: Size, lessons: Sequence[Item], seed: int) -> list[float]:
    """Return the shares of fresh items answered exactly: where a passage answers, and where none does."""
    base = load_chat_base(size)
    learner = teach_items(base, lessons, seed)
    return [measure_items(base, learner, make_handbook(50, 10**6 + seed, there=there)) for there in (True, False)]


@LONG
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_only_the_model_that_finds_can_and_answers_of_other_items_teach_it_nothing(seed: int) -> None:
    """Who always refuses is right in one kind alone, and who refuses by chance in as much of the other as it loses."""
    items = make_handbook(BATCH * 100, seed)
    answers = [answer for _, answer in items]
    random.Random(seed).shuffle(answers)
    shuffled = [(prompt, answer) for (prompt, _), answer in zip(items, answers, strict=True)]
    assert min(measure_both(FINDER, items, seed)) >= 0.75
    assert sum(measure_both(SIZE, items, seed)) < 1.5
    assert sum(measure_both(FINDER, shuffled, seed)) < 1.2
