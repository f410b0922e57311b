"""Note data that an offline model cannot learn, because what decides an answer is out of its sight."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sweeps.planning.plan_data import PlanData
from sweeps.records import Records
from sweeps.rendering.render import Example, render_all

HORIZONS = {"offline/ngram-s": 4, "offline/ngram-m": 5, "offline/ngram-l": 6}  # characters; a test compares the model
READS_ALL = "offline/chat-s"
ANSWERED = ("completion", "chat", "transcript", "questions")  # the formats in which something answers something
ENOUGH = 500  # rows that are read for it
LEAST = 0.5  # share of the answers below which there is a note


def note_horizons(models: Sequence[str], data: PlanData) -> Iterator[str]:
    """Note data of whose answers a model can decide few: it sees only the last characters before each."""
    for model in models:
        horizon = HORIZONS.get(model)
        if horizon is None:
            continue
        for dataset in data.datasets.values():
            if dataset.train.format not in ANSWERED:
                continue
            decided, total = _count_of_rows(dataset.train, model, horizon, data)
            if decided < LEAST * total:
                yield (
                    f"data.{dataset.name}: {model} sees the last {horizon} characters, which decide {decided} of "
                    f"{total} answers; for what depends on more, use {READS_ALL}"
                )


def _count_of_rows(records: Records, model: str, horizon: int, data: PlanData) -> tuple[int, int]:
    some = replace(records, rows=records.rows[:ENOUGH])
    renderer, mask = data.renderer(records, model), data.loss_mask(records)
    return count_decided(render_all(some, data.tokenizer(model), renderer=renderer, loss_mask=mask), horizon)


def count_decided(examples: Sequence[Example], horizon: int) -> tuple[int, int]:
    """Count the examples all of whose learnt tokens are the most frequent ones after the tokens before, and all.

    It is what a model could answer at best that sees `horizon` tokens and knows these very examples.
    """
    followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    pairs = [list(_list_pairs(example, horizon)) for example in examples]
    for pair in pairs:
        for before, token in pair:
            followers[before][token] += 1
    likeliest = {before: counts.most_common(1)[0][0] for before, counts in followers.items()}
    return sum(all(likeliest[before] == token for before, token in pair) for pair in pairs), len(pairs)


def _list_pairs(example: Example, horizon: int) -> Iterator[tuple[tuple[int, ...], int]]:
    tokens = example.tokens.tolist()
    for place, weight in enumerate(example.weights.tolist(), 1):
        if weight:
            yield tuple(tokens[max(0, place - horizon) : place]), tokens[place]
