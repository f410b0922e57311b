"""Evaluations by prompts: what the model writes to each, checked while the answers come in."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ModelAnswer, ScoredAnswers, bound_usage
from sweeps.evaluation.evaluator import Measured
from sweeps.rendering.answer_text import Utterance
from sweeps.rendering.prompts import PromptItem, render_prompt
from sweeps.rendering.renderers import Renderer
from sweeps.training.rollouts import derive_sampling_seed
from worker.attempt import Attempt
from worker.evaluation.checks import AnswerChecker, PromptAnswers
from worker.outcome import StageError, Stopped
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


def evaluate_answers(
    this: Attempt, trainer: Trainer, evaluator: AnswerEvaluator, renderer: Renderer
) -> Measured | Stopped:
    """Have every prompt answered, and check the answers."""
    options = cast(Mapping[str, Any], this.recipe["evaluator"])
    samples, most = options.get("samples", 1), options["most"]
    reader = AnswerReader(renderer)
    asks = evaluator.list_prompts(this.context.examples.read_records(str(this.recipe["items"])), options)
    prompts = [EncodedPrompt(ask, reader.encode(ask.prompt)) for ask in asks]
    _, whole = bound_usage((len(prompt.tokens) for prompt in prompts), samples, most)
    if stop := this.stop_before_start(whole):
        return stop
    settings = SamplingSettings(most, reader.stops, options.get("temperature", 0.0), reader.vocabulary)
    requests = (SampleRequest(tokens, samples, _seed_sampling(ask, tokens)) for ask, tokens in prompts)
    with AnswerChecker(this, options, may_skip=evaluator.may_skip) as checker:
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
    return measured


def _seed_sampling(ask: PromptItem, tokens: Sequence[int]) -> int:
    return derive_sampling_seed(0, iteration=0, group=ask.item, transcript=tokens)


class AnswerReader:
    """Turns a prompt into tokens, and what the model writes after it into an answer, by the recipe's renderer."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._transcript = TranscriptReader(renderer)
        self.vocabulary = self._transcript.vocabulary

    @property
    def stops(self) -> tuple[str, ...] | tuple[int, ...]:
        """What ends an answer: in plain text the end token, in a chat the end of a turn."""
        if not self._renderer.is_plain:
            return self._transcript.list_stops((), messages=True)
        eos = self._renderer.tokenizer.eos
        return () if eos is None else (eos,)

    def encode(self, prompt: str) -> list[int]:
        return self._transcript.encode_prompt(render_prompt(prompt, self._renderer))

    def read(self, written: SampledSequence, most: int) -> ModelAnswer:
        """Read the answer as a person would see it, the probability of its tokens together, and whether it was cut."""
        total = math.fsum(written.logprobs.tolist())
        if not math.isfinite(total):
            raise StageError("diverged: a log-probability is not a number; train again with a lower learning rate")
        turn = self._read_turn(written.tokens.tolist())
        cut = not turn.closed or (not turn.ended and len(written.tokens) >= most)
        return ModelAnswer(turn.answer, math.exp(min(0.0, total)), cut=cut, whole=turn.whole)

    def _read_turn(self, tokens: list[int]) -> Utterance:
        if not self._renderer.is_plain:
            return self._transcript.read_turn(tokens, messages=True)
        ended = bool(tokens) and tokens[-1] == self._renderer.tokenizer.eos
        text = self._transcript.decode(tokens[:-1] if ended else tokens)
        return Utterance(text, text, end=ENDED if ended else "")
