"""What is measured of a model: batched `forward`, one request for hundreds of items, each item kept."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.rendering.prompts import ASKED
from sweeps.rendering.render import Example
from sweeps.stage import Json
from worker.attempt import Attempt
from worker.evaluation.answers import choice_examples, evaluate_answers, of_choice
from worker.evaluation.episodes import evaluate_episodes
from worker.evaluation.preference import preference_result, reference_of
from worker.examples import RenderedRows, flatten
from worker.open_model import open_for_evaluation
from worker.outcome import Outcome, StageError, Succeeded
from worker.sdk.batches import ExampleBatch
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.session import Session, Trainer

Result = Callable[[Sequence[PassResult]], dict[str, Json]]  # made of the answers, once they are there
ITEMS = 512  # in one request: the SDK itself cuts at 1,024 items or 5 MB


def evaluate(this: Attempt, source: Session | Trainer) -> Outcome:
    """Measure a stage's items on the model it names: a live one, or one opened from a checkpoint."""
    trainer = source if isinstance(source, Trainer) else open_for_evaluation(this, source)
    recipe = cast(Mapping[str, Any], this.recipe)
    if recipe["evaluator"]["name"] == "task_completion":
        return evaluate_episodes(this, trainer)
    choosing = recipe["evaluator"].get("check") == "choice"
    if recipe["evaluator"]["name"] in ASKED and not choosing:
        return evaluate_answers(this, trainer)
    rows: RenderedRows = (
        [(one,) for one in choice_examples(this)] if choosing else this.context.examples.render_items(recipe)
    )
    examples = flatten(rows)
    result = EVALUATORS[recipe["evaluator"]["name"]](this, rows)
    whole = this.spending.rates.passed(sum(len(example.weights) for example in examples))
    if stop := this.stop_before_start(whole):
        return stop
    pending = submit_forward(trainer, examples, this.spending.add_forward)
    answers = [this.wait(each) for each in pending]
    return Succeeded(result(answers), steps=0)


def submit_forward(
    trainer: Trainer, examples: Sequence[Example], use: Callable[[int], None]
) -> list[PendingAnswer[PassResult]]:
    """Ask for the losses of all examples; `use` is told the tokens of each request."""
    pending = []
    for start in range(0, len(examples), ITEMS):
        batch = ExampleBatch(examples[start : start + ITEMS])
        use(batch.tokens)  # before it is asked for: the books are never behind the service
        pending.append(trainer.forward(batch))
    return pending


def mean_nll(examples: Sequence[Example], answers: Sequence[PassResult]) -> float:
    """Nats per loss-bearing token, over all examples."""
    return float(sum(_nlls(examples, answers)) / sum(float(example.weights.sum()) for example in examples))


def _nlls(examples: Sequence[Example], answers: Sequence[PassResult]) -> list[float]:
    """The weighted negative log-likelihood of each example, in nats."""
    logprobs = [each for answer in answers for each in answer.logprobs]
    return [
        -float(np.dot(values.astype(np.float64), example.weights.astype(np.float64)))
        for example, values in zip(examples, logprobs, strict=True)
    ]


def _of_nll(this: Attempt, rows: RenderedRows) -> Result:
    return partial(_nll_result, this, rows)


def _of_choice(this: Attempt, rows: RenderedRows) -> Result:
    return of_choice(this, flatten(rows))


def _of_preference(this: Attempt, rows: RenderedRows) -> Result:
    """The reference is there before anything is asked of the service."""
    examples = flatten(rows)
    reference = reference_of(this, examples) if this.recipe.get("reference") else None
    return partial(preference_result, this, examples, reference)


EVALUATORS: Mapping[str, Callable[[Attempt, RenderedRows], Result]] = {
    "nll": _of_nll,
    "preference": _of_preference,
    "answers": _of_choice,
}


def _nll_result(this: Attempt, rows: RenderedRows, answers: Sequence[PassResult]) -> dict[str, Json]:
    """An item is a row, also where each of its answers was asked for by itself."""
    nlls = _nlls(flatten(rows), answers)
    if not math.isfinite(sum(nlls)):
        raise StageError("the held-out loss is not a number: the training that it is about has diverged")
    left = iter(nlls)
    items = [
        ItemRow(
            item,
            {
                "nll": sum(next(left) for _ in row),
                "tokens": sum(float(example.weights.sum()) for example in row),
                "bytes": sum(example.text_bytes for example in row),
            },
        )
        for item, row in enumerate(rows)
    ]
    tokens = sum(float(example.weights.sum()) for example in flatten(rows))
    text_bytes = sum(example.text_bytes for example in flatten(rows))
    return {
        "metrics": {"nll": sum(nlls) / tokens, "bits_per_byte": sum(nlls) / np.log(2).item() / text_bytes},
        "items": this.write_artefact("items.jsonl.gz", write_rows(items)),
        "count": len(rows),
        "usage": this.spending.usage.document(),
    }
