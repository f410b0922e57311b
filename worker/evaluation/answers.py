"""Questions put to a model: what it writes to each, or which of the candidates it holds for the likeliest."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, cast

import numpy as np

from scheduler.plugins.tokenizers import tokenizer_of
from sweeps.evaluation.item_rows import ItemRow, cluster_by_passage, write_rows
from sweeps.evaluation.scoring import Answered, Said, bounds, chosen, items_of, metrics_from
from sweeps.records import Records
from sweeps.rendering.answer_text import Utterance
from sweeps.rendering.prompts import PromptItem, build_prompts, list_choices, render_prompt
from sweeps.rendering.render import Example, render_all
from sweeps.rendering.renderers import PLAIN
from sweeps.rendering.tokenizer import Tokenizer, get_size
from sweeps.rendering.turns import build_generation_prompt
from sweeps.spec.metric_names import METRICS
from sweeps.stage import Json
from sweeps.training.rollouts import derive_sampling_seed
from worker.attempt import Attempt
from worker.evaluation.checks import Spoken, judge_of
from worker.outcome import Outcome, StageError, Succeeded
from worker.rollouts.generate import SampleRequest, sample_all
from worker.rollouts.play import FEW
from worker.rollouts.transcript import ENDED, TranscriptReader
from worker.sdk.responses import PassResult, SampledSequence
from worker.sdk.sampler import SamplingSettings
from worker.sdk.session import Trainer

DIVERGED = "a log-probability is not a number: the training that it is about has diverged"


class Question(NamedTuple):
    """What is asked, as the model reads it."""

    ask: PromptItem
    tokens: list[int]


def evaluate_answers(this: Attempt, trainer: Trainer) -> Outcome:
    """Have every question answered, and check the answers."""
    options = cast(Mapping[str, Any], this.recipe["evaluator"])
    name, samples, renderer = options["name"], options.get("samples", 1), str(this.recipe["renderer"])
    abstain = options.get("abstain", "")
    hearing = Hearing(tokenizer_of(this.recipe, this.context.artefacts), renderer)
    records = this.context.examples.records(str(this.recipe["items"]))
    asks = build_prompts(name, records, abstain=abstain, perturb=options.get("perturb", ()))
    questions = [Question(ask, hearing.prompt(ask.prompt)) for ask in asks]
    _, whole = bounds((len(each.tokens) for each in questions), samples, options["most"])
    if stop := this.stop_before_start(whole):
        return stop
    manner = SamplingSettings(options["most"], hearing.ends, options.get("temperature", 0.0), hearing.vocabulary)
    requests = (SampleRequest(tokens, samples, _chances(ask, tokens)) for ask, tokens in questions)
    with judge_of(this, options) as judge:
        written = sample_all(this, this.wait(trainer.create_sampler()), requests, manner, this.spending.add)
        said = (
            Spoken(each.ask, [hearing.said(one, options["most"]) for one in several])
            for each, several in zip(questions, written, strict=True)
        )
        found: list[Answered] = []
        while few := list(islice(said, FEW)):
            found += judge.judged(few)
        items = items_of(name, found, abstain, str(options["check"]))
        judge.finish(len(items), sum("failed" in item.details for item in items))
    return Succeeded(_result(this, items), steps=0)


def _chances(ask: PromptItem, tokens: Sequence[int]) -> int:
    return derive_sampling_seed(0, iteration=0, group=ask.item, transcript=tokens)


class Hearing:
    """How a question becomes tokens, and what is written behind it an answer, by the renderer of the recipe."""

    def __init__(self, tokenizer: Tokenizer, renderer: str) -> None:
        self._tokenizer = tokenizer
        self._renderer = renderer
        self._turns = None if renderer == PLAIN else TranscriptReader(tokenizer, renderer)
        self.vocabulary = get_size(tokenizer)

    @property
    def ends(self) -> tuple[str, ...] | tuple[int, ...]:
        """What ends an answer: of text the end token, in a chat the end of a turn."""
        if self._turns is not None:
            return self._turns.list_stops((), messages=True)
        return () if self._tokenizer.eos is None else (self._tokenizer.eos,)

    def prompt(self, prompt: str) -> list[int]:
        return build_generation_prompt(render_prompt(prompt, self._renderer), self._tokenizer, self._renderer)

    def said(self, written: SampledSequence, most: int) -> Said:
        """The answer as a person would see it, the probability of all tokens together, and whether it was cut."""
        total = math.fsum(written.logprobs.tolist())
        if not math.isfinite(total):
            raise StageError(DIVERGED)
        turn = self._turn(written.tokens.tolist())
        cut = not turn.closed or (not turn.ended and len(written.tokens) >= most)
        return Said(turn.answer, math.exp(min(0.0, total)), cut=cut, whole=turn.whole)

    def _turn(self, tokens: list[int]) -> Utterance:
        """What a person would see of it, and whether the model ended it."""
        if self._turns is not None:
            return self._turns.read_turn(tokens, messages=True)
        ended = bool(tokens) and tokens[-1] == self._tokenizer.eos
        text = self._tokenizer.decode(tokens[:-1] if ended else tokens)
        return Utterance(text, text, end=ENDED if ended else "")


def choice_examples(this: Attempt) -> list[Example]:
    """Every candidate of every question behind its prompt."""
    tokenizer, renderer = tokenizer_of(this.recipe, this.context.artefacts), str(this.recipe["renderer"])
    pairs, _ = list_choices(this.context.examples.records(str(this.recipe["items"])))
    return render_all(pairs, tokenizer, renderer=renderer, loss_mask="completion")


def of_choice(this: Attempt, examples: Sequence[Example]) -> Callable[[Sequence[PassResult]], dict[str, Json]]:
    records = this.context.examples.records(str(this.recipe["items"]))
    return partial(_choice_result, this, examples, records)


def _choice_result(
    this: Attempt, examples: Sequence[Example], records: Records, answers: Sequence[PassResult]
) -> dict[str, Json]:
    logprobs = [each for answer in answers for each in answer.logprobs]
    sums = iter(
        float(np.dot(values.astype(np.float64), example.weights.astype(np.float64)))
        for example, values in zip(examples, logprobs, strict=True)
    )
    found: list[ItemRow] = []
    clusters = cluster_by_passage([row.get("context") for row in records.rows])
    for item, row in enumerate(records.rows):
        scores = list(islice(sums, len(row["candidates"])))
        if not all(map(math.isfinite, scores)):
            raise StageError(DIVERGED)
        right = [candidate in row["answers"] for candidate in row["candidates"]]
        found.append(chosen(item, scores, right, clusters[item]))
    return _result(this, found)


def _result(this: Attempt, items: Sequence[ItemRow]) -> dict[str, Json]:
    name = str(cast(Mapping[str, Any], this.recipe["evaluator"])["name"])
    return {
        "metrics": dict(metrics_from(items, METRICS[name])),
        "items": this.write_artefact("items.jsonl.gz", write_rows(items)),
        "count": len(items),
        "usage": this.spending.usage.document(),
    }
