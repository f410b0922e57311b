"""Choose the worst and the best answers of a trained model, beside what the same model wrote before training."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sweeps.analysis.baselines import Against, list_baselines
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.choice import Choice
from sweeps.evaluation.episode_evaluator import EpisodeEvaluator
from sweeps.evaluation.evaluator import Evaluator, Options
from sweeps.evaluation.item_rows import ItemId, ItemRow
from sweeps.evaluation.registry import find_metric
from sweeps.formatting import format_cell
from sweeps.records import Records, canonicalize_row
from sweeps.rendering.prompts import PromptItem, build_prompt
from sweeps.results import RunResult
from sweeps.stats.paired_items import read_scores

Asked = Mapping[ItemId, Sequence[PromptItem]]  # the prompts about each item


class SampledPrompt(NamedTuple):
    """One prompt, the right answers, and what the model wrote before and after training."""

    under: str  # the condition, or the number of the variant; "" if there is one prompt for each item
    question: str  # "" of an episode, whose text holds what was read
    right: tuple[str, ...]
    before: tuple[str, ...]  # one for each sample; none if it was not measured
    after: tuple[str, ...]


class AnswerSample(NamedTuple):
    """One item of an evaluation, with its scores in the metric that the samples are chosen by."""

    item: ItemId
    before: float | None
    after: float
    prompts: tuple[SampledPrompt, ...]


class ChosenSamples(NamedTuple):
    """The worst and the best answers; no item is in both."""

    worst: tuple[AnswerSample, ...]
    best: tuple[AnswerSample, ...]


class ComparedRuns(NamedTuple):
    """A trained run, and the run that shows the model before: None if none is measured."""

    after: RunResult
    before: RunResult | None
    against: Against | None  # what the run before is


def writes_text(evaluator: Evaluator) -> bool:
    """Whether an evaluation has answers to show; the others only pass records through the model."""
    return isinstance(evaluator, AnswerEvaluator | Choice | EpisodeEvaluator)


def choose_runs(rows: Sequence[RunResult], metric: str, where: Mapping[str, str]) -> ComparedRuns | None:
    """Choose the trained run with the best value of a metric, and its baseline, preferably of the same seed.

    `where` restricts the runs: the text of a key of the cell, or of `seed`. None if no such run is measured.
    """
    known = find_metric(metric)
    sign = -1 if known is not None and known.better == "lower" else 1
    measured = [row for row in rows if metric in row.metrics]
    trained = [row for row in measured if row.stage is not None and _matches(row, where)]
    if not trained:
        return None
    after = max(trained, key=lambda row: sign * row.metrics[metric])  # the first of equal ones
    for against, cell in list_baselines(after.cell, metric):
        same = [row for row in measured if canonicalize_row(row.cell) == canonicalize_row(cell)]
        if same:
            return ComparedRuns(after, min(same, key=lambda row: row.seed != after.seed), against)
    return ComparedRuns(after, None, None)


def _matches(row: RunResult, where: Mapping[str, str]) -> bool:
    known = {**row.cell, "seed": row.seed}
    return all(key in known and format_cell(key, known[key]) == text for key, text in where.items())


def list_asked(evaluator: Evaluator, records: Records, options: Options) -> Asked:
    """List the prompts of an evaluation by item."""
    asked: dict[ItemId, list[PromptItem]] = defaultdict(list)
    if isinstance(evaluator, AnswerEvaluator):
        for prompt in evaluator.list_prompts(records, options):
            asked[prompt.item].append(prompt)
    elif isinstance(evaluator, Choice):
        for item, row in enumerate(records.rows):
            asked[item].append(PromptItem(item, "", build_prompt(row), tuple(row["answers"])))
    return asked


def list_candidates(evaluator: Evaluator, records: Records) -> Mapping[ItemId, Sequence[str]]:
    """List the candidates of each item, where the model chooses among some."""
    if not isinstance(evaluator, Choice):
        return {}
    return {item: row["candidates"] for item, row in enumerate(records.rows)}


class SamplePicker:
    """Pairs the items of two runs, and chooses among them."""

    def __init__(self, metric: str, asked: Asked, candidates: Mapping[ItemId, Sequence[str]]) -> None:
        self._metric, self._asked, self._candidates = metric, asked, candidates
        known = find_metric(metric)
        self._sign = -1 if known is not None and known.better == "lower" else 1

    def pick(self, before: Sequence[ItemRow], after: Sequence[ItemRow], *, worst: int, best: int) -> ChosenSamples:
        """Choose items by their score after training; of equal ones, those that training changed most."""
        old, new = self._read_scores(before), self._read_scores(after)

        def rank(item: ItemId) -> tuple[float, float]:
            return self._sign * new[item], self._sign * (new[item] - old.get(item, new[item]))

        ranked = sorted(new, key=rank)
        low = ranked[:worst]
        high = sorted((item for item in ranked if item not in {*low}), key=rank, reverse=True)[:best]
        rows = _group_rows(before), _group_rows(after)
        samples = {
            item: AnswerSample(item, old.get(item), new[item], self._show(item, *rows)) for item in (*low, *high)
        }
        return ChosenSamples(tuple(samples[item] for item in low), tuple(samples[item] for item in high))

    def _read_scores(self, rows: Sequence[ItemRow]) -> dict[ItemId, float]:
        scores = read_scores(rows, self._metric)
        return {item: amount / scores.sizes[item] for item, amount in scores.amounts.items() if scores.sizes[item]}

    def _show(
        self, item: ItemId, before: Mapping[ItemId, list[ItemRow]], after: Mapping[ItemId, list[ItemRow]]
    ) -> tuple[SampledPrompt, ...]:
        asked = self._asked.get(item, ())
        unders = [prompt.under for prompt in asked] or [""]
        old, new = (self._read_texts(rows.get(item, ()), unders) for rows in (before, after))
        known = {prompt.under: prompt for prompt in asked}
        return tuple(
            SampledPrompt(
                under,
                known[under].prompt if under in known else "",
                known[under].answers if under in known else (),
                tuple(old.get(under, ())),
                tuple(new.get(under, ())),
            )
            for under in unders
        )

    def _read_texts(self, rows: Collection[ItemRow], unders: Sequence[str]) -> dict[str, list[str]]:
        texts: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            for under, text in _list_texts(row, unders, self._candidates.get(row.item, ())):
                texts[under].append(text)
        return texts


def _group_rows(rows: Sequence[ItemRow]) -> dict[ItemId, list[ItemRow]]:
    groups: dict[ItemId, list[ItemRow]] = defaultdict(list)
    for row in rows:
        groups[row.item].append(row)
    return groups


def _list_texts(row: ItemRow, unders: Sequence[str], candidates: Sequence[str]) -> Iterator[tuple[str, str]]:
    """List what was written to each prompt of an item, as the evaluators keep it."""
    written: Any = row.details.get("said", row.details.get("text"))
    logprobs: Any = row.details.get("logprobs")
    if isinstance(written, str):
        yield unders[0], written
    elif isinstance(written, Mapping):
        for under, texts in written.items():
            yield from ((under, str(text)) for text in (texts if isinstance(texts, list) else [texts]))
    elif isinstance(written, list):  # one for each sample, or one for each prompt
        for place, text in enumerate(written):
            yield unders[place if 1 < len(unders) == len(written) else 0], str(text)
    elif isinstance(logprobs, list) and len(logprobs) == len(candidates) > 0:
        yield unders[0], candidates[logprobs.index(max(logprobs))]
