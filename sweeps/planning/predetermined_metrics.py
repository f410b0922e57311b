"""What is decided before anything is asked: a metric that will be the same whatever the model knows.

Such a number looks like a result. Where it must come out so it is refused; where it may, or for a part of the items,
the plan says so, with counts.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sweeps.errors import PlanError
from sweeps.metrics.matching import compared, meaning
from sweeps.records import Records, Row
from sweeps.rendering.prompts import PromptItem, build_prompts, read_question
from sweeps.spec.evaluation_section import SCORED_BY_TEXT

ALWAYS = 0.9  # of the items: what is right for so many is a baseline to be known
FROM = 5  # items: fewer may well be alike
UNTOLD = {
    "distractors": "distracted, mixed, distractor_robustness, false_answers, harmful_context"
}  # where none has it


class PlannedQuestions(NamedTuple):
    """Questions as an evaluation puts them, and how answers to them are written."""

    where: str  # for people: which evaluation, on which data
    name: str
    options: Mapping[str, Any]
    records: Records
    length: Callable[[str], int]  # of a text, in tokens
    stops: Sequence[str]  # texts that end an answer


def list_predetermined(this: PlannedQuestions) -> Iterator[str]:
    """What to know before the answers are there. Raises PlanError where no answer can be right, with what would be."""
    rows = [read_question(row, this.records.format) for row in this.records.rows]
    if this.options["check"] == "choice":
        yield from _of_choices(this.where, rows)
    else:
        how = {key: this.options[key] for key in ("abstain", "perturb") if key in this.options}
        asks = build_prompts(this.name, this.records, **how)
        yield from _never_said(this, [ask for ask in asks if ask.answers != (this.options.get("abstain"),)])
    if this.name == "rag":
        yield from _of_passages(rows)
    yield from _always_right(str(this.options["check"]), rows)


def _never_said(this: PlannedQuestions, asks: Sequence[PromptItem]) -> Iterator[str]:
    """Answers that are longer than may be written, or hold what ends one."""
    if this.options["check"] not in SCORED_BY_TEXT:
        return
    most, exact = this.options["most"], this.options["check"] == "exact"
    needed = [min(map(this.length, ask.answers)) for ask in asks]
    if over := sum(tokens > most for tokens in needed):
        longest = max(needed)
        found = f"{over:,} of {len(asks):,} right answers are longer than `most: {most}` tokens, up to {longest:,}"
        if exact and all(this.length(compared(answer)) > most for ask in asks for answer in ask.answers):
            raise PlanError(f"{this.where}: {found}, so none can be right; `most: {longest + 1}` is right")
        yield f"{found}; what is written is cut there"
    for stop in this.stops:
        held = sum(all(stop in answer for answer in ask.answers) for ask in asks)
        if held == len(asks) and exact:
            raise PlanError(
                f"evaluate: {this.name}: all right answers hold {stop!r}, which ends an answer; none can be right"
            )
        if held:
            yield f"{this.name}: {held:,} of {len(asks):,} right answers hold {stop!r}, which ends an answer"


def _of_choices(where: str, rows: Sequence[Row]) -> Iterator[str]:
    """Whatever is chosen is right, or two choices are one."""
    sure = sum({*row["candidates"]} <= {*row["answers"]} for row in rows)
    if sure == len(rows):
        raise PlanError(f"{where}: all candidates of every question are right, so any choice is; add wrong ones")
    if sure:
        yield f"of {sure:,} of {len(rows):,} questions all candidates are right, so any choice is"
    same = sum(len({compared(each) for each in row["candidates"]}) < len(row["candidates"]) for row in rows)
    if same:
        yield f"{same:,} of {len(rows):,} questions have candidates that differ in case, space or signs alone"


def _of_passages(rows: Sequence[Row]) -> Iterator[str]:
    """What is not measured, for the rows do not have what it takes."""
    read = [row for row in rows if "context" in row]
    for key, metrics in UNTOLD.items():
        if read and not any(row.get(key) for row in read):
            yield f"no question has {key}, so these are not measured: {metrics}"
    held = sum(row["answers"][0] in row["context"] for row in read)
    if held < len(read):
        yield f"{len(read) - held:,} of {len(read):,} passages do not hold the answer; faithfulness is of the others"


def _always_right(check: str, rows: Sequence[Row]) -> Iterator[str]:
    """What is right for almost all questions is so without being understood."""
    if check not in (*SCORED_BY_TEXT, "numeric", "choice") or len(rows) < FROM:
        return
    right = Counter(key for row in rows for key in {meaning(answer, check) for answer in row["answers"]})
    (_, most), *_ = right.most_common(1)
    if most >= ALWAYS * len(rows):
        text = next(answer for row in rows for answer in row["answers"] if right[meaning(answer, check)] == most)
        share = f"{most:,} of {len(rows):,} held-out questions"
        yield f"{text[:40]!r} is right for {share}: who always says that has an accuracy of {most / len(rows):.3f}"
