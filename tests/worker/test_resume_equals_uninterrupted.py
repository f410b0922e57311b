"""A training stopped anywhere and gone on with applies each batch once: the same weights and moments, to the bit."""

import numpy as np
import pytest

from scheduler import keys
from scheduler.retry import Fault
from sweeps.stage import Stage
from tests.tinker_offline.process import Server
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import Attempt
from worker.leases import Asked, LeaseLost
from worker.outcome import Failed, Lost, Stopped, Succeeded

AT = (1, 6, 7, 19)  # a stop at the first step, at a checkpoint, behind one, and before the last step


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[Asked | LeaseLost]:
    """What happens at each following step: nothing, a request to end, or the loss of the lease."""
    script: list[Asked | LeaseLost] = []
    ask = Attempt.asked_to_stop

    def asked(this: Attempt) -> Stopped | None:
        event = script.pop(0) if script else Asked.NOTHING
        if isinstance(event, LeaseLost):
            raise event
        if event:
            this.held.ask(event, within=60)
        return ask(this)

    monkeypatch.setattr(Attempt, "asked_to_stop", asked)
    return script


def train_stage(workshop: Workshop, name: str) -> Stage:
    """The same training under a name of its own, so that nothing is shared."""
    plan = workshop.submit(SPEC.replace("sweep: one", f"sweep: {name}") + "reuse: sweep\n").plan
    return next(stage for stage in plan.stages if stage.kind == "train")


@pytest.mark.parametrize("at", AT)
def test_stopped_and_resumed(workshop: Workshop, stops: list[Asked | LeaseLost], at: int) -> None:
    """A stop on request saves where it stands: not one step is done twice."""
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [Asked.NOTHING] * at + [Asked.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert workshop.state(parted) == "ready"
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, parted) == tokens(workshop, whole)


def test_lost_and_resumed(workshop: Workshop, stops: list[Asked | LeaseLost]) -> None:
    """An attempt that dies at step 15 is gone on with from its checkpoint at 12, and writes nothing more itself."""
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [*[Asked.NOTHING] * 15, LeaseLost()]
    assert isinstance(workshop.attempt(parted, "parted"), Lost)
    assert workshop.state(parted) == "running"  # nobody has been told: the lease must run out
    workshop.store.client.zadd(keys.state("running"), {parted.id: 0})
    assert workshop.store.scripts.run("expire", 10, 10) == [parted.id]
    checkpoint = workshop.store.checkpoint_of(parted.id)
    assert checkpoint is not None
    assert checkpoint["step"] == 12
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)


def test_a_checkpoint_that_is_gone_starts_the_stage_over(
    workshop: Workshop, stops: list[Asked | LeaseLost], tinker: Server
) -> None:
    whole, parted = train_stage(workshop, "whole"), train_stage(workshop, "parted")
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [*[Asked.NOTHING] * 9, Asked.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    checkpoint = workshop.store.checkpoint_of(parted.id)
    assert checkpoint is not None
    tinker.rest().delete_checkpoint_from_tinker_path(str(checkpoint["path"])).result(30)
    over = workshop.attempt(parted, "parted")
    assert isinstance(over, Failed)
    assert over.fault is Fault.SERVICE
    assert workshop.store.checkpoint_of(parted.id) is None
    workshop.store.client.hset(keys.stage(parted.id), "not_before", 0)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)


def same(workshop: Workshop, whole: Stage, parted: Stage) -> None:
    ours, theirs = workshop.weights(parted), workshop.weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    assert workshop.metrics(parted) == workshop.metrics(whole)


def tokens(workshop: Workshop, stage: Stage) -> int:
    return int(workshop.store.client.hget(keys.stage(stage.id), "tokens") or 0)
