"""Evaluators that ask by prompts: the model writes answers, a check scores each, and an evaluator sums up each item.

A check that may fail can leave an answer without a score. Its item then says one thing only: that its check failed.
A check may also say that it does not apply to an answer. Such an answer is in no mean.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sweeps.cost import Usage
from sweeps.evaluation.evaluator import Evaluator, Measured, Metric, Options, average
from sweeps.evaluation.evaluator_options import may_fail
from sweeps.evaluation.item_rows import ItemRow, cluster_by_passage
from sweeps.evaluation.metric_prefixes import CUT, UNCHECKED
from sweeps.evaluation.user_answers import find_unusable_answers
from sweeps.metrics import matching
from sweeps.metrics.verdicts import NOT_APPLICABLE
from sweeps.records import Records, Row
from sweeps.rendering.prompts import PromptItem, read_question
from sweeps.stage import Json

RIGHT = 0.5  # a score from which an answer is right, where right or wrong is asked for


class ModelAnswer(NamedTuple):
    """One answer of the model."""

    text: str
    probability: float  # of all its tokens together, by the model itself, whatever the temperature
    cut: bool = False  # it had not ended when it had `most` tokens, or its thoughts had not
    whole: str = ""  # everything that the model wrote, thoughts and marks included


class ScoredAnswers(NamedTuple):
    """The answers to one prompt, one for each sample, with their scores from 0 to 1."""

    ask: PromptItem
    answers: Sequence[ModelAnswer]
    scores: Sequence[float]
    failed: str | None = None  # of a check that may fail: why a score is missing; "": none is
    skipped: Sequence[ModelAnswer] = ()  # answers to which the check does not apply; they are not among `answers`

    @property
    def score(self) -> float:
        return float(np.mean(self.scores))

    @property
    def texts(self) -> list[str]:
        return [answer.text for answer in self.answers]


class ItemScore(NamedTuple):
    """What one item says: values for the statistics and details for people."""

    values: Mapping[str, float]
    details: Mapping[str, Json]


def audit_metrics(name: str) -> tuple[Metric, Metric]:
    """The two metrics that each such evaluator has beside its own: failed checks and cut answers."""
    return Metric(f"{UNCHECKED}{name}", "lower", detail=True), Metric(f"{CUT}{name}", "lower", detail=True)


class AnswerEvaluator(Evaluator):
    """Measures by what the model writes to prompts. Its options include `check` and `most`, and may `samples`."""

    version: ClassVar[int] = 3  # of everything that checks answers: metrics.numbers, rendering.answer_text
    formats: ClassVar[tuple[str, ...]] = ("questions",)
    data: ClassVar[str] = "questions (question, answer)"
    may_skip: ClassVar[bool] = False  # can it leave out an answer to which its check does not apply?

    def ask(self, rows: Sequence[Row], options: Options) -> Iterator[PromptItem]:
        """Yield the prompts about these questions, item by item."""
        raise NotImplementedError

    def score_item(self, prompts: Sequence[ScoredAnswers], options: Options) -> ItemScore:
        """Sum up the answers to all prompts about one item."""
        raise NotImplementedError

    def aggregate(self, rows: Sequence[ItemRow]) -> dict[str, float]:
        """Compute the metrics that are about all items together; every other one is the mean over its items."""
        return {}

    def select(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Select the questions that it asks."""
        return rows

    def identify(self, options: Options) -> dict[str, Any]:
        """Return the options that are part of a stage's identity."""
        return self.complete(options)

    def find_missing(self, records: Records, options: Options) -> str:
        return find_unusable_answers(records, options)

    def list_metrics(self, options: Options) -> tuple[str, ...]:
        unchecked = f"{UNCHECKED}{self.name}"
        return tuple(name for name in self.metric_names if name != unchecked or may_fail(options.get("check")))

    def locate_items(self, records: Records) -> Sequence[int]:
        rows = [read_question(row, records.format) for row in records.rows]
        places = {id(row): place for place, row in enumerate(rows)}
        return [places[id(row)] for row in self.select(rows)]

    def list_prompts(self, records: Records, options: Options) -> tuple[PromptItem, ...]:
        """List all prompts; questions about the same passage are one cluster."""
        rows = self.select([read_question(row, records.format) for row in records.rows])
        clusters = cluster_by_passage([row.get("context") for row in rows])
        return tuple(ask._replace(cluster=clusters[ask.item]) for ask in self.ask(rows, options))

    def measure(self, answered: Sequence[ScoredAnswers], options: Options) -> Measured:
        """Compute the metrics and the row of each item from all answers, which come item by item."""
        by_item = groupby(answered, key=lambda prompt: prompt.ask.item)
        rows = [self._row(item, list(prompts), options) for item, prompts in by_item]
        return Measured(self.summarize(rows), rows)

    def summarize(self, rows: Sequence[ItemRow]) -> dict[str, float]:
        """Compute all metrics from the rows."""
        return {**average(rows, self.metrics), **self.aggregate(rows)}

    def _row(self, item: int, prompts: Sequence[ScoredAnswers], options: Options) -> ItemRow:
        values, details = self._score(prompts, options)
        answers = [answer for prompt in prompts for answer in (*prompt.answers, *prompt.skipped)]
        cut = float(np.mean([answer.cut for answer in answers]))
        whole: list[Json] = [answer.whole for answer in answers]
        wrote = {"wrote": whole} if any(answer.whole not in ("", answer.text) for answer in answers) else {}
        return ItemRow(item, {**values, f"{CUT}{self.name}": cut}, prompts[0].ask.cluster, {**details, **wrote})

    def _score(self, prompts: Sequence[ScoredAnswers], options: Options) -> ItemScore:
        unchecked = f"{UNCHECKED}{self.name}"
        failed = [prompt.failed for prompt in prompts if prompt.failed]
        if failed:
            texts: dict[str, Json] = {prompt.ask.under: [*prompt.texts] for prompt in prompts}
            return ItemScore({unchecked: 1.0}, {"failed": failed[0], "said": texts})
        if any(prompt.skipped and not prompt.answers for prompt in prompts):
            left_out: list[Json] = [answer.text for prompt in prompts for answer in prompt.skipped]
            return ItemScore({unchecked: 0.0}, {"said": left_out, "verdict": NOT_APPLICABLE})
        values, details = self.score_item(prompts, options)
        may_have_failed = any(prompt.failed is not None for prompt in prompts)
        return ItemScore({**values, **({unchecked: 0.0} if may_have_failed else {})}, details)


def score_text(check: str, text: str, answers: Sequence[str]) -> float:
    """Score an answer against the right ones, by a check that always ends."""
    match check:
        case "exact":
            return matching.exact_match(text, *answers)
        case "f1":
            return matching.f1(text, *answers)
        case "numeric":
            return matching.numeric_match(text, *answers)
    raise ValueError(f"expected exact, f1 or numeric as the check, got {check!r}")


def bound_usage(prompts: Iterable[int], samples: int, most: int) -> tuple[Usage, Usage]:
    """Bound the usage of prompts with these numbers of tokens: an answer has at least one token, its end.

    The prompt is read once, and is in the cache for every sample after the first.
    """
    read = sum(counted := list(prompts))
    reading = Usage(0, read, (samples - 1) * read)
    return reading.plus(Usage(sample=samples * len(counted))), reading.plus(Usage(sample=samples * most * len(counted)))
