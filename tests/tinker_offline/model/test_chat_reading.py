"""Reading a text at once and token by token says the same; nothing depends on what follows or stands beside."""

import random

import numpy as np
import pytest

from tests.tinker_offline.model.chat_tasks import TASKS, make_items
from tinker_offline.model import characters
from tinker_offline.model.feature_rows import (
    COLUMNS,
    PLACES_WITHIN,
    Known,
    complete_view,
    key_rows,
    lacking_rows,
    local_rows,
    query_rows,
)
from tinker_offline.model.growing import GrowingText
from tinker_offline.model.hashing import SORTS
from tinker_offline.model.ngram import Ints
from tinker_offline.model.reading import read_texts

SEED = 20261130
ALPHABET = "aabbcAB01_ .,:=>?|\n\n'\""


def make_texts(count: int = 12) -> list[Ints]:
    """Random texts with few letters, in which everything repeats, some with control tokens; and real chats."""
    source = random.Random(SEED)
    texts = []
    for _ in range(count):
        letters = characters.encode("".join(source.choices(ALPHABET, k=source.randint(1, 90))))
        strewn = [source.choice([0, 1, 3]) if source.random() < 0.03 else token for token in letters]
        texts.append(np.array(source.choice([[0], []]) + strewn))
    for task in TASKS:
        texts += [np.array([0, *characters.encode(prompt + answer)]) for prompt, answer in make_items(task, 2, SEED)]
    return texts


@pytest.mark.parametrize("text", make_texts(), ids=lambda text: characters.decode(text)[:12])
def test_token_by_token_is_at_once(text: Ints) -> None:
    whole, growing = read_texts(text, [len(text)]), GrowingText()
    views = np.zeros((len(text), COLUMNS), np.uint64)
    slots: list[list[int]] = []
    for place, token in enumerate(text.tolist()):
        growing.write(token)
        views[place, : Known.SORT] = growing.view()
        if not growing.in_word:
            slots.append([len(growing.words), growing.line, growing.follows])
        pairs = whole.pairs.there[whole.pairs.here == place]
        assert sorted(growing.alike) == sorted(pairs.tolist())
    complete_view(views)
    assert (local_rows(views) == whole.local).all()
    at = whole.slots.at
    assert (query_rows(views[at]) == whole.slots.queries).all()
    views[:-1, Known.SORT] = SORTS[text[1:]]
    assert (key_rows(views[at[at < len(text) - 1]]) == whole.slots.keys[at < len(text) - 1]).all()
    assert slots == np.column_stack([whole.slots.words, whole.slots.lines, whole.slots.follows]).tolist()


@pytest.mark.parametrize("text", make_texts(), ids=lambda text: characters.decode(text)[:12])
def test_evidence_token_by_token_is_at_once(text: Ints) -> None:
    whole, growing = read_texts(text, [len(text)], finds=True), GrowingText(finds=True)
    assert whole.lacks is not None
    sought, rows = [], []
    for token in text.tolist():
        growing.write(token)
        if not growing.in_word:
            sought.append(growing.evidence.line)
        if growing.age <= PLACES_WITHIN:
            lacks = np.array(growing.evidence.lacks, np.uint64)
            since = np.array(growing.view()[Known.SINCE :][:1], np.uint64)
            rows.append(lacking_rows(lacks, since))
    assert sought == whole.slots.sought.tolist()
    assert (np.concatenate(rows) == whole.lacks.rows).all()


def test_nothing_depends_on_what_follows_or_stands_beside() -> None:
    texts = [text for text in make_texts() if len(text) > 1]
    beside = read_texts(np.concatenate(texts), [len(text) for text in texts])
    starts = np.cumsum([0, *map(len, texts)])
    for number, text in enumerate(texts):
        for end in {len(text), max(1, len(text) // 2)}:
            alone = read_texts(text[:end], [end])
            here = slice(starts[number], starts[number] + end)
            assert (alone.local == beside.local[here]).all()
            for alone_part, all_of_them in ((alone.words, beside.words), (alone.places, beside.places)):
                kept = (all_of_them.at >= here.start) & (all_of_them.at < here.stop)
                assert (alone_part.at == all_of_them.at[kept] - here.start).all()
                assert (alone_part.counts == all_of_them.counts[kept]).all()
                assert (alone_part.rows == all_of_them.rows[np.repeat(kept, all_of_them.counts)]).all()
