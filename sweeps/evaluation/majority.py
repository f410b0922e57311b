"""What always giving the commonest right answer scores: what a model has to beat before it has learnt anything."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeps.evaluation.evaluator_options import TEXT_CHECKS
from sweeps.evaluation.item_rows import COMMONEST, ItemRow
from sweeps.metrics.matching import read_meaning

MAJORITY = "majority"
COMPARABLE = (*TEXT_CHECKS, "numeric", "choice")  # checks by which two right answers can be the same
LEAST = 0.1  # of the items: if no answer is right for so many, the questions have no classes
FROM = 20  # items: of fewer, any answer is right for a tenth


def add_majority(rows: Sequence[ItemRow], right: Mapping[int, Sequence[str]], check: str) -> Sequence[ItemRow]:
    """Add to each row whether the commonest right answer is right for it; and to the first what that answer is."""
    if check not in COMPARABLE or len(right) < FROM:
        return rows
    meanings = {item: {read_meaning(text, check) for text in answers} for item, answers in right.items()}
    counts = Counter(meaning for group in meanings.values() for meaning in group)
    commonest, count = counts.most_common(1)[0]
    if count < LEAST * len(right):
        return rows
    text = next(text for answers in right.values() for text in answers if read_meaning(text, check) == commonest)
    return [
        replace(
            row,
            values={**row.values, MAJORITY: float(commonest in meanings[int(row.item)])},
            details={**row.details, COMMONEST: text} if place == 0 else row.details,
        )
        for place, row in enumerate(rows)
    ]
