"""A training stopped anywhere and resumed applies each batch once: the same weights and moments, to the bit."""

import re
from typing import Any

import numpy as np
import pytest

from scheduler.engine.retry import Fault
from scheduler.engine.tick import take_back
from scheduler.state import keys
from scheduler.state.events import read_stage_events
from sweeps.stage import Stage
from tests.tinker_offline.process import Server
from tests.worker.workshop import SPEC, Workshop, same, tokens
from worker.held_lease import EndRequest, LeaseLost
from worker.outcome import Failed, Lost, Orphaned, Stopped, Succeeded

AT = (1, 6, 7, 19)  # a stop at the first step, at a checkpoint, behind one, and before the last step


def train_stage(workshop: Workshop, name: str) -> Stage:
    """The same training under a name of its own, so that nothing is shared."""
    plan = workshop.submit(SPEC.replace("sweep: one", f"sweep: {name}") + "reuse: sweep\n").plan
    return next(stage for stage in plan.stages if stage.kind == "train")


@pytest.mark.parametrize("at", AT)
def test_stopped_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost], at: int) -> None:
    """A stop on request saves where it stands: not one step is done twice."""
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [EndRequest.NOTHING] * at + [EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert workshop.state(parted) == "ready"
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, parted) == tokens(workshop, whole)


def test_lost_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost]) -> None:
    """An attempt that dies at step 15 is gone on with from its checkpoint at 12, and writes nothing more itself."""
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [*[EndRequest.NOTHING] * 15, LeaseLost()]
    assert isinstance(workshop.attempt(parted, "parted"), Lost)
    assert workshop.state(parted) == "running"  # the store does not know: the lease must expire
    workshop.store.client.zadd(keys.state("running"), {parted.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    checkpoint = workshop.store.read_assignment(parted.id).checkpoint
    assert checkpoint is not None
    assert checkpoint["step"] == 12
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)


@pytest.mark.parametrize("gone", [1, 2])
def test_a_checkpoint_that_is_gone_is_replaced_by_the_one_before_and_then_by_the_start(
    workshop: Workshop, stops: list[EndRequest | LeaseLost], tinker: Server, gone: int
) -> None:
    """Lost at step 15, with checkpoints at 6 and 12. The event log says where each attempt went on from."""
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [*[EndRequest.NOTHING] * 15, LeaseLost()]
    assert isinstance(workshop.attempt(parted, "parted"), Lost)
    workshop.store.client.zadd(keys.state("running"), {parted.id: 0})
    take_back(workshop.store, stall=60)
    for _ in range(gone):
        newest = workshop.store.read_assignment(parted.id).checkpoint
        assert newest is not None
        tinker.rest().delete_checkpoint_from_tinker_path(str(newest["path"])).result(30)
        over = workshop.attempt(parted, "parted")
        assert isinstance(over, Failed)
        assert over.fault is Fault.OUTAGE, "it is not the stage's fault"
        workshop.store.client.hset(keys.stage(parted.id), "not_before", 0)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    result: Any = workshop.store.read_result(parted.id)
    assert result["resumed_at"] == (6 if gone == 1 else 0)
    notes = [event.detail for event in read_stage_events(workshop.store, parted.id)]
    steps = [re.findall(r"step (\d+)", note) for note in notes if "is gone; " in note]
    assert steps == [["12", "6"], ["6"]][:gone], "the next one is named, or none"


def test_a_child_whose_parents_checkpoint_is_gone_has_it_trained_again(
    workshop: Workshop, tinker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = workshop.submit(SPEC + "reuse: sweep\n").plan
    parent, child = sorted(plan.stages, key=lambda stage: stage.kind, reverse=True)
    with monkeypatch.context() as apart:
        apart.setattr(type(workshop.store), "list_evaluations", lambda *_: [])
        assert isinstance(workshop.attempt(parent), Succeeded)
    left, before = workshop.store.read_checkpoint(parent.id), workshop.weights(parent)
    assert left is not None
    tinker.rest().delete_checkpoint_from_tinker_path(str(left["path"])).result(30)
    assert isinstance(workshop.attempt(child), Orphaned)
    assert (workshop.state(parent), workshop.state(child)) == ("ready", "waiting")
    assert isinstance(workshop.attempt(parent), Succeeded)
    assert (workshop.state(parent), workshop.state(child)) == ("succeeded", "succeeded"), "the child came along"
    after = workshop.weights(parent)
    assert all(np.array_equal(after[key], before[key]) for key in before)
