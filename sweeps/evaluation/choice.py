"""The evaluator `answers` with `check: choice`: which of a question's candidates the model holds for the likeliest."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from sweeps.errors import PlanError
from sweeps.evaluation.classes import CLASS_METRICS, add_classes, average_classes, list_undefined
from sweeps.evaluation.confidence import CALIBRATION_METRICS, calibrate, state_confidence
from sweeps.evaluation.evaluator import Measured, Metric, Options, Unmeasurable, average
from sweeps.evaluation.forward_evaluator import ForwardEvaluator, Passes
from sweeps.evaluation.item_rows import ItemRow, cluster_by_passage
from sweeps.evaluation.majority import MAJORITY, add_majority
from sweeps.metrics import ranking
from sweeps.metrics.matching import normalize_text
from sweeps.records import Records, Row
from sweeps.rendering.prompts import list_choices

CHANCE = "chance"  # the share of right candidates, which is what guessing scores
CHANCE_MRR, CHANCE_NDCG = "chance_mrr", "chance_ndcg"  # what an order by chance has on average


class Choice(ForwardEvaluator):
    """Every candidate is passed behind its prompt; the model writes nothing."""

    name = "answers"
    metrics = (
        Metric("accuracy", "higher", law=True, guessed=CHANCE),
        *CALIBRATION_METRICS,
        Metric("mrr", "higher", guessed=CHANCE_MRR),
        Metric("ndcg", "higher", guessed=CHANCE_NDCG),
        *(Metric(name, fixed=True, detail=True) for name in (CHANCE, CHANCE_MRR, CHANCE_NDCG)),
        Metric(MAJORITY, fixed=True, detail=True),
        *CLASS_METRICS,
    )
    formats = ("questions", "completion")
    data = "questions or prompt/completion"

    def identify(self, options: Options) -> dict[str, Any]:
        return {"check": "choice"}

    def list_inputs(self, records: Records) -> Records:
        """Return every candidate behind its prompt."""
        return list_choices(records)[0]

    def find_missing(self, records: Records, options: Options) -> str:
        if all("candidates" in row for row in records.rows):
            return ""
        return "candidates for each of them (the same for all rows: `columns: {candidates: [yes, no]}`)"

    def list_unmeasurable(self, records: Records, named: Collection[str]) -> Iterator[Unmeasurable]:
        return list_undefined(records.rows, named)

    def find_errors(self, options: Options) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for key in ("samples", "temperature", "most"):
            if key in options:
                yield (key,), "found beside `check: choice`, where the model writes nothing; leave it out"

    def describe_items(self, rows: Sequence[Row], options: Options, where: str) -> Iterator[str]:
        sure = sum({*row["candidates"]} <= {*row["answers"]} for row in rows)
        if sure == len(rows):
            raise PlanError(f"{where}: all candidates of every question are right; add wrong ones")
        if sure:
            yield f"all candidates are right for {sure:,} of {len(rows):,} questions"
        same = sum(len({normalize_text(text) for text in row["candidates"]}) < len(row["candidates"]) for row in rows)
        if same:
            yield f"{same:,} of {len(rows):,} questions have candidates that differ in case, space or signs alone"

    def measure(self, passes: Passes, options: Options) -> Measured:
        records, sums = passes.load_items(), iter(passes.log_likelihoods)
        clusters = cluster_by_passage([row.get("context") for row in records.rows])
        chosen = [
            choose(
                item,
                list(islice(sums, len(row["candidates"]))),
                [candidate in row["answers"] for candidate in row["candidates"]],
                clusters[item],
            )
            for item, row in enumerate(records.rows)
        ]
        right = [[text for text in row["candidates"] if text in row["answers"]] for row in records.rows]
        rows = add_classes(add_majority(chosen, dict(enumerate(right)), "choice"), records.rows)
        return Measured({**average(rows, self.metrics), **calibrate(rows), **average_classes(rows)}, rows)


def choose(item: int, logprobs: Sequence[float], right: Sequence[bool], cluster: str | None = None) -> ItemRow:
    """Score the item whose candidates have these log-probabilities."""
    values = np.asarray(logprobs, float)
    shares = np.exp(values - values.max())
    best = max((place for place, is_right in enumerate(right) if is_right), key=lambda place: values[place])
    first = ranking.is_first(values, best)
    measured = {
        "accuracy": first,
        "mrr": ranking.reciprocal_rank(values, best),
        CHANCE: sum(right) / len(right),
        CHANCE_MRR: ranking.expect_reciprocal_rank(len(right), sum(right)),
        CHANCE_NDCG: ranking.expect_ndcg(len(right), sum(right)),
        **state_confidence(float(shares.max() / shares.sum()), first),
    }
    ndcg = ranking.ndcg(values, [float(is_right) for is_right in right])
    measured |= {} if ndcg is None else {"ndcg": ndcg}
    return ItemRow(item, measured, cluster, {"logprobs": values.tolist()})


CHOICE = Choice()
