"""The checks of refusals, by hand: each is a mean over its own denominator, and says nothing of the other answers."""

from collections.abc import Callable, Sequence

import pytest

from sweeps.metrics.abstention import accuracy, precision, recall
from sweeps.metrics.verdicts import NOT_APPLICABLE

# Five questions, of which two have no answer: one refusal is right, one is not, and one question should be refused.
CASES = [("unknown", ["unknown"]), ("7", ["unknown"]), ("Unknown.", ["5"]), ("5", ["5", "five"]), ("6", ["5"])]
Check = Callable[[str, Sequence[str]], bool | str]


@pytest.mark.parametrize(
    ("check", "verdicts"),
    [
        (precision, [True, NOT_APPLICABLE, False, NOT_APPLICABLE, NOT_APPLICABLE]),
        (recall, [True, False, NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE]),
        (accuracy, [NOT_APPLICABLE, False, NOT_APPLICABLE, True, False]),
    ],
    ids=["precision 1/2", "recall 1/2", "accuracy 1/3"],
)
def test_each_check_judges_the_answers_that_it_is_about(check: Check, verdicts: list[bool | str]) -> None:
    assert [check(answer, answers) for answer, answers in CASES] == verdicts
