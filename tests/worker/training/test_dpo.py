"""DPO learns what pairs prefer, and nothing from random preferences; a resume continues to the same bits."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from scheduler.engine.tick import take_back
from scheduler.state import keys
from scheduler.state.costs import read_costs
from sweeps.cost import Rates, Usage
from sweeps.data.generated_preferences import generate_pairs
from sweeps.stage import Plan, Stage
from tests.support import read_log
from tests.worker.long_runs import LONG
from tests.worker.results import count_at_service, list_service_usage, read_result, read_usage, watch_reservation
from tests.worker.workshop import Workshop, same, tokens
from worker.held_lease import EndRequest, LeaseLost
from worker.outcome import Lost, Orphaned, Stopped, Succeeded

SPEC = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: dpo, rank: 8, learning_rate: 0.02, schedule: cosine, warmup: 3, batch_size: 8, steps: 20}
data: {pairs: {source: pairs.jsonl, holdout: 16}}
seeds: 1
evaluate: [preference]
checkpoint: {every_steps: 6}
reuse: sweep
"""
AT = (0, 7, 19)  # a stop before the first step, behind a checkpoint, and before the last step
FEW = 80  # pairs in a file: enough to be stopped in
T_2 = 4.303  # Student's t with 2 degrees of freedom, for 95 %


def submitted(workshop: Workshop, name: str = "one", spec: str = SPEC) -> Plan:
    rows = generate_pairs("preferences").train[:FEW]
    (workshop.folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return workshop.submit(spec.replace("sweep: one", f"sweep: {name}")).plan


def referenced(workshop: Workshop, name: str) -> tuple[Stage, Stage]:
    """The reference, measured, and the training that needs it."""
    plan = submitted(workshop, name)
    reference, train = plan.stages[:2]
    assert isinstance(workshop.attempt(reference, name), Succeeded)
    return reference, train


def logprobs(workshop: Workshop, reference: Stage) -> list[float]:
    content = workshop.artefacts.read(str(read_result(workshop, reference)["logprobs"]))
    values: list[float] = np.load(io.BytesIO(content)).tolist()
    return values


def forget(workshop: Workshop, reference: Stage) -> None:
    """Somebody tidied up the artefact store."""
    path = Path(workshop.artefacts.url) / str(read_result(workshop, reference)["logprobs"])
    path.unlink()


@pytest.mark.parametrize("at", AT)
def test_stopped_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost], at: int) -> None:
    (_, whole), (_, parted) = referenced(workshop, "whole"), referenced(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [EndRequest.NOTHING] * at + [EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, parted) == tokens(workshop, whole) == whole.tokens


@pytest.mark.parametrize("at", [0, 15], ids=["before the first step", "behind a checkpoint"])
def test_lost_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost], at: int) -> None:
    """Killed between the reference pass and the first step, or in the midst: the reference is read, not made again."""
    (_, whole), (reference, parted) = referenced(workshop, "whole"), referenced(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [*[EndRequest.NOTHING] * at, LeaseLost()]
    assert isinstance(workshop.attempt(parted, "parted"), Lost)
    workshop.store.client.zadd(keys.state("running"), {parted.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, reference) == reference.tokens


def test_a_reference_that_is_gone_is_measured_again_where_the_training_began(
    workshop: Workshop, stops: list[EndRequest | LeaseLost]
) -> None:
    """Between two attempts, when the weights have long moved: the same numbers come back, and the same bits follow."""
    (_, whole), (reference, parted) = referenced(workshop, "whole"), referenced(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    before = logprobs(workshop, reference)
    stops[:] = [*[EndRequest.NOTHING] * 13, EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    forget(workshop, reference)
    assert isinstance(workshop.attempt(parted, "parted"), Orphaned)
    assert (workshop.state(reference), workshop.state(parted)) == ("ready", "waiting")
    notes = [row["detail"] for row in read_log(workshop.store.client)]
    assert any(reference.id in note and "gone" in note for note in notes)
    assert isinstance(workshop.attempt(reference, "parted"), Succeeded)
    assert logprobs(workshop, reference) == before
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    assert read_result(workshop, parted)["resumed_at"] == 13
    same(workshop, whole, parted)


def test_the_first_step_sees_no_preference_and_each_step_sees_the_one_before(workshop: Workshop) -> None:
    """On one batch again and again the loss falls from log 2 at every step."""
    spec = SPEC.replace("batch_size: 8, steps: 20", "batch_size: 2048, steps: 3").replace("warmup: 3", "warmup: 0")
    plan = submitted(workshop, spec=spec)
    for stage in plan.stages[:2]:
        assert isinstance(workshop.attempt(stage), Succeeded)
    rows = [json.loads(line) for line in workshop.metrics(plan.stages[1]).splitlines()]
    assert rows[0]["dpo_loss"] == pytest.approx(np.log(2), abs=1e-6)
    assert (rows[0]["margin"], rows[0]["kl"]) == pytest.approx((0, 0), abs=1e-5)
    losses = [row["dpo_loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.6


CHAIN = """
sweep: one
experiment: transfer
model: offline/ngram-s
train: {method: dpo, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 6}
data:
  coin: {source: "offline:preferences_null", holdout: 8}
  style: {source: "offline:preferences", holdout: 8}
sources: [coin]
targets: [style]
source_size: 32
sizes: [32]
seeds: 1
evaluate: [preference]
"""


def test_what_continues_a_training_begins_at_where_that_ended(workshop: Workshop) -> None:
    """Against the base it would begin with what its parent has moved."""
    plan = submitted(workshop, spec=CHAIN)
    everything(workshop, plan)
    assert {workshop.state(stage) for stage in plan.stages} == {"succeeded"}
    parent, child = (stage for stage in plan.stages if stage.kind == "train" and stage.label.startswith("data=coin"))
    assert (parent.recipe["parent"], child.recipe["parent"]) == (None, parent.id)
    last, first = (json.loads(workshop.metrics(stage).splitlines()[at]) for stage, at in ((parent, -1), (child, 0)))
    assert last["kl"] > 1e-3
    assert first["kl"] == pytest.approx(0, abs=1e-9)
    assert first["dpo_loss"] == pytest.approx(np.log(2), abs=1e-5)
    assert read_usage(workshop, *plan.stages) == count_at_service(workshop)


def test_tokens_of_every_kind_are_those_that_the_service_counted(workshop: Workshop) -> None:
    plan = submitted(workshop)
    everything(workshop, plan)
    assert read_usage(workshop, *plan.stages) == count_at_service(workshop)
    assert count_at_service(workshop).tokens == plan.totals.tokens == plan.totals.low_tokens
    kinds = read_costs(workshop.store, "one").kinds
    assert [kind.low for kind in kinds] == [kind.metered for kind in kinds] == [kind.high for kind in kinds]
    assert [(kind.reserved, kind.unreconciled) for kind in kinds] == [(0, 0), (0, 0)]


def test_what_looks_and_what_moves_are_metered_as_the_service_bills_each(workshop: Workshop) -> None:
    _, train = referenced(workshop, "one")
    rates = Rates(400_000, 130_000, forward="prefill")
    workshop.store.client.hset(keys.stage(train.id), "rates", json.dumps(rates.document()))
    assert isinstance(workshop.attempt(train), Succeeded)
    half = train.tokens // 2
    assert read_usage(workshop, train) == Usage(training=half, prefill=half)


def test_nothing_is_submitted_that_the_reservation_does_not_cover(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, train = referenced(workshop, "one")
    workshop.store.client.hset(keys.stage(train.id), "estimate", round((train.micro_usd or 0) * 0.6))
    beyond = watch_reservation(monkeypatch, workshop, train.id)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert max(beyond) <= 0
    assert len(beyond) == 2 * train.steps
    assert len(list_service_usage(workshop)) == 2


LEARNING = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: dpo, rank: 16, learning_rate: 0.01, batch_size: 32, steps: 60}
data: {pairs: {source: "offline:preferences", holdout: 512}}
seeds: 3
evaluate: [preference]
"""


def everything(workshop: Workshop, plan: Plan) -> None:
    for stage in plan.stages:
        if workshop.state(stage) != "succeeded":
            assert isinstance(workshop.attempt(stage), Succeeded)


def held_out(workshop: Workshop, spec: str) -> tuple[float, float]:
    """The mean of preference accuracy over three seeds, and half of its 95 % interval."""
    plan = submitted(workshop, spec=spec)
    everything(workshop, plan)
    stages = {stage.id: stage for stage in plan.stages}
    measured = [read_result(workshop, stages[run.measures["preference"]])["metrics"] for run in plan.runs]
    accuracies = [float(str(metrics["preference_accuracy"])) for metrics in measured if isinstance(metrics, dict)]
    assert len(accuracies) == 3
    return float(np.mean(accuracies)), T_2 * float(np.std(accuracies, ddof=1)) / 3**0.5


@LONG
@pytest.mark.timeout(180)
def test_held_out_preferences_are_learnt_beyond_the_interval(workshop: Workshop) -> None:
    mean, half = held_out(workshop, LEARNING)
    assert mean - half >= 0.8, "from 0.5, where every training begins"


@LONG
@pytest.mark.timeout(180)
def test_what_a_coin_has_chosen_teaches_nothing(workshop: Workshop) -> None:
    """The same texts; the interval of a proportion of 512 is as wide as that."""
    mean, _ = held_out(workshop, LEARNING.replace("offline:preferences", "offline:preferences_null"))
    assert abs(mean - 0.5) < 0.045
