"""Evaluations by forward passes: batches of records, one request for hundreds of them."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from scheduler.plugins.tokenizers import tokenizer_of
from sweeps.evaluation.forward_evaluator import Floats, ForwardEvaluator, Passes
from sweeps.records import Records
from sweeps.rendering.render import Example, LossMask, render_rows
from sweeps.training.preference_loss import completions, counts
from worker.attempt import Attempt
from worker.evaluation.result import keep_result
from worker.examples import RenderedRows, flatten
from worker.outcome import Outcome, ParentGone, StageError, Succeeded
from worker.sdk.batches import ExampleBatch
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.session import Trainer

ITEMS = 512  # examples in one request: the SDK itself cuts at 1,024 items or 5 MB


def evaluate_forward(this: Attempt, trainer: Trainer, evaluator: ForwardEvaluator) -> Outcome:
    """Pass the evaluator's inputs through the model. A reference is read before anything is asked of the service."""
    recipe = cast(Mapping[str, Any], this.recipe)
    load = partial(this.context.examples.read_records, str(recipe["items"]))
    rows = _render_inputs(this, evaluator, load)
    examples = flatten(rows)
    reference = read_reference(this, examples) if recipe.get("reference") else None
    whole = this.spending.rates.passed(sum(len(example.weights) for example in examples))
    if stop := this.stop_before_start(whole):
        return stop
    pending = submit_forward(trainer, examples, this.spending.add_forward)
    answers = [this.wait(answer) for answer in pending]
    logprobs = [values for answer in answers for values in answer.logprobs]
    passes = Passes(rows, logprobs, load, reference)
    if not all(map(math.isfinite, passes.log_likelihoods)):
        raise StageError("diverged: a held-out log-probability is not a number; train again with a lower learning rate")
    measured = evaluator.measure(passes, recipe["evaluator"])
    if not evaluator.compares_with_start:
        return Succeeded(keep_result(this, measured), steps=0)
    path = this.write_artefact("logprobs.npy", _encode_array(completions(examples, passes.logprobs)))
    return Succeeded(keep_result(this, measured, logprobs=path), steps=0)


def _render_inputs(this: Attempt, evaluator: ForwardEvaluator, load: Callable[[], Records]) -> RenderedRows:
    """Render the items, which all threads share, or the evaluator's own inputs for them."""
    recipe = cast(Mapping[str, Any], this.recipe)
    if type(evaluator).list_inputs is ForwardEvaluator.list_inputs:
        return this.context.examples.render_items(recipe)
    tokenizer, mask = tokenizer_of(recipe, this.context.artefacts), cast(LossMask, recipe["loss_mask"])
    inputs = evaluator.list_inputs(load())
    return render_rows(inputs, tokenizer, renderer=str(recipe["renderer"]), loss_mask=mask)


def submit_forward(
    trainer: Trainer, examples: Sequence[Example], use: Callable[[int], None]
) -> list[PendingAnswer[PassResult]]:
    """Submit all examples; `use` gets the tokens of each request before it is sent: the books are never behind."""
    pending = []
    for start in range(0, len(examples), ITEMS):
        batch = ExampleBatch(examples[start : start + ITEMS])
        use(batch.tokens)
        pending.append(trainer.forward(batch))
    return pending


def mean_nll(examples: Sequence[Example], answers: Sequence[PassResult]) -> float:
    """Return the nats per loss-bearing token, over all examples."""
    logprobs = [values for answer in answers for values in answer.logprobs]
    nats = -sum(Passes([examples], logprobs).log_likelihoods)
    return nats / sum(float(example.weights.sum()) for example in examples)


def read_reference(this: Attempt, examples: Sequence[Example]) -> list[Floats]:
    """Read what the starting point gave each completion, from the stage that measured it there.

    Raises ParentGone if that file is gone: the starting point is then measured again while this stage waits.
    """
    stage = str(this.recipe["reference"])
    result = this.context.store.read_result(stage)
    path = str(result["logprobs"]) if result else ""
    if not path or not this.context.artefacts.has(path):
        raise ParentGone(stage, path)
    values = np.load(io.BytesIO(this.context.artefacts.read(path)), allow_pickle=False).astype(np.float64)
    tokens = counts(examples)
    if len(values) != tokens.sum():
        raise StageError(f"reference {stage}: expected {tokens.sum()} tokens, those of the pairs, got {len(values)}")
    return np.split(values, np.cumsum(tokens)[:-1])


def _encode_array(values: Sequence[Floats]) -> bytes:
    """Encode log-probabilities as they came, in 32 bits, so that every reader has the same numbers."""
    file = io.BytesIO()
    np.save(file, np.concatenate(values).astype(np.float32))
    return file.getvalue()
