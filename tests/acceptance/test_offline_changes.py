"""What a training of the offline model changes is told, and nothing is told of the same training under other seeds.

Each held-out record is a question, its beginning, of which the answer is the next letter: asked of the real model, by
its own sampler, and kept as evaluations keep it.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pytest

from sweeps.analysis.change_estimate import Change, change
from sweeps.data import Dataset
from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers
from sweeps.evaluation.answers import ANSWERS
from sweeps.evaluation.item_rows import ItemRow
from sweeps.rendering.prompts import PromptItem
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.acceptance.offline_model import OfflineModel, domain
from tinker_offline.model.ngram import Adapter, target_logprobs
from tinker_offline.model.sampling import Draw, sample

READ = 16  # letters of a record
SEEDS, OTHERS = (0, 1, 2), (3, 4, 5)
CALIBRATION, CONSISTENCY = ("ece", "adaptive_ece", "brier"), ("agreement", "semantic_entropy")

model = cache(OfflineModel.small)
known = cache(lambda name: domain(name, holdout=300))
Side = Mapping[int, Sequence[ItemRow]]


def answers(adapter: Adapter, data: Dataset, samples: int = 1) -> list[ItemRow]:
    """One answer, the likeliest, or several by chance."""
    tokenizer, scored = OfflineTokenizer(), []
    for item, row in enumerate(data.holdout.rows):
        tokens = np.asarray(tokenizer.encode(str(row["text"])), np.int64)
        right = tokenizer.decode(tokens[READ : READ + 1].tolist())
        draw = Draw(1, item, temperature=float(samples > 1))
        written = sample(model().base, adapter, tokens[:READ], samples, draw)
        model_answers = [
            ModelAnswer(tokenizer.decode(sample.tokens.tolist()), float(np.exp(sample.logprobs.sum())))
            for sample in written
        ]
        scored.append(
            ScoredAnswers(
                PromptItem(item, "", "", (right,)),
                model_answers,
                [float(model_answer.text == right) for model_answer in model_answers],
            )
        )
    return list(ANSWERS.measure(scored, {}).rows)


def losses(adapter: Adapter, data: Dataset) -> list[ItemRow]:
    """As an evaluation of the loss keeps them."""
    rows: list[ItemRow] = []
    for item in range(len(data.holdout)):
        per_token = -target_logprobs(model().base, adapter, model().positions(data.holdout, [item]))
        rows.append(ItemRow(item, {"nll": float(per_token.sum()), "tokens": len(per_token)}))
    return rows


@cache
def overfitted(seed: int, rate: float = 0.02) -> Adapter:
    """Far too many steps on 32 examples."""
    return model().train(known("reference").train, 32, seed, steps=60, batch_size=8, rate=rate)


@cache
def told(seeds: tuple[int, ...], samples: int) -> Side:
    return {place: answers(overfitted(seed), known("reference"), samples) for place, seed in enumerate(seeds)}


def untrained(samples: int) -> Side:
    return {0: answers(model().untrained(), known("reference"), samples)}


def found(before: Side, after: Side, metric: str) -> Change:
    difference = change(before, after, metric=metric)
    assert difference
    return difference


def test_too_many_steps_on_a_few_examples_make_it_too_sure() -> None:
    before = untrained(1)
    for metric in CALIBRATION:
        difference = found(before, told(SEEDS, 1), metric)
        assert difference.clear, difference
        assert difference.low > 0.02, difference
        assert difference.seeds == 3


def test_and_have_it_say_the_same_more_often() -> None:
    before = untrained(5)
    agreement, entropy = (found(before, told(SEEDS, 5), metric) for metric in CONSISTENCY)
    assert agreement.clear, agreement
    assert agreement.low > 0
    assert entropy.clear, entropy
    assert entropy.high < 0


@pytest.mark.parametrize(("samples", "metrics"), [(1, CALIBRATION), (5, CONSISTENCY)])
def test_the_same_training_under_other_seeds_and_one_that_does_nothing_change_nothing(
    samples: int, metrics: tuple[str, ...]
) -> None:
    before = untrained(samples)
    still = {0: answers(overfitted(0, 0.0), known("reference"), samples)}
    for metric in (*metrics, "accuracy"):
        difference = found(told(SEEDS, samples), told(OTHERS, samples), metric)
        assert not difference.clear, difference
        nothing = found(before, still, metric)
        assert (nothing.mean, nothing.p) == (0, 1)


def test_code_after_the_manual_forgets_the_manual_and_more_of_the_manual_does_not() -> None:
    data, code = known("reference"), known("code")
    source = {seed: model().train(data.train, 128, seed, steps=30, batch_size=8) for seed in (*SEEDS, *OTHERS)}
    chained = {
        seed: losses(model().train(code.train, 64, seed, start=source[seed], steps=40, batch_size=8, rate=0.02), data)
        for seed in SEEDS
    }
    alone = {seed: losses(adapter, data) for seed, adapter in source.items()}
    before = {seed: alone[seed] for seed in SEEDS}
    forgotten = found(before, chained, "source.nll")
    assert forgotten.clear, forgotten
    assert forgotten.low > 0
    other = found(before, {seed: alone[seed + 3] for seed in SEEDS}, "source.nll")
    assert not other.clear, other
