"""Evaluations by forward passes: batches of records, one request for hundreds of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.forward_evaluator import ForwardEvaluator, Passes
from sweeps.rendering.render import Example, LossMask, render_rows
from sweeps.rendering.renderers import Renderer
from worker.attempt import Attempt
from worker.evaluation.reference import FILE, encode_reference, read_reference
from worker.examples import RenderedRows, flatten
from worker.outcome import StageError, Stopped
from worker.sdk.batches import ExampleBatch
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.session import Trainer

ITEMS = 512  # examples in one request: the SDK itself cuts at 1,024 items or 5 MB


def evaluate_forward(
    this: Attempt, trainer: Trainer, evaluator: ForwardEvaluator, renderer: Renderer
) -> Measured | Stopped:
    """Pass the evaluator's inputs through the model. A reference is read before anything is asked of the service."""
    recipe = cast(Mapping[str, Any], this.recipe)
    rows = _render_inputs(this, evaluator, renderer)
    examples = flatten(rows)
    reference = read_reference(this, examples) if recipe.get("reference") else None
    whole = this.spending.rates.passed(sum(len(example.weights) for example in examples))
    if stop := this.stop_before_start(whole):
        return stop
    answers = [this.wait(answer) for answer in submit_forward(trainer, examples, this.spending.add_forward)]
    logprobs = [values for answer in answers for values in answer.logprobs]
    load = partial(this.context.examples.read_records, str(recipe["items"]))
    passes = Passes(rows, logprobs, load, reference)
    if not all(map(math.isfinite, passes.log_likelihoods)):
        raise StageError("diverged: a held-out log-probability is not a number; train again with a lower learning rate")
    measured = evaluator.measure(passes, recipe["evaluator"])
    if not evaluator.compares_with_start:
        return measured
    return measured._replace(files={FILE: encode_reference(examples, logprobs)})


def _render_inputs(this: Attempt, evaluator: ForwardEvaluator, renderer: Renderer) -> RenderedRows:
    """Render the items, which all threads share, or the evaluator's own inputs for them."""
    recipe = cast(Mapping[str, Any], this.recipe)
    if type(evaluator).list_inputs is ForwardEvaluator.list_inputs:
        return this.context.examples.render_items(recipe)
    inputs = evaluator.list_inputs(this.context.examples.read_records(recipe["items"]))
    mask = cast(LossMask, recipe["loss_mask"])
    return render_rows(inputs, renderer.tokenizer, renderer=recipe["renderer"], loss_mask=mask)


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
