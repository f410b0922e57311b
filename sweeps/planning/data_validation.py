"""Check data against what is asked of it: methods and evaluations that suit it, and enough examples."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.errors import PlanError
from sweeps.metrics.numbers import number_in
from sweeps.records import Dataset, Records
from sweeps.rendering.prompts import ASKED, list_variants, read_question
from sweeps.spec.evaluation_section import Evaluation

PAIRS = "preference pairs (prompt, chosen, rejected) are"
OTHERS = "chat, prompt/completion or text is"


def refuse_unsuited(dataset: Dataset, method: str | None, evaluations: Iterable[Evaluation]) -> None:
    """Raise PlanError where a method, or an evaluation, cannot do anything with the records."""
    form, where = dataset.train.format, f"data.{dataset.name} ({dataset.source})"
    measured = [each for each in evaluations if each.name != "task_completion"]
    for what, asked in (("method", method), *(("evaluate", each.name) for each in measured)):
        if asked is not None and not is_suited(asked, form):
            said = f"{where}: {form} records found; {_right(asked)} right for `{what}: {asked}`"
            other = f"; pairs go with `{what}: {'dpo' if what == 'method' else '[preference]'}`"
            raise PlanError(said + (other if form == "preference" else ""))
    for each in measured:
        if missing := find_missing(each.name, each.options, select_records(dataset, each)):
            raise PlanError(f"{where}: the held-out questions lack {missing}, which `evaluate: {each.name}` needs")


def is_suited(asked: str, form: str) -> bool:
    """Can a method, or an evaluation, do anything with records of this format?"""
    if asked in ASKED:
        return form == "questions" or (asked == "answers" and form == "completion")
    return (asked in ("dpo", "preference")) == (form == "preference")


def _right(asked: str) -> str:
    if asked in ASKED:
        return "questions (question, answer) are" if asked != "answers" else "questions or prompt/completion are"
    return PAIRS if asked in ("dpo", "preference") else OTHERS


def select_records(dataset: Dataset, evaluation: Evaluation) -> Records:
    """What an evaluation is about: only where the context is what is varied, more than training reads."""
    return dataset.whole if evaluation.name == "rag" and dataset.whole is not None else dataset.holdout


def refuse_too_large(sizes: Mapping[str, set[int]], datasets: Mapping[str, Dataset]) -> None:
    """Raise PlanError naming every data set that has fewer examples than are asked of it."""
    found = []
    for name, asked in sizes.items():
        dataset = datasets[name]
        over = sorted(size for size in asked if size > len(dataset.train))
        if over:
            said = (
                f"{len(dataset.train):,} training examples found, {', '.join(f'{size:,}' for size in over)} asked for"
            )
            account = f" ({dataset.account})" if dataset.account else ""
            found.append(f"data.{name} ({dataset.source}): {said}{account}; at most what there is is right")
    if found:
        raise PlanError("\n".join(found))


def find_missing(name: str, options: Mapping[str, Any], records: Records) -> str:
    """What the records do not have and an evaluation needs; nothing where they can be asked."""
    if name not in ASKED:
        return ""
    answers = [answer for row in records.rows for answer in read_question(row, records.format)["answers"]]
    found = {
        "candidates for each of them": options.get("check") == "choice"
        and not all("candidates" in row for row in records.rows),
        "numbers as answers": options.get("check") == "numeric"
        and any(number_in(answer) is None for answer in answers),
        "regular expressions as answers": options.get("check") == "regex" and not all(map(_is_pattern, answers)),
        "variants, other words for a question": name == "reliability"
        and not any(list_variants(row, options.get("perturb", ())) for row in records.rows),
        "a context that they can be answered by": name == "rag" and not any("context" in row for row in records.rows),
    }
    return next((what for what, is_lacking in found.items() if is_lacking), "")


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True
