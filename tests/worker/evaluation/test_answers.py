"""Questions are answered as planned: metered to the token, the same when asked again, and kept item by item."""

from typing import Any

import numpy as np
import pytest

from scheduler.artefacts import rows_of
from scheduler.engine.tick import take_back
from scheduler.state import keys
from scheduler.state.costs import costs
from sweeps.spec.model import parse
from sweeps.spec.sections import metrics_of
from sweeps.stage import Stage
from tests.worker.test_money import counted, said
from tests.worker.training.test_dpo import result
from tests.worker.workshop import Workshop
from worker.leases import LeaseLost
from worker.outcome import Succeeded
from worker.sdk.sampler import Sampler

SPEC = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 6}
data: {facts: {source: "offline:facts", holdout: 12}}
seeds: 1
evaluate: [EVALUATION]
reuse: sweep
"""
EVALUATIONS = {
    "greedy": "{answers: {most: 6}}",
    "several": "{answers: {samples: 3, most: 5, check: f1}}",
    "choice": "{answers: {check: choice}}",
    "reliability": "{reliability: {most: 6, perturb: [typos]}}",
    "rag": "{rag: {most: 8}}",
}


def answered(workshop: Workshop, evaluation: str, name: str = "one") -> list[Stage]:
    spec = SPEC.replace("EVALUATION", evaluation).replace("sweep: one", f"sweep: {name}")
    stages = list(workshop.submit(spec).plan.stages)
    assert isinstance(workshop.attempt(stages[0], name), Succeeded)
    return stages


def items(workshop: Workshop, stage: Stage) -> list[Any]:
    return list(rows_of(workshop.artefacts.read(str(result(workshop, stage)["items"]))))


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_metered_within_the_estimate_and_the_same_when_asked_again(workshop: Workshop, kind: str) -> None:
    stages = answered(workshop, EVALUATIONS[kind])
    assert said(workshop, *stages) == counted(workshop)
    for each in costs(workshop.store, "one").kinds:
        assert (each.reserved, each.doubtful) == (0, 0)
        assert each.low is not None
        assert each.high is not None
        assert each.low <= each.metered <= each.high
    again = answered(workshop, EVALUATIONS[kind], "again")
    found = items(workshop, stages[1])
    assert found == items(workshop, again[1])
    assert [row["item"] for row in found] == list(range(12))
    told: Any = result(workshop, stages[1])["metrics"]
    measured = set(metrics_of(parse(SPEC.replace("EVALUATION", EVALUATIONS[kind])).evaluate[0]))
    undefined = measured - set(told)
    assert set(told) <= measured, "what is announced is measured, and nothing else"
    assert undefined <= (
        {"abstention_precision", "harmful_context", "distractor_robustness"} if kind == "rag" else set()
    )
    together = {"ece", "adaptive_ece", "aurc", "selective_accuracy", "utilisation"}
    for metric in set(told) - together:
        assert told[metric] == pytest.approx(np.mean([row[metric] for row in found])), (
            "a metric is the mean of its items"
        )


def test_an_evaluation_that_was_lost_halfway_is_repeated_to_the_same_items(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = answered(workshop, EVALUATIONS["several"], "whole")[1]
    write, asked = Sampler.write, iter(range(100))

    def until_lost(sampler: Sampler, *words: Any, **more: Any) -> Any:
        if next(asked) == 7:
            raise LeaseLost("gone")
        return write(sampler, *words, **more)

    monkeypatch.setattr(Sampler, "write", until_lost)
    lost = answered(workshop, EVALUATIONS["several"])[1]
    assert workshop.state(lost) == "running"
    monkeypatch.setattr(Sampler, "write", write)
    workshop.store.client.zadd(keys.state("running"), {lost.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    assert isinstance(workshop.attempt(lost), Succeeded)
    assert items(workshop, lost) == items(workshop, whole)


def test_profit_and_loss_is_told_of_the_episodes_of_a_market(workshop: Workshop) -> None:
    stage = answered(workshop, "{task_completion: {environment: 'offline:market', episodes: 4}}")[1]
    told: Any = result(workshop, stage)["metrics"]
    rows = items(workshop, stage)
    assert len(rows) == 4
    for name in ("return", "sharpe", "drawdown", "hold_return"):
        assert told[f"episode.{name}"] == pytest.approx(np.mean([row[name] for row in rows]))
