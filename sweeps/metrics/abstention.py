"""Does a model refuse to answer when it should? These functions are checks for a spec.

Write `refuses: {answers: {check: "sweeps.metrics.abstention:precision"}}`. An answer is a refusal if it is the word
`unknown`; refusing is right if that word is among the right answers. Each check says `not applicable` of the answers
that are outside its denominator.
"""

from collections.abc import Sequence

from sweeps.metrics.matching import exact_match
from sweeps.metrics.verdicts import NOT_APPLICABLE

UNKNOWN = "unknown"


def precision(answer: str, answers: Sequence[str]) -> bool | str:
    """Judge refusals only: whether refusing is right. The mean is the share of refusals that are right."""
    return _is_refusal(*answers) if _is_refusal(answer) else NOT_APPLICABLE


def recall(answer: str, answers: Sequence[str]) -> bool | str:
    """Judge the questions that have no answer only: whether it is a refusal. The mean is the share that is refused."""
    return _is_refusal(answer) if _is_refusal(*answers) else NOT_APPLICABLE


def accuracy(answer: str, answers: Sequence[str]) -> bool | str:
    """Judge real answers only: whether one is right. The mean is the share of answers that are right."""
    return NOT_APPLICABLE if _is_refusal(answer) else bool(exact_match(answer, *answers))


def _is_refusal(*texts: str) -> bool:
    return any(exact_match(text, UNKNOWN) for text in texts)
