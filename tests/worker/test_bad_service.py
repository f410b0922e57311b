"""Every way in which the service can fail is simulated: nothing is lost, and nothing is charged wrongly."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scheduler.engine.breaker import Timing
from scheduler.engine.retry import Fault
from scheduler.state import keys
from sweeps.cost import Usage
from sweeps.stage import Stage
from tests.support import wait_until
from tests.tinker_offline.process import KEY, Control, Server
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import Attempt, make_stopped
from worker.held_lease import EndRequest
from worker.leases import Leases
from worker.maintenance.canary import Canaries
from worker.open_model import ALL_LAYERS
from worker.outcome import Failed, Outcome, Stopped, Succeeded
from worker.sdk.endpoints import Endpoint
from worker.sdk.session import Session

STALL = 4.0  # seconds: no process here is silent for so long, however busy the machine


@pytest.fixture
def impatient(workshop: Workshop, moody: Server) -> Iterator[Workshop]:
    """A worker that gives a silent service a few seconds."""
    leases = Leases(workshop.store, worker="w", threads=4, seconds=30, grace=3, about={}, stall=STALL)
    leases.start()
    endpoint = Endpoint(base_url=moody.url, api_key=KEY)
    context = replace(workshop.context, leases=leases, endpoint=lambda _: endpoint)
    yield Workshop(context, moody, workshop.folder)
    leases.stop()


def training(workshop: Workshop, name: str = "one", steps: int = 14) -> Stage:
    spec = SPEC.replace("sweep: one", f"sweep: {name}").replace("steps: 20", f"steps: {steps}") + "reuse: sweep\n"
    return next(stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train")


def row(workshop: Workshop, stage: Stage) -> dict[str, str]:
    return workshop.store.client.hgetall(keys.stage(stage.id))


def _has_checkpoint(workshop: Workshop, stage: Stage) -> bool:
    return workshop.store.read_assignment(stage.id).checkpoint is not None


def charged(workshop: Workshop, stage: Stage) -> dict[str, int]:
    return dict(workshop.store.read_assignment(stage.id).failures)


def again(workshop: Workshop, stage: Stage, sweep: str = "one") -> Any:
    workshop.store.client.hset(keys.stage(stage.id), "not_before", 0)
    return workshop.attempt(stage, sweep)


def same_bits(workshop: Workshop, stage: Stage, other: Stage) -> bool:
    ours, theirs = workshop.weights(stage), workshop.weights(other)
    return all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_storm_of_errors_drops_and_lost_replies_changes_nothing_but_time(
    impatient: Workshop, control: Control
) -> None:
    calm, stormy = training(impatient, "calm"), training(impatient, "stormy")
    assert isinstance(impatient.attempt(calm, "calm"), Succeeded)
    submits = ["forward_backward", "optim_step", "save_weights"]
    control.set(
        seed=3,
        rules=[
            {"on": submits, "share": 0.06, "answer": {"status": 429, "retry_after": 1}},
            {"on": submits, "share": 0.06, "answer": {"status": 503}},
            {"on": submits, "share": 0.06, "answer": {"status": 500}},
            {"on": submits, "share": 0.06, "drop": "before"},
            {"on": submits, "share": 0.06, "drop": "after"},
            {"on": "retrieve_future", "share": 0.05, "drop": "after"},
            {"on": "optim_step", "share": 0.1, "slow": 0.3},
        ],
    )
    assert isinstance(impatient.attempt(stormy, "stormy"), Succeeded)
    assert sum(control.hits()) > 5
    assert same_bits(impatient, calm, stormy)
    assert row(impatient, stormy)["attempt"] == "1"


@pytest.mark.parametrize("on", ["optim_step", "retrieve_future", "create_session"])
def test_a_bill_that_is_not_paid_stops_all_spending_at_once(impatient: Workshop, control: Control, on: str) -> None:
    stage = training(impatient)
    control.set(rules=[{"on": on, "answer": {"status": 402}}])
    outcome = impatient.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, row(impatient, stage)["state"], charged(impatient, stage)) == (Fault.ACCOUNT, "ready", {})
    assert impatient.store.dispatch(stage.id, sweep="one", patience=9).refused == "breaker", "all spending stops"
    assert Canaries(impatient.context, Timing()).run_due_canary("offline") is None, (
        "until a person has acted, no canary runs"
    )
    control.clear()
    impatient.store.scripts.run("resume_service", "offline")
    verdict = Canaries(impatient.context, Timing()).run_due_canary("offline")
    assert verdict is not None
    assert verdict.word == "healthy"
    assert isinstance(again(impatient, stage), Succeeded)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"on": "retrieve_future", "answer": {"status": 410}, "times": 1}, Fault.BROKEN),
        ({"on": "optim_step", "never": True, "times": 1}, Fault.STALLED),
        ({"on": "optim_step", "answer": {"status": 404}, "times": 1}, Fault.BROKEN),
    ],
    ids=["a broken promise", "a future that never ends", "a model that is gone"],
)
def test_what_the_service_loses_is_done_again_from_the_checkpoint_and_counted(
    impatient: Workshop, control: Control, rule: dict[str, Any], fault: Fault
) -> None:
    whole, stage = training(impatient, "whole"), training(impatient)
    assert isinstance(impatient.attempt(whole, "whole"), Succeeded)
    control.set(rules=[rule])
    outcome = impatient.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, charged(impatient, stage)) == (fault, {fault: 1})
    assert isinstance(again(impatient, stage), Succeeded)
    assert charged(impatient, stage) == {}, "a result forgives"
    assert same_bits(impatient, whole, stage)


@pytest.mark.parametrize("on", ["load_weights", "get_info"])
def test_a_model_that_is_lost_while_it_is_opened_costs_no_checkpoint(
    impatient: Workshop, control: Control, monkeypatch: pytest.MonkeyPatch, on: str
) -> None:
    """As when the service restarts just then: a 404, although the checkpoint still exists."""
    stage, steps = training(impatient), iter(range(14))
    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "stop_if_asked", lambda _: make_stopped(EndRequest.LEAVE) if next(steps) == 9 else None)
        assert isinstance(impatient.attempt(stage), Stopped)
    before = impatient.store.read_assignment(stage.id).checkpoint
    assert before is not None
    control.set(rules=[{"on": on, "answer": {"status": 404}, "times": 1}])
    outcome = impatient.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, impatient.store.read_assignment(stage.id).checkpoint) == (Fault.BROKEN, before)
    done = again(impatient, stage)
    assert isinstance(done, Succeeded)
    assert done.result["resumed_at"] == 9


def test_a_model_that_is_lost_while_it_is_opened_has_no_parent_trained_again(
    impatient: Workshop, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = impatient.submit(SPEC + "reuse: sweep\n").plan
    parent, child = sorted(plan.stages, key=lambda stage: stage.kind, reverse=True)
    with monkeypatch.context() as apart:
        apart.setattr(type(impatient.store), "list_evaluations", lambda *_: [])
        assert isinstance(impatient.attempt(parent), Succeeded)
    control.set(rules=[{"on": "load_weights", "answer": {"status": 404}, "times": 1}])
    outcome = impatient.attempt(child)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, impatient.state(parent)) == (Fault.BROKEN, "succeeded")
    assert isinstance(again(impatient, child), Succeeded)


def test_whether_a_checkpoint_is_there_is_not_guessed(
    impatient: Workshop, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, steps = training(impatient), iter(range(14))
    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "stop_if_asked", lambda _: make_stopped(EndRequest.LEAVE) if next(steps) == 9 else None)
        assert isinstance(impatient.attempt(stage), Stopped)
    before = impatient.store.read_assignment(stage.id).checkpoint
    rules = [{"on": "load_weights", "answer": {"status": 404}}, {"on": "weights_info", "answer": {"status": 503}}]
    control.set(rules=rules)
    outcome = impatient.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, impatient.store.read_assignment(stage.id).checkpoint) == (Fault.OUTAGE, before)


def test_a_request_that_is_refused_fails_the_stage_alone_and_at_once(impatient: Workshop, control: Control) -> None:
    stage = training(impatient)
    control.set(rules=[{"on": "forward_backward", "answer": {"status": 400}}])
    outcome = impatient.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, row(impatient, stage)["state"]) == (Fault.STAGE, "failed")
    (child,) = (evaluation for evaluation in impatient.store.list_evaluations(stage.id))
    assert impatient.store.client.hget(keys.stage(child), "state") == "skipped"


def test_a_pause_that_the_service_tells_of_is_no_stall(impatient: Workshop, control: Control) -> None:
    """Longer than the stall: the SDK's own hook is private, and this holds us to it."""
    stage = training(impatient, steps=60)
    control.set(pause={"from": 0.7, "for": 2 * STALL})
    assert isinstance(impatient.attempt(stage), Succeeded)
    assert row(impatient, stage)["attempt"] == "1"


def test_a_pause_waits_for_its_checkpoint_however_slow_the_service_is(impatient: Workshop, control: Control) -> None:
    """Longer than a stopping worker may take: there is no hurry, and what was paid for is kept."""
    leases = Leases(impatient.store, worker="calm", threads=1, seconds=3, grace=0.5, about={})
    leases.start()
    calm = Workshop(replace(impatient.context, leases=leases), impatient.tinker, impatient.folder)
    stage = training(calm)
    control.set(rules=[{"on": "optim_step", "slow": 1.5}])
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(calm.attempt(stage)))
    thread.start()
    wait_until(lambda: "progress" in row(calm, stage), "it trains")
    calm.store.scripts.run("pause_sweep", "one")
    calm.spread()
    thread.join(30)
    leases.stop()
    assert outcomes == [Stopped(cancelled=False, cause=str(EndRequest.YIELD), cost="exact")]
    checkpoint = calm.store.read_assignment(stage.id).checkpoint
    assert checkpoint is not None
    assert str(Usage.read(checkpoint["usage"]).tokens) == row(calm, stage)["tokens"], "all that was paid for is in it"


def test_a_creation_that_waits_for_room_is_no_stall_either(impatient: Workshop, control: Control) -> None:
    stage = training(impatient)
    other = Session(lambda: impatient.context.endpoint(""), {})
    other.create("offline/ngram-s", rank=8, seed=0, layers=ALL_LAYERS).wait(lambda: None)
    control.set(max_clients=1)
    leaving = threading.Timer(2 * STALL, other.close, args=("success",))
    leaving.start()
    assert isinstance(impatient.attempt(stage), Succeeded)
    assert row(impatient, stage)["attempt"] == "1"
    leaving.join()


def test_a_session_that_was_dropped_is_replaced(impatient: Workshop, control: Control, tmp_path: Path) -> None:  # noqa: ARG001
    stage = training(impatient, steps=400)
    rules = [{"on": "optim_step", "share": 0.02, "slow": 1.0}]
    control.set(rules=rules)

    def lose_patience() -> None:
        """Once there is something to lose."""
        wait_until(lambda: _has_checkpoint(impatient, stage), "a checkpoint", seconds=60)
        control.set(silence=0.5, rules=rules)

    losing = threading.Thread(target=lose_patience)
    losing.start()
    outcome = impatient.attempt(stage)
    losing.join()
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.BROKEN
    assert impatient.store.read_assignment(stage.id).checkpoint, "its checkpoints are still there"
