"""A base is fitted to its text the same way every time, and predicts other text better than letter counts do."""

import numpy as np
import pytest

from tinker_offline.model import characters, corpus
from tinker_offline.model.base import Recipe, train_base
from tinker_offline.model.ngram import Base, Positions, Size, context_rows, new_adapter, target_logprobs

RECORDS = 6_000
TINY = Size("tiny", 3, 2**11)


@pytest.fixture(scope="module")
def base() -> Base:
    return train_base(Recipe(TINY, RECORDS))


def unseen_nll(base: Base) -> float:
    """Nats per character of records that no base here was fitted to."""
    texts = corpus.read_records(RECORDS + 1500)[-500:]
    ids = np.array(characters.encode("".join(texts))).reshape(-1, corpus.RECORD)
    read = np.column_stack([np.full(len(ids), characters.BEGIN), ids[:, :-1]])
    rows = context_rows(read.ravel(), [corpus.RECORD] * len(ids), base.size)
    return -float(target_logprobs(base, new_adapter(base.size, 1, 0), Positions(rows, ids.ravel())).mean())


def test_the_same_recipe_gives_the_same_bits(base: Base) -> None:
    again = train_base(Recipe(TINY, RECORDS))
    assert base.weights.tobytes() == again.weights.tobytes()
    assert base.bias.tobytes() == again.bias.tobytes()


def test_contexts_say_more_than_letter_frequencies(base: Base) -> None:
    letters = Base(TINY, np.zeros_like(base.weights), base.bias)
    assert unseen_nll(base) < unseen_nll(letters) - 0.5


def test_more_text_and_more_orders_make_a_better_base(base: Base) -> None:
    assert unseen_nll(base) < unseen_nll(train_base(Recipe(TINY, RECORDS // 8)))
    assert unseen_nll(base) < unseen_nll(train_base(Recipe(Size("one", 1, 2**11), RECORDS)))


def test_text_is_prose_in_whole_records() -> None:
    records = corpus.read_records(3000)
    assert len(records) == 3000
    assert records[:10] == corpus.read_records(10)
    assert {len(record) for record in records} == {corpus.RECORD}
    assert "".join(records).count("self.") < 10  # source code that was taken for a docstring has hundreds
