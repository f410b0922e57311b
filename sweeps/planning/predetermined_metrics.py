"""Find metrics that are decided before any answer: they will be the same whatever the model knows.

Such a number looks like a result. If it is certain, the plan is refused; if it is likely, or true for some items, the
plan has a note with counts.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sweeps.errors import PlanError
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.evaluator import Evaluator
from sweeps.evaluation.evaluator_options import TEXT_CHECKS
from sweeps.metrics.matching import normalize_text, read_meaning
from sweeps.records import Records, Row
from sweeps.rendering.prompts import PromptItem, read_question

ALWAYS = 0.9  # of the items: one answer that is right for so many is a baseline to know
FROM = 5  # items: fewer may be alike by chance


class PlannedQuestions(NamedTuple):
    """The questions of an evaluation, and how their answers are tokenized."""

    where: str  # the evaluation and its data, for people
    evaluator: Evaluator
    options: Mapping[str, Any]
    records: Records
    length: Callable[[str], int]  # of a text, in tokens
    stops: Sequence[str]  # texts that end an answer


def list_predetermined(this: PlannedQuestions) -> Iterator[str]:
    """List what to know before the answers are there. Raises PlanError if no answer can be right."""
    rows = [read_question(row, this.records.format) for row in this.records.rows]
    if isinstance(this.evaluator, AnswerEvaluator):
        prompts = this.evaluator.list_prompts(this.records, this.options)
        yield from _note_unreachable(
            this, [prompt for prompt in prompts if prompt.answers != (this.options.get("abstain"),)]
        )
    yield from this.evaluator.describe_items(rows, this.options, this.where)
    yield from _note_constant(str(this.options["check"]), rows)


def _note_unreachable(this: PlannedQuestions, asks: Sequence[PromptItem]) -> Iterator[str]:
    """Note right answers that are longer than the limit, or contain a text that ends an answer."""
    if this.options["check"] not in TEXT_CHECKS:
        return
    most, exact = this.options["most"], this.options["check"] == "exact"
    needed = [min(map(this.length, ask.answers)) for ask in asks]
    if over := sum(tokens > most for tokens in needed):
        longest = max(needed)
        problem = f"{over:,} of {len(asks):,} right answers are longer than `most: {most}` tokens, up to {longest:,}"
        if exact and all(this.length(normalize_text(answer)) > most for ask in asks for answer in ask.answers):
            raise PlanError(f"{this.where}: {problem}, so no answer can be right; use `most: {longest + 1}`")
        yield f"{problem}; they will be cut"
    name = this.evaluator.name
    for stop in this.stops:
        held = sum(all(stop in answer for answer in ask.answers) for ask in asks)
        if held == len(asks) and exact:
            raise PlanError(
                f"evaluate: {name}: all right answers contain {stop!r}, which ends an answer; none can be right"
            )
        if held:
            yield f"{name}: {held:,} of {len(asks):,} right answers contain {stop!r}, which ends an answer"


def _note_constant(check: str, rows: Sequence[Row]) -> Iterator[str]:
    """Note an answer that is right for almost all questions."""
    if check not in (*TEXT_CHECKS, "numeric", "choice") or len(rows) < FROM:
        return
    right = Counter(key for row in rows for key in {read_meaning(answer, check) for answer in row["answers"]})
    (_, most), *_ = right.most_common(1)
    if most >= ALWAYS * len(rows):
        text = next(answer for row in rows for answer in row["answers"] if right[read_meaning(answer, check)] == most)
        share = f"{most:,} of {len(rows):,} held-out questions"
        yield f"{text[:40]!r} is right for {share}, so always saying it has an accuracy of {most / len(rows):.3f}"
