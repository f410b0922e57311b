"""The evaluator `clustering`: do items that a model takes for alike belong together? There is no vector: see below.

The service embeds nothing, so the likeness of two items is read from log-probabilities, by forward passes: two are
alike if the model gives the candidates similar probabilities behind both. Names of clusters do not matter, so no
candidate has to be right first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sweeps.evaluation.evaluator import Measured, Metric, Options, average
from sweeps.evaluation.forward_evaluator import ForwardEvaluator, Passes
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics.grouping import group_profiles, split_adjusted_rand
from sweeps.records import Records
from sweeps.rendering.prompts import list_choices

MOST = 1000  # items: the likeness of every two is held in memory


class Clustering(ForwardEvaluator):
    """Items are grouped by the probabilities of their candidates, into as many groups as there are right answers."""

    name = "clustering"
    metrics = (Metric("adjusted_rand", "higher", (-0.5, 1.0)),)
    formats = ("questions",)
    data = "questions that all have the same candidates"

    def identify(self, options: Options) -> dict[str, Any]:
        return {}

    def list_inputs(self, records: Records) -> Records:
        """Return every candidate behind its prompt."""
        return list_choices(records)[0]

    def find_missing(self, records: Records, options: Options) -> str:
        sets = {frozenset(row.get("candidates", ())) for row in records.rows}
        if len(sets) != 1 or sets == {frozenset()}:
            return "candidates that are the same for all of them"
        if len({row["answers"][0] for row in records.rows}) < 2:
            return "two different right answers or more"
        return "" if len(records) <= MOST else f"{MOST:,} items at most"

    def measure(self, passes: Passes, options: Options) -> Measured:
        rows = score_clusters(passes.load_items(), passes.log_likelihoods)
        return Measured(average(rows, self.metrics), rows)


def score_clusters(records: Records, log_likelihoods: Sequence[float]) -> list[ItemRow]:
    """Group the items whose candidates have these log-probabilities, and compare the groups with the right answers."""
    names = sorted(records.rows[0]["candidates"])
    values = np.asarray(log_likelihoods, float).reshape(len(records), len(names))
    order = np.array([[row["candidates"].index(name) for name in names] for row in records.rows])
    sorted_values = np.take_along_axis(values, order, axis=1)
    shares = np.exp(sorted_values - sorted_values.max(axis=1, keepdims=True))
    right = [row["answers"][0] for row in records.rows]
    groups = group_profiles(shares / shares.sum(axis=1, keepdims=True), len({*right})).tolist()
    parts = split_adjusted_rand(right, groups)
    return [
        ItemRow(item, {"adjusted_rand": part}, details={"belongs": right[item], "grouped": groups[item]})
        for item, part in enumerate(parts)
    ]


EVALUATOR = CLUSTERING = Clustering()
