"""Questions are answered as planned: metered to the token, the same when asked again, and kept item by item."""

from typing import Any

import numpy as np
import pytest

from scheduler.engine.tick import take_back
from scheduler.state import keys
from scheduler.state.costs import read_costs
from sweeps.evaluation.answers import CLASSIFIED
from sweeps.spec.parse import parse
from tests.worker.results import count_at_service, read_items, read_result, read_usage
from tests.worker.specs import ANSWERS_SPEC, submit_and_train
from tests.worker.workshop import Workshop
from worker.held_lease import LeaseLost
from worker.outcome import Succeeded
from worker.sdk.sampler import Sampler

EVALUATIONS = {
    "greedy": "{answers: {most: 6}}",
    "several": "{answers: {samples: 3, most: 5, check: f1}}",
    "choice": "{answers: {check: choice}}",
    "reliability": "{reliability: {most: 6, perturb: [typos]}}",
    "rag": "{rag: {most: 8}}",
}


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_metered_within_the_estimate_and_the_same_when_asked_again(workshop: Workshop, kind: str) -> None:
    stages = submit_and_train(workshop, EVALUATIONS[kind])
    assert read_usage(workshop, *stages) == count_at_service(workshop)
    for costs in read_costs(workshop.store, "one").kinds:
        assert (costs.reserved, costs.unreconciled) == (0, 0)
        assert costs.low is not None
        assert costs.high is not None
        assert costs.low <= costs.metered <= costs.high
    again = submit_and_train(workshop, EVALUATIONS[kind], "again")
    items = read_items(workshop, stages[1])
    assert items == read_items(workshop, again[1])
    assert [row["item"] for row in items] == list(range(12))
    metrics: Any = read_result(workshop, stages[1])["metrics"]
    measured = set(parse(ANSWERS_SPEC.replace("EVALUATION", EVALUATIONS[kind])).evaluate[0].metrics)
    undefined = measured - set(metrics)
    assert set(metrics) <= measured, "what is announced is measured, and nothing else"
    allowed = {
        "choice": {"majority", *CLASSIFIED},
        "rag": {"abstention_precision", "harmful_context", "distractor_robustness"},
    }
    assert undefined <= allowed.get(kind, {"majority"}), "these twelve questions have no classes"
    together = {"ece", "adaptive_ece", "aurc", "selective_accuracy", "utilisation"}
    for metric in set(metrics) - together:
        assert metrics[metric] == pytest.approx(np.mean([row[metric] for row in items])), (
            "a metric is the mean of its items"
        )


def test_an_evaluation_that_was_lost_halfway_is_repeated_to_the_same_items(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = submit_and_train(workshop, EVALUATIONS["several"], "whole")[1]
    write, asked = Sampler.write, iter(range(100))

    def until_lost(sampler: Sampler, *words: Any, **more: Any) -> Any:
        if next(asked) == 7:
            raise LeaseLost("gone")
        return write(sampler, *words, **more)

    monkeypatch.setattr(Sampler, "write", until_lost)
    lost = submit_and_train(workshop, EVALUATIONS["several"])[1]
    assert workshop.state(lost) == "running"
    monkeypatch.setattr(Sampler, "write", write)
    workshop.store.client.zadd(keys.state("running"), {lost.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    assert isinstance(workshop.attempt(lost), Succeeded)
    assert read_items(workshop, lost) == read_items(workshop, whole)


def test_profit_and_loss_is_told_of_the_episodes_of_a_market(workshop: Workshop) -> None:
    stage = submit_and_train(workshop, "{task_completion: {environment: 'offline:market', episodes: 4}}")[1]
    metrics: Any = read_result(workshop, stage)["metrics"]
    rows = read_items(workshop, stage)
    assert len(rows) == 4
    for name in ("return", "sharpe", "drawdown", "hold_return"):
        assert metrics[f"episode.{name}"] == pytest.approx(np.mean([row[name] for row in rows]))
