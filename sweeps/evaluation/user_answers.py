"""Whether the right answers in the user's records can be checked as the spec asks."""

import re

from sweeps.evaluation.evaluator import Options
from sweeps.metrics.numbers import find_number
from sweeps.records import Records
from sweeps.rendering.prompts import read_question


def find_unusable_answers(records: Records, options: Options) -> str:
    """Say what the answers would have to be for the check; nothing if they are."""
    answers = [answer for row in records.rows for answer in read_question(row, records.format)["answers"]]
    if options.get("check") == "numeric" and any(find_number(answer) is None for answer in answers):
        return "numbers as answers"
    if options.get("check") == "regex" and not all(map(_is_pattern, answers)):
        return "regular expressions as answers"
    return ""


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True
