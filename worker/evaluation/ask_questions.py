"""Evaluations by prompts: what the model writes to each, checked while the answers come in."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from scheduler.plugins.tokenizers import tokenizer_of
from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ModelAnswer, ScoredAnswers, bound_usage
from sweeps.rendering.answer_text import Utterance
from sweeps.rendering.prompts import PromptItem, render_prompt
from sweeps.rendering.renderers import PLAIN
from sweeps.rendering.tokenizer import Tokenizer, get_size
from sweeps.rendering.turns import build_generation_prompt
from sweeps.training.rollouts import derive_sampling_seed
from worker.attempt import Attempt
from worker.evaluation.checks import PromptAnswers, open_checker
from worker.evaluation.result import keep_result
from worker.outcome import Outcome, StageError, Succeeded
from worker.rollouts.generate import SampleRequest, sample_all
from worker.rollouts.play import FEW
from worker.rollouts.transcript import ENDED, TranscriptReader
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import SamplingSettings
from worker.sdk.session import Trainer


class EncodedPrompt(NamedTuple):
    """A prompt as the model reads it."""

    ask: PromptItem
    tokens: list[int]


def evaluate_answers(this: Attempt, trainer: Trainer, evaluator: AnswerEvaluator) -> Outcome:
    """Have every prompt answered, and check the answers."""
    options = cast(Mapping[str, Any], this.recipe["evaluator"])
    samples, most = options.get("samples", 1), options["most"]
    reader = AnswerReader(tokenizer_of(this.recipe, this.context.artefacts), str(this.recipe["renderer"]))
    asks = evaluator.list_prompts(this.context.examples.read_records(str(this.recipe["items"])), options)
    prompts = [EncodedPrompt(ask, reader.encode(ask.prompt)) for ask in asks]
    _, whole = bound_usage((len(prompt.tokens) for prompt in prompts), samples, most)
    if stop := this.stop_before_start(whole):
        return stop
    settings = SamplingSettings(most, reader.stops, options.get("temperature", 0.0), reader.vocabulary)
    requests = (SampleRequest(tokens, samples, _seed_sampling(ask, tokens)) for ask, tokens in prompts)
    with open_checker(this, options) as checker:
        written = sample_all(this, this.wait(trainer.create_sampler()), requests, settings, this.spending.add)
        answers = (
            PromptAnswers(prompt.ask, [reader.read(sample, most) for sample in several])
            for prompt, several in zip(prompts, written, strict=True)
        )
        scored: list[ScoredAnswers] = []
        while some := list(islice(answers, FEW)):
            scored += checker.score(some)
        measured = evaluator.measure(scored, options)
        checker.finish(len(measured.rows), sum("failed" in row.details for row in measured.rows))
    return Succeeded(keep_result(this, measured), steps=0)


def _seed_sampling(ask: PromptItem, tokens: Sequence[int]) -> int:
    return derive_sampling_seed(0, iteration=0, group=ask.item, transcript=tokens)


class AnswerReader:
    """Turns a prompt into tokens, and what the model writes after it into an answer, by the recipe's renderer."""

    def __init__(self, tokenizer: Tokenizer, renderer: str) -> None:
        self._tokenizer = tokenizer
        self._renderer = renderer
        self._transcript = None if renderer == PLAIN else TranscriptReader(tokenizer, renderer)
        self.vocabulary = get_size(tokenizer)

    @property
    def stops(self) -> tuple[str, ...] | tuple[int, ...]:
        """What ends an answer: in plain text the end token, in a chat the end of a turn."""
        if self._transcript is not None:
            return self._transcript.list_stops((), messages=True)
        return () if self._tokenizer.eos is None else (self._tokenizer.eos,)

    def encode(self, prompt: str) -> list[int]:
        return build_generation_prompt(render_prompt(prompt, self._renderer), self._tokenizer, self._renderer)

    def read(self, written: SampledSequence, most: int) -> ModelAnswer:
        """Read the answer as a person would see it, the probability of its tokens together, and whether it was cut."""
        total = math.fsum(written.logprobs.tolist())
        if not math.isfinite(total):
            raise StageError("diverged: a log-probability is not a number; train again with a lower learning rate")
        turn = self._read_turn(written.tokens.tolist())
        cut = not turn.closed or (not turn.ended and len(written.tokens) >= most)
        return ModelAnswer(turn.answer, math.exp(min(0.0, total)), cut=cut, whole=turn.whole)

    def _read_turn(self, tokens: list[int]) -> Utterance:
        if self._transcript is not None:
            return self._transcript.read_turn(tokens, messages=True)
        ended = bool(tokens) and tokens[-1] == self._tokenizer.eos
        text = self._tokenizer.decode(tokens[:-1] if ended else tokens)
        return Utterance(text, text, end=ENDED if ended else "")
